// A label, or numbers, for a text; and what each word moved: how the answer changes where the word is left out.
import { html, useState } from "../../lib/ui.js";
import { Command, Field } from "../../lib/parts.js";
import { number, t } from "../../lib/i18n.js";
import { useAsked } from "./asked.js";
import { quoted } from "./shell.js";

export function Words({ path, about }) {
  const { text, field, data } = useAsked(`${path}/words`, about.example || t("try.words.example"), t("try.text"), t("try.text.help"));
  const [chosen, setChosen] = useState(null);
  const figures = data ? Object.entries(data.figures) : [];
  const best = figures.length ? figures.reduce((a, b) => (b[1] > a[1] ? b : a))[0] : "";
  const figure = chosen in (data?.figures ?? {}) ? chosen : best;
  const shares = about.task === "classify";
  return html`
    ${field}
    ${data && html`
      <section class="card" aria-live="polite">
        <h2 class="first">${t("try.answer")}${shares ? `: ${data.answer.label}` : ""}</h2>
        <${Figures} figures=${figures} shares=${shares} />
      </section>
      <section class="card" aria-labelledby="moved">
        <h2 id="moved" class="first">${t("try.moved")}</h2>
        ${figures.length > 1 && html`
          <${Field} label=${t("try.moved.which")}>
            ${(id) => html`<select id=${id} value=${figure} onChange=${(event) => setChosen(event.target.value)}>${figures.map(([one]) => html`<option value=${one}>${one}</option>`)}</select>`}
          <//>
        `}
        <${Moved} text=${data.asked} parts=${data.parts} figure=${figure} />
        <p class="quiet">${t("try.moved.about", { figure })}</p>
      </section>
    `}
    <${Command} line=${`ostinato predict ${quoted(about.run)} ${quoted(text)}`} />
  `;
}

function Figures({ figures, shares }) {
  const sorted = [...figures].sort((a, b) => b[1] - a[1]).slice(0, 12);
  if (!shares) return html`<dl class="figures">${figures.map(([name, value]) => html`<div><dt>${name}</dt><dd>${number(value, 5)}</dd></div>`)}</dl>`;
  return html`
    <ul class="shares">
      ${sorted.map(([name, value]) => html`
        <li><span class="what">${name}</span><span class="track" aria-hidden="true"><span class="bar" style=${{ width: `${(100 * value).toFixed(1)}%` }}></span></span><span class="share">${number(100 * value, 3)} %</span></li>
      `)}
    </ul>
  `;
}

/** The text, each word with a ground by how much it moved the figure: up and down in two colours, and a sign to read. */
function Moved({ text, parts, figure }) {
  const most = Math.max(1e-9, ...parts.map((part) => Math.abs(part.moved[figure] ?? 0)));
  const pieces = [];
  let at = 0;
  for (const part of parts) {
    const moved = part.moved[figure] ?? 0;
    const strength = (Math.abs(moved) / most) * 0.6;
    pieces.push(text.slice(at, part.begin));
    pieces.push(html`<mark
      style=${{ backgroundColor: `rgb(var(--${moved >= 0 ? "positive" : "negative"}) / ${strength.toFixed(3)})` }}
      title=${`${moved >= 0 ? "+" : "−"}${number(Math.abs(moved), 3)}`}
      >${text.slice(part.begin, part.end)}<span class="unseen"> (${moved >= 0 ? "+" : "−"}${number(Math.abs(moved), 2)})</span></mark
    >`);
    at = part.end;
  }
  return html`<p class="text">${pieces}${text.slice(at)}</p>`;
}
