// 6: the five topologies, what flows through them step by step, and the task that each is.
import { html, useState } from "../lib/ui.js";
import { t } from "../lib/i18n.js";
import { useBeat } from "./parts.js";

// Of each column: whether there is an input, and an output. The last box of a side is where "…" would be.
const TOPOLOGIES = [
  { name: "one-one", columns: [[1, 1]], tasks: "" },
  { name: "one-many", columns: [[1, 1], [0, 1], [0, 1], [0, 1]], tasks: "caption" },
  { name: "many-one", columns: [[1, 0], [1, 0], [1, 0], [1, 1]], tasks: "classify, regress" },
  { name: "many-many", columns: [[1, 1], [1, 1], [1, 1], [1, 1]], tasks: "lm, tag" },
  { name: "sequence", columns: [[1, 0], [1, 0], [1, 0], [0, 1], [0, 1], [0, 1]], tasks: "translate, forecast" },
];
const BEATS = 9;
const [BOX, GAP, HIGH] = [34, 22, 40];

export function Lesson() {
  const { beat, setBeat, on, setOn } = useBeat(BEATS, 1.6);
  const [both, setBoth] = useState(false);
  const [attention, setAttention] = useState(false);
  const box = (word, value, choose) => html`
    <label class="check"><input type="checkbox" checked=${value} onChange=${() => choose(!value)} /> ${t(`learn.topologies.${word}`)}</label>
  `;
  return html`
    <div class="row controls">
      <button type="button" class="primary" onClick=${() => setOn(!on)}>${t(on ? "learn.stop" : "learn.topologies.play")}</button>
      <button type="button" onClick=${() => (setOn(false), setBeat((now) => (now + 1) % BEATS))}>${t("learn.topologies.step")}</button>
      ${box("both", both, setBoth)} ${box("attention", attention, setAttention)}
    </div>
    <ul class="topologies">
      ${TOPOLOGIES.map(({ name, columns, tasks }) => html`
        <li key=${name} class="card">
          <h2>${t(`learn.topologies.${name}`)}</h2>
          <${Diagram} columns=${columns} beat=${beat} both=${both} attention=${attention && name === "sequence"} label=${t(`learn.topologies.${name}.about`)} />
          <p>${t(`learn.topologies.${name}.about`)}</p>
          ${tasks && html`<p class="quiet">${t("learn.topologies.tasks")} ${tasks.split(", ").map((task) => html`<code>ostinato train ${task}</code> `)}</p>`}
        </li>
      `)}
    </ul>
  `;
}

/**
 * Inputs below, the cell in the middle, outputs above. The signal is in column `beat - 1`.
 * @param both       a second network reads the inputs from the last one, where there are several
 * @param attention  each answer looks at all states of the inputs
 */
function Diagram({ columns, beat, both, attention, label }) {
  const width = columns.length * (BOX + GAP) - GAP;
  const x = (column) => column * (BOX + GAP);
  const rows = [2, 2 + HIGH + BOX / 2, 2 + 2 * HIGH + BOX]; // outputs, cells, inputs
  const box = (kind, column, y) => html`
    <rect class=${`${kind} ${column === beat - 1 ? "now" : column < beat - 1 ? "been" : ""}`} x=${x(column) + 1} y=${y} width=${BOX - 2} height=${BOX - 8} rx="5" />
  `;
  const arrow = (column, from, to) => html`
    <path class=${column === beat - 1 ? "now" : ""} d=${`M${x(column) + BOX / 2} ${from} V${to + 5} m-4 4 l4 -5 l4 5`} />
  `;
  const across = (column) => html`
    <path class=${column + 1 === beat - 1 ? "now" : ""} d=${`M${x(column) + BOX} ${rows[1] + BOX / 2 - 4} H${x(column + 1) - 3} m-5 -4 l5 4 l-5 4`} />
  `;
  const reading = columns.map((_, column) => column).filter((column) => columns[column][0]);
  const last = reading.length - 1;
  const back = (column) => html`
    <path class=${`back ${beat > 1 && column === last + 1 - beat ? "now" : ""}`} d=${`M${x(column + 1)} ${rows[1] + BOX / 2 + 4} H${x(column) + BOX + 3} m5 -4 l-5 4 l5 4`} />
  `;
  const look = (from, to) => html`
    <path class=${`look ${to === beat - 1 ? "now" : ""}`} d=${`M${x(from) + BOX / 2} ${rows[1]} Q${(x(from) + x(to) + BOX) / 2} ${rows[1] - HIGH} ${x(to) + BOX / 2 - 6} ${rows[1]}`} />
  `;
  return html`
    <svg class="topology" viewBox=${`-2 -2 ${width + 4} ${rows[2] + BOX}`} style=${{ maxWidth: `${width + 4}px` }} role="img" aria-label=${label}>
      ${columns.map(([read, said], column) => html`
        <g key=${column}>
          ${read ? [box("input", column, rows[2]), arrow(column, rows[2] - 2, rows[1] + BOX - 8)] : null}
          ${box("cell", column, rows[1])}
          ${said ? [box("output", column, rows[0]), arrow(column, rows[1] - 2, rows[0] + BOX - 8)] : null}
          ${column + 1 < columns.length ? across(column) : null}
          ${both && column < last && columns[column + 1][0] ? back(column) : null}
          ${attention && said ? reading.map((from) => look(from, column)) : null}
        </g>
      `)}
    </svg>
  `;
}
