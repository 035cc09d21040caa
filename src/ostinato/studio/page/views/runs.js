// All runs of the folder: a table to sort, curves as they grow, and two of them side by side.
import { html, useMemo, useState } from "../lib/ui.js";
import { Failure, Waiting } from "../lib/parts.js";
import { useCourses } from "../lib/courses.js";
import { count, number, t } from "../lib/i18n.js";
import { address } from "../lib/router.js";
import { Curves } from "./runs/curves.js";
import { Comparison } from "./runs/comparison.js";

export const title = "runs.title";
export const route = "runs";

const MOST = 8; // curves with a colour of their own
const COLUMNS = [
  ["name", "text"], ["task", "text"], ["cell", "text"], ["steps", "number"], ["epochs", "number"],
  ["valid_loss", "number"], ["test", "text"], ["state", "text"], ["changed", "number"],
];

export function render() {
  const [chosen, setChosen] = useState(null); // null: those that we choose, until the reader does
  const [watched, setWatched] = useState([]);
  const { folder, runs, courses, lost } = useCourses(watched);
  const names = useMemo(() => (chosen ?? suggested(runs ?? [])).filter((name) => runs?.some((run) => run.name === name)), [chosen, runs]);
  if (names.join("\n") !== watched.join("\n")) setWatched(names);
  const toggle = (name) => setChosen(names.includes(name) ? names.filter((one) => one !== name) : [...names, name].slice(-MOST));
  return html`
    <h1>${t(title)}</h1>
    ${lost && html`<${Failure} error=${{ title: t("error.unreached"), detail: t("error.unreached.detail") }} />`}
    ${runs === null
      ? html`<${Waiting} />`
      : runs.length === 0
        ? html`<div class="card"><p>${t("runs.none", { folder })}</p><p><a class="button" href="#/train">${t("runs.first")}</a></p></div>`
        : html`
            <p class="quiet">${t("runs.about", { folder, n: runs.length })}</p>
            <${Table} runs=${runs} names=${names} toggle=${toggle} />
            <${Curves} names=${names} courses=${courses} />
            ${names.length === 2 && html`<${Comparison} names=${names} />`}
          `}
  `;
}

function suggested(runs) {
  const live = runs.filter((run) => run.state === "training");
  return (live.length ? live : runs.filter((run) => run.state !== "damaged").slice(0, 3)).slice(0, MOST).map((run) => run.name);
}

function Table({ runs, names, toggle }) {
  const [order, setOrder] = useState({ by: "changed", down: true });
  const sorted = useMemo(() => [...runs].sort(comparing(order)), [runs, order]);
  const head = ([name, kind]) => html`
    <th scope="col" class=${kind === "number" ? "number" : ""} aria-sort=${order.by === name ? (order.down ? "descending" : "ascending") : "none"}>
      <button type="button" class="sort" onClick=${() => setOrder({ by: name, down: order.by === name ? !order.down : kind === "number" })}>
        ${t(`runs.${name}`)}<span aria-hidden="true">${order.by === name ? (order.down ? " ↓" : " ↑") : ""}</span>
      </button>
    </th>
  `;
  return html`
    <div class="scroller" tabindex="0" role="region" aria-label=${t("runs.table")}>
      <table class="runs">
        <thead><tr><th scope="col"><span class="unseen">${t("runs.curve")}</span></th>${COLUMNS.map(head)}<th scope="col"><span class="unseen">${t("runs.open")}</span></th></tr></thead>
        <tbody>
          ${sorted.map((run) => html`<${Row} key=${run.name} run=${run} place=${names.indexOf(run.name)} toggle=${toggle} />`)}
        </tbody>
      </table>
    </div>
  `;
}

function Row({ run, place, toggle }) {
  const usable = run.state !== "damaged";
  return html`
    <tr>
      <td>
        <label class="pick">
          <input type="checkbox" checked=${place >= 0} disabled=${!usable} onChange=${() => toggle(run.name)} />
          <span class="swatch" style=${{ background: place >= 0 ? `var(--series-${(place % 8) + 1})` : "transparent" }}></span>
          <span class="unseen">${t("runs.curve.of", { name: run.name })}</span>
        </label>
      </td>
      <th scope="row">${run.name}</th>
      <td>${run.task}</td>
      <td>${run.cell}</td>
      <td class="number">${count(run.steps)}</td>
      <td class="number">${count(run.epochs)}</td>
      <td class="number">${number(run.valid_loss)}</td>
      <td>${tested(run.test)}</td>
      <td><span class=${`state ${run.state}`}>${t(`runs.state.${run.state}`)}</span></td>
      <td class="number">${ago(run.changed)}</td>
      <td class="actions">
        ${usable && run.state === "training" && html`<a href=${address("train", run.name)}>${t("runs.watch")}<span class="unseen"> ${run.name}</span></a>`}
        ${usable && run.state === "interrupted" && html`<a href=${address("train", run.name)}>${t("runs.resume")}<span class="unseen"> ${run.name}</span></a>`}
        ${usable && run.trained && html`<a href=${address("try", run.name)}>${t("try.title")}<span class="unseen"> ${run.name}</span></a>`}
        ${usable && run.trained && html`<a href=${address("inside", run.name)}>${t("inside.title")}<span class="unseen"> ${run.name}</span></a>`}
      </td>
    </tr>
  `;
}

function comparing({ by, down }) {
  const key = (run) => (by === "test" ? tested(run.test) : run[by]);
  return (a, b) => {
    const [one, two] = [key(a), key(b)];
    if (one === null || two === null) return (one === null) - (two === null); // what is not known comes last, either way
    return (down ? -1 : 1) * (typeof one === "string" ? one.localeCompare(two, undefined, { numeric: true }) : one - two);
  };
}

/** The first figure that is measured, not counted: what the task is judged by, or nearly so. */
function tested(figures) {
  const found = Object.entries(figures ?? {}).find(([, value]) => typeof value === "number" && !Number.isInteger(value));
  return found ? `${found[0].replaceAll("_", " ")} ${number(found[1])}` : "–";
}

function ago(seconds) {
  const since = Math.max(0, Date.now() / 1000 - seconds);
  const units = [[86400, "days"], [3600, "hours"], [60, "minutes"]];
  const [size, unit] = units.find(([length]) => since >= length) ?? [1, null];
  return unit ? t(`runs.ago.${unit}`, { n: Math.floor(since / size) }) : t("runs.ago.now");
}
