// What a picture shows, and where attention looked at each word.
import { html, useAnswer, useState } from "../../lib/ui.js";
import { Command, Failure, Field, Waiting } from "../../lib/parts.js";
import { get, post } from "../../lib/api.js";
import { t } from "../../lib/i18n.js";
import { uploaded } from "../train/drop.js";
import { quoted } from "./shell.js";

export function Captions({ path, about }) {
  const own = useAnswer((signal) => get(`${path}/pictures`, signal), [path]);
  const [shown, setShown] = useState({ picture: 0 }); // or { upload, address }
  const [error, setError] = useState(null);
  const take = async (event) => {
    const [file] = event.target.files;
    if (!file) return;
    setError(null);
    try {
      const { id } = await uploaded(file);
      setShown({ upload: id, address: URL.createObjectURL(file) });
    } catch (problem) {
      setError(problem);
    }
  };
  const pictures = own.data?.pictures ?? [];
  const command = html`<${Command} line=${`ostinato predict ${quoted(about.run)} ${t("try.picture.word")}`} />`;
  return html`
    <div class="card">
      <${Field} label=${t("try.picture")} help=${t("try.picture.help")}>
        ${(id, about) => html`<input type="file" accept="image/*" id=${id} aria-describedby=${about} onChange=${take} />`}
      <//>
      <div class="thumbnails" role="group" aria-label=${t("try.pictures")}>
        ${pictures.map((picture, n) => html`
          <button type="button" aria-pressed=${shown.picture === n} onClick=${() => setShown({ picture: n })}>
            <img src=${`${path}/pictures/${n}`} alt=${picture.captions[0]} loading="lazy" width="72" height="72" />
          </button>
        `)}
      </div>
    </div>
    <${Failure} error=${error ?? own.error} />
    ${(pictures.length > 0 || shown.upload) && html`
      <${Caption} path=${path} shown=${shown} source=${shown.address ?? `${path}/pictures/${shown.picture}`} captions=${shown.upload ? [] : pictures[shown.picture].captions} command=${command} />
    `}
    ${(own.data || own.error) && pictures.length === 0 && !shown.upload && command}
  `;
}

function Caption({ path, shown, source, captions, command }) {
  const body = shown.upload ? { upload: shown.upload } : { picture: shown.picture };
  const found = useAnswer((signal) => post(`${path}/caption`, body, signal), [path, JSON.stringify(body)]);
  const [at, setAt] = useState(0);
  const { data } = found;
  const come = data || found.error; // what stands below waits for it, or it would jump
  const word = data ? Math.min(at, data.tokens.length - 1) : 0;
  return html`
    <section class="card seen">
      <div class="picture">
        <img src=${source} alt=${data ? data.text : t("try.picture")} />
        ${data && html`<${Attention} weights=${data.weights[word]} side=${data.side} />`}
      </div>
      <div>
        ${data
          ? html`
              <p class="text large" aria-live="polite">${data.text}</p>
              <div class="row tokens-row" role="radiogroup" aria-label=${t("try.looked.which")}>
                ${data.tokens.map((piece, n) => html`
                  <label class=${`piece${n === word ? " chosen" : ""}`} onMouseEnter=${() => setAt(n)}>
                    <input class="unseen" type="radio" name="looked" checked=${n === word} onChange=${() => setAt(n)} />${piece}
                  </label>
                `)}
              </div>
              <p class="quiet">${t("try.looked.about")}</p>
            `
          : html`<${Waiting} />`}
        <${Failure} error=${found.error} again=${found.again} />
        ${come && captions.length > 0 && html`<h3>${t("try.captions")}</h3><ul>${captions.map((one) => html`<li>${one}</li>`)}</ul>`}
      </div>
    </section>
    ${come && command}
  `;
}

/** A grid over the picture: light where attention looked. */
function Attention({ weights, side }) {
  const most = Math.max(...weights);
  return html`
    <div class="attention" aria-hidden="true" style=${{ gridTemplate: `repeat(${side}, 1fr) / repeat(${side}, 1fr)` }}>
      ${weights.map((weight) => html`<span style=${{ opacity: (0.72 * (1 - weight / most)).toFixed(3) }}></span>`)}
    </div>
  `;
}
