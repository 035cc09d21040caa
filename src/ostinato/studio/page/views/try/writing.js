// A language model writes on, streamed as it writes; then under each token what else was thought of.
import { html, useEffect, useRef, useState } from "../../lib/ui.js";
import { Command, Failure, Field } from "../../lib/parts.js";
import { post, streamed } from "../../lib/api.js";
import { number, t } from "../../lib/i18n.js";
import { quoted } from "./shell.js";

export function Writing({ name, path, about }) {
  const [asked, setAsked] = useState({ prompt: "", temperature: 0.8, length: 200, seed: 1, top_p: 1 });
  const [written, setWritten] = useState(null); // { prompt, text }
  const [tokens, setTokens] = useState(null);
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const stop = useRef(null);
  useEffect(() => () => stop.current?.abort(), []);
  const set = (key, value) => setAsked({ ...asked, [key]: value });
  const write = async (event) => {
    event.preventDefault();
    stop.current = new AbortController();
    setBusy(true);
    setError(null);
    setTokens(null);
    let text = "";
    setWritten({ prompt: asked.prompt, text });
    try {
      for await (const { data } of streamed(`/v1/runs/${encodeURIComponent(name)}/generate`, { ...asked, stream: true }, stop.current.signal)) {
        if (data.detail) throw data;
        text += data.text ?? "";
        setWritten({ prompt: asked.prompt, text });
      }
    } catch (problem) {
      if (problem.name !== "AbortError") setError(problem);
    }
    setBusy(false);
    if (text) post(`${path}/candidates`, { prompt: asked.prompt, text }).then((found) => setTokens(found.tokens), setError);
  };
  const command = `ostinato generate ${quoted(about.run)} --prompt ${quoted(asked.prompt)} --length ${asked.length} --temperature ${asked.temperature} --seed ${asked.seed}${asked.top_p < 1 ? ` --top-p ${asked.top_p}` : ""}`;
  return html`
    <form class="card" onSubmit=${write}>
      <${Field} label=${t("try.prompt")} help=${t("try.prompt.help")}>
        ${(id, about) => html`<textarea id=${id} aria-describedby=${about} rows="3" value=${asked.prompt} onInput=${(event) => set("prompt", event.target.value)}></textarea>`}
      <//>
      <div class="fields spaced">
        <${Slider} label=${t("try.temperature")} help=${t("try.temperature.help")} value=${asked.temperature} min="0" max="2" step="0.05" set=${(value) => set("temperature", value)} />
        <${Slider} label=${t("try.top_p")} help=${t("try.top_p.help")} value=${asked.top_p} min="0.05" max="1" step="0.05" set=${(value) => set("top_p", value)} />
        <${Whole} label=${t("try.length")} value=${asked.length} min="1" max="5000" set=${(value) => set("length", value)} />
        <${Whole} label=${t("try.seed")} value=${asked.seed} min="0" max="1000000" set=${(value) => set("seed", value)} />
      </div>
      <div class="row spaced">
        <button class="primary" disabled=${busy}>${t("try.write")}</button>
        <button type="button" disabled=${!busy} onClick=${() => stop.current?.abort()}>${t("try.stop")}</button>
      </div>
    </form>
    <${Failure} error=${error} />
    <section aria-label=${t("try.written")} aria-busy=${busy}>
      ${written && html`<div class="text card"><span class="prompt">${written.prompt}</span>${tokens ? html`<${Tokens} tokens=${tokens} />` : written.text}</div>`}
      ${tokens && html`<p class="quiet">${t("try.candidates.about")}</p>`}
    </section>
    <${Command} line=${command} />
  `;
}

/** Each token, the paler the surer it was; one that is pointed at, or has the focus, shows what else was thought of. */
function Tokens({ tokens }) {
  const [at, setAt] = useState(null);
  const step = (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1, Home: -tokens.length, End: tokens.length }[event.key];
    if (!by) return;
    event.preventDefault();
    const next = Math.max(0, Math.min(tokens.length - 1, (at ?? 0) + by));
    setAt(next);
    event.currentTarget.children[next].focus();
  };
  return html`
    <span class="tokens" role="group" aria-label=${t("try.tokens")} onKeyDown=${step} onMouseLeave=${() => setAt(null)}>
      ${tokens.map((token, n) => html`
        <span
          role="button"
          class="token"
          tabindex=${n === (at ?? 0) ? 0 : -1}
          style=${{ backgroundColor: `rgb(var(--negative) / ${Math.min(0.55, -Math.log10(Math.max(token.p, 1e-4)) * 0.14).toFixed(3)})` }}
          aria-label=${`${said(token.text)}, ${percent(token.p)}; ${token.candidates.slice(0, 3).map((one) => `${said(one.text)} ${percent(one.p)}`).join(", ")}`}
          onMouseEnter=${() => setAt(n)}
          onFocus=${() => setAt(n)}
        >${token.text}</span>
      `)}
    </span>
    <${Candidates} token=${at === null ? null : tokens[at]} />
  `;
}

function Candidates({ token }) {
  return html`
    <div class="candidates" aria-hidden="true">
      ${token
        ? html`<span class="which">${visible(token.text)} ${percent(token.p)}</span>${token.candidates.map((one) => html`
            <span class=${`candidate${one.text === token.text ? " chosen" : ""}`}>
              <span class="bar" style=${{ width: `${(100 * one.p).toFixed(1)}%` }}></span><span class="piece">${visible(one.text)}</span><span class="share">${percent(one.p)}</span>
            </span>
          `)}`
        : html`<span class="quiet">${t("try.candidates.point")}</span>`}
    </div>
  `;
}

export function Slider({ label, help, value, set, ...range }) {
  return html`
    <${Field} label=${html`${label} <output>${number(value)}</output>`} help=${help}>
      ${(id, about) => html`<input type="range" id=${id} aria-describedby=${about} ...${range} value=${value} onInput=${(event) => set(Number(event.target.value))} />`}
    <//>
  `;
}

export function Whole({ label, value, set, ...range }) {
  return html`
    <${Field} label=${label}>
      ${(id) => html`<input type="number" id=${id} step="1" required ...${range} value=${value} onInput=${(event) => event.target.value !== "" && set(Number(event.target.value))} />`}
    <//>
  `;
}

const percent = (p) => `${number(100 * p, 3)} %`;
const visible = (text) => text.replaceAll("\n", "⏎").replaceAll(" ", "␣").replaceAll("\t", "⇥");
const said = (text) => ({ " ": t("try.blank"), "\n": t("try.line") })[text] ?? text;
