// A label, or numbers, for a text; and what each word moved: how the answer changes where the word is left out.
import { html } from "../../lib/ui.js";
import { Command } from "../../lib/parts.js";
import { number, t } from "../../lib/i18n.js";
import { useAsked } from "./asked.js";
import { useExamples } from "./examples.js";
import { Answer, useFigure } from "./figures.js";
import { quoted } from "./shell.js";

export function Words({ path, about }) {
  const { text, set, entry, failure, data, come } = useAsked(`${path}/words`, about.example || t("try.words.example"), t("try.text"), t("try.text.help"));
  const examples = useExamples({ path, begin: false, choose: set, text });
  const { figure, field } = useFigure(data);
  return html`
    <div class="card" ...${examples.dropped}>${examples.field}<div class="entry">${entry}</div></div>
    ${failure}
    ${data && html`
      <${Answer} data=${data} task=${about.task} there=${examples.there} />
      <section class="card" aria-labelledby="moved">
        <h2 id="moved" class="first">${t("try.moved")}</h2>
        ${field}
        <${Moved} text=${data.asked} parts=${data.parts} figure=${figure} />
        <p class="quiet">${t("try.moved.about", { figure })}</p>
      </section>
    `}
    ${come && html`<${Command} line=${`ostinato predict ${quoted(about.run)} ${quoted(text)}`} />`}
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
