// Inside: chooses the runs, and keeps the viewer connected with them.
import { html, useAnswer, useEffect, useRef, useState } from "../lib/ui.js";
import { Failure, Waiting } from "../lib/parts.js";
import { get } from "../lib/api.js";
import { t, useLanguage } from "../lib/i18n.js";
import { go } from "../lib/router.js";
import { shade, useTheme } from "../lib/theme.js";
import { Viewer } from "../inside/viewer.js";

export const title = "inside.title";
export const route = "inside";

const MOST = 4;

export function render({ parts }) {
  const { data, error, again } = useAnswer((signal) => get("/studio/runs", signal), []);
  const runs = data?.runs.filter((run) => run.trained && run.state !== "damaged") ?? [];
  const [own, setOwn] = useState(false); // whether the reader has chosen: also to see none
  const bare = parts.length === 0 && !own;
  const newest = useAnswer((signal) => (bare ? get("/studio/inside/newest", signal) : Promise.resolve(null)), [bare]);
  const suggested = bare ? newest.data : null;
  const asked = suggested?.name ? [suggested.name] : parts;
  const names = asked.filter((name) => !data || runs.some((run) => run.name === name)).slice(0, MOST);
  const toggle = (name) => {
    setOwn(true);
    go("inside", ...(names.includes(name) ? names.filter((one) => one !== name) : [...names, name]));
  };
  return html`
    <h1>${t(title)}</h1>
    <p>${t("inside.about")}</p>
    <${Failure} error=${error ?? newest.error} again=${error ? again : newest.again} />
    ${!data && !error && html`<${Waiting} />`}
    ${data && !runs.length && html`<p>${t("inside.none")} <a href="#/train">${t("inside.train")}</a></p>`}
    ${runs.length > 0 && html`
      <fieldset class="chosen-runs">
        <legend>${t("inside.runs", { most: MOST })}</legend>
        ${runs.map(
          ({ name, cell }) => html`
            <label key=${name}>
              <input type="checkbox" checked=${names.includes(name)} onChange=${() => toggle(name)}
                disabled=${!names.includes(name) && names.length >= MOST} />
              ${name} <span class="quiet">${cell}</span>
            </label>
          `,
        )}
      </fieldset>
      ${suggested?.wrong && html`<p class="failure" role="status">${t("inside.wrong", { name: suggested.name })}</p>`}
      ${bare && newest.waiting ? html`<${Waiting} what=${t("inside.loading")} />` : names.length ? html`<${Connected} key=${names.join("/")} names=${names} />` : html`<p>${t("inside.choose")}</p>`}
    `}
  `;
}

function Connected({ names }) {
  const host = useRef(null);
  const viewer = useRef(null);
  const [lost, setLost] = useState(false);
  const [there, setThere] = useState(false);
  const [turn, setTurn] = useState(0);
  const language = useLanguage();
  const theme = useTheme();
  useEffect(() => {
    setLost(false);
    setThere(false);
    const socket = new WebSocket(address(names));
    socket.binaryType = "arraybuffer";
    let ended = false;
    socket.onopen = () => {
      const send = (message) => socket.send(JSON.stringify(message));
      const text = viewer.current?.typed.value || kept.text; // what was typed stays, whatever is chosen
      viewer.current?.destroy();
      viewer.current = new Viewer(host.current, { names, send, t, shade, text });
    };
    socket.onmessage = ({ data }) => {
      setThere(true);
      viewer.current?.receive(data);
    };
    socket.onclose = () => ended || setLost(true);
    return () => {
      ended = true;
      kept.text = viewer.current?.typed.value || kept.text;
      socket.close();
      viewer.current?.destroy();
    };
  }, [turn, language]);
  useEffect(() => viewer.current?.draw(), [theme]);
  return html`
    ${lost && html`<p class="failure" role="alert">${t("inside.lost")} <button type="button" onClick=${() => setTurn(turn + 1)}>${t("inside.again")}</button></p>`}
    ${!there && !lost && html`<${Waiting} what=${t("inside.loading")} />`}
    <div ref=${host}></div>
  `;
}

const kept = { text: null };

function address(names) {
  const query = new URLSearchParams(names.map((name) => ["run", name]));
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/studio/inside?${query}`;
}
