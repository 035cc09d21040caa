// How a series goes on, with intervals; what is known ahead can be set otherwise.
import { html, useAnswer, useMemo, useSettled, useState } from "../../lib/ui.js";
import { Command, Failure, Field, Waiting } from "../../lib/parts.js";
import { Chart } from "../../lib/chart.js";
import { post } from "../../lib/api.js";
import { number, t } from "../../lib/i18n.js";
import { colour, useTheme } from "../../lib/theme.js";
import { uploaded } from "../train/drop.js";
import { Slider, Whole } from "./writing.js";
import { quoted } from "./shell.js";

export function Forecast({ path, about }) {
  const [asked, setAsked] = useState({ series: 0, steps: about.horizon, upload: null, future: {} });
  const [error, setError] = useState(null);
  const settled = useSettled(asked, 200);
  const found = useAnswer((signal) => post(`${path}/forecast`, settled, signal), [settled]);
  const set = (key, value) => setAsked({ ...asked, [key]: value });
  const take = async (event) => {
    setError(null);
    try {
      const [file] = event.target.files;
      const taken = file ? await uploaded(file) : null;
      setAsked({ ...asked, series: 0, upload: taken?.id ?? null });
    } catch (problem) {
      setError(problem);
    }
  };
  const { data } = found;
  return html`
    <div class="card fields">
      ${data && data.series.length > 1 && html`
        <${Field} label=${t("try.series")}>
          ${(id) => html`<select id=${id} value=${asked.series} onChange=${(event) => set("series", Number(event.target.value))}>${data.series.map((key, n) => html`<option value=${n}>${key || n + 1}</option>`)}</select>`}
        <//>
      `}
      <${Whole} label=${t("try.steps")} value=${asked.steps} min="1" max="2000" set=${(value) => set("steps", value)} />
      <${Field} label=${t("try.table")} help=${t("try.table.help")}>
        ${(id, help) => html`<input type="file" id=${id} aria-describedby=${help} onChange=${take} />`}
      <//>
      ${data?.future.map((knob) => html`<${Knob} key=${knob.name} knob=${knob} value=${asked.future[knob.name]} set=${(value) => set("future", { ...asked.future, [knob.name]: value })} />`)}
    </div>
    <${Failure} error=${error ?? found.error} again=${found.again} />
    ${!data && found.waiting && html`<${Waiting} />`}
    ${data && data.targets.map((target) => html`<${Ahead} key=${target} data=${data} target=${target} />`)}
    ${(data || error || found.error) && html`<${Command} line=${`ostinato predict ${quoted(about.run)} ${t("try.table.word")}${asked.steps === about.horizon ? "" : ` --steps ${asked.steps}`}`} />`}
  `;
}

/** One column that is known ahead: the same for all steps. */
function Knob({ knob, value, set }) {
  if (knob.choices) {
    return html`
      <${Field} label=${t("try.future", { name: knob.name })}>
        ${(id) => html`<select id=${id} value=${value ?? ""} onChange=${(event) => set(event.target.value)}><option value="">${t("try.future.same")}</option>${knob.choices.map((choice) => html`<option value=${choice}>${choice}</option>`)}</select>`}
      <//>
    `;
  }
  const span = knob.high - knob.low || 1;
  const whole = Number.isInteger(knob.low) && Number.isInteger(knob.high) && span > 3;
  return html`<${Slider} label=${t("try.future", { name: knob.name })} value=${value ?? knob.ahead.find(Number.isFinite) ?? knob.low} min=${knob.low} max=${knob.high} step=${whole ? 1 : span / 200} set=${set} />`;
}

function Ahead({ data, target }) {
  const theme = useTheme();
  const drawn = useMemo(() => curves(data, target), [data, target, theme]);
  const rows = data.ahead.slice(0, 200);
  const columns = [...data.times, ...Object.keys(rows[0] ?? {}).filter((name) => name === target || name.startsWith(`${target}_`))];
  return html`
    <section aria-label=${target}>
      <h2>${target}</h2>
      <${Chart} ...${drawn} y=${target} x=${t("try.rows")} height=${360} label=${t("try.forecast.spoken", { target, n: rows.length, first: number(rows[0]?.[target]), last: number(rows.at(-1)?.[target]) })} />
      <details>
        <summary>${t("try.forecast.table")}</summary>
        <div class="scroller" tabindex="0" role="region" aria-label=${t("try.forecast.table")}>
          <table>
            <thead><tr>${columns.map((name) => html`<th scope="col" class="number">${name}</th>`)}</tr></thead>
            <tbody>${rows.map((row) => html`<tr>${columns.map((name) => html`<td class="number">${typeof row[name] === "number" ? number(row[name], 5) : row[name]}</td>`)}</tr>`)}</tbody>
          </table>
        </div>
      </details>
    </section>
  `;
}

/** What came, what is forecast, and the intervals, the widest first. */
function curves(data, target) {
  const past = data.past.values[target];
  const ahead = data.ahead;
  const begin = past.length;
  const levels = Object.keys(ahead[0] ?? {}).filter((name) => name.startsWith(`${target}_high_`)).map((name) => name.slice(`${target}_high_`.length))
    .sort((a, b) => b - a);
  const xs = [...past.keys(), ...ahead.map((_, n) => begin + n)].map((n) => n - begin + 1);
  const before = new Array(begin - 1).fill(null);
  const last = past[begin - 1];
  const onwards = (name) => [...before, last, ...ahead.map((row) => row[name])]; // from where the past ends
  const columns = [[...past, ...new Array(ahead.length).fill(null)], onwards(target)];
  const series = [{ label: t("try.past"), colour: colour("--text"), width: 1.6 }, { label: t("try.ahead"), colour: colour("--accent"), width: 2.2 }];
  const bands = [];
  for (const level of levels) {
    for (const side of ["high", "low"]) {
      columns.push(onwards(`${target}_${side}_${level}`));
      series.push({ label: `${level} % ${t(`try.${side}`)}`, colour: colour("--accent"), width: 0.6 });
    }
    bands.push([series.length - 1, series.length]);
  }
  return { data: [xs, ...columns], series, bands };
}
