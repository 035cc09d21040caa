// One text from another, and what attention looked at while each token was written.
import { html, useMemo, useState } from "../../lib/ui.js";
import { Command } from "../../lib/parts.js";
import { number, t } from "../../lib/i18n.js";
import { useAsked } from "./asked.js";
import { quoted } from "./shell.js";
import { Whole } from "./writing.js";

export function Translation({ path, about }) {
  const [beam, setBeam] = useState(5);
  const more = useMemo(() => ({ beam }), [beam]);
  const { text, field, data, come } = useAsked(`${path}/alignment`, about.example, t("try.source"), t("try.source.help"), undefined, more);
  return html`
    ${field}
    <div class="fields"><${Whole} label=${t("try.beam")} value=${beam} min="1" max="50" set=${setBeam} /></div>
    ${data && html`
      <section class="card spaced" aria-live="polite" aria-label=${t("try.answer")}><p class="text large">${data.text}</p></section>
      ${data.weights.length > 0 && html`<${Aligned} found=${data} />`}
    `}
    ${come && html`<${Command} line=${`ostinato predict ${quoted(about.run)} ${quoted(text)}${beam === 5 ? "" : ` --beam ${beam}`}`} />`}
  `;
}

/** A row for each token written, a column for each that was read; a row that is chosen colours the source. */
function Aligned({ found }) {
  const [row, setRow] = useState(0);
  const at = Math.min(row, found.target.length - 1);
  const most = (weights) => found.source[weights.indexOf(Math.max(...weights))];
  return html`
    <section class="card" aria-labelledby="aligned">
      <h2 id="aligned" class="first">${t("try.aligned")}</h2>
      <p class="text large" aria-live="polite">
        ${found.source.map((piece, s) => html`<span class="looked" style=${{ backgroundColor: ground(found.weights[at][s]) }}>${shown(piece)}</span>`)}
      </p>
      <div class="row tokens-row" role="radiogroup" aria-label=${t("try.aligned.which")}>
        ${found.target.map((piece, n) => html`
          <label class=${`piece${n === at ? " chosen" : ""}`} onMouseEnter=${() => setRow(n)}>
            <input class="unseen" type="radio" name="aligned" checked=${n === at} onChange=${() => setRow(n)} aria-label=${t("try.aligned.at", { piece, source: most(found.weights[n]) })} />
            ${shown(piece)}
          </label>
        `)}
      </div>
      <div class="scroller" tabindex="0" role="region" aria-label=${t("try.aligned.table")}>
        <table class="matrix">
          <caption>${t("try.aligned.about")}</caption>
          <thead><tr><td></td>${found.source.map((piece) => html`<th scope="col">${shown(piece)}</th>`)}</tr></thead>
          <tbody>
            ${found.target.map((piece, n) => html`
              <tr><th scope="row">${shown(piece)}</th>${found.weights[n].map((weight) => html`<td style=${{ backgroundColor: ground(weight) }} title=${number(weight, 2)}><span class="unseen">${number(weight, 2)}</span></td>`)}</tr>
            `)}
          </tbody>
        </table>
      </div>
    </section>
  `;
}

const ground = (weight) => `rgb(var(--positive) / ${(0.75 * weight).toFixed(3)})`;
const shown = (piece) => (piece === " " ? "␣" : piece);
