// The numbers of an answer: the probability of each class, or what is regressed; and which of them is looked at.
import { html, useState } from "../../lib/ui.js";
import { Field } from "../../lib/parts.js";
import { number, t } from "../../lib/i18n.js";

const MOST = 12;

/** @param there  what is known to be right; null where nothing is */
export function Answer({ data, task, there = null }) {
  const shares = task === "classify";
  const figures = Object.entries(data.figures);
  const sorted = [...figures].sort((a, b) => b[1] - a[1]).slice(0, MOST);
  return html`
    <section class="card" aria-live="polite">
      <h2 class="first">${t("try.answer")}${shares ? `: ${data.answer.label}` : ""}</h2>
      ${shares
        ? html`
            <ul class="chances">
              ${sorted.map(([name, value]) => html`
                <li><span class="what">${name}</span><span class="track" aria-hidden="true"><span class="bar" style=${{ width: `${(100 * value).toFixed(1)}%` }}></span></span><span class="share">${number(100 * value, 3)} %</span></li>
              `)}
            </ul>
          `
        : html`<dl class="figures">${figures.map(([name, value]) => html`<div><dt>${name}</dt><dd>${number(value, 5)}</dd></div>`)}</dl>`}
      ${there !== null && html`<p class="quiet">${t("try.examples.there", { there })}</p>`}
    </section>
  `;
}

/** The figure that is looked at, by default the largest, and where there are several a field to choose another. */
export function useFigure(data) {
  const [chosen, setChosen] = useState(null);
  const figures = Object.entries(data?.figures ?? {});
  const best = figures.length ? figures.reduce((a, b) => (b[1] > a[1] ? b : a))[0] : "";
  const figure = chosen !== null && chosen in (data?.figures ?? {}) ? chosen : best;
  const field = figures.length > 1 && html`
    <${Field} label=${t("try.moved.which")}>
      ${(id) => html`<select id=${id} value=${figure} onChange=${(event) => setChosen(event.target.value)}>${figures.map(([one]) => html`<option value=${one}>${one}</option>`)}</select>`}
    <//>
  `;
  return { figure, field };
}
