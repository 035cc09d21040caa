// Two runs side by side: what they have in different ways, of options, data and versions.
import { html, useAnswer, useMemo } from "../../lib/ui.js";
import { Failure, Waiting } from "../../lib/parts.js";
import { get } from "../../lib/api.js";
import { number, t } from "../../lib/i18n.js";

export function Comparison({ names }) {
  const { data, error, again } = useAnswer(
    (signal) => Promise.all(names.map((name) => get(`/studio/runs/${encodeURIComponent(name)}`, signal))),
    [names.join("\n")],
  );
  const rows = useMemo(() => (data ? differing(data) : []), [data]);
  if (error) return html`<${Failure} error=${error} again=${again} />`;
  if (!data) return html`<${Waiting} />`;
  return html`
    <section aria-labelledby="side-by-side">
      <h2 id="side-by-side">${t("runs.compare", { one: names[0], two: names[1] })}</h2>
      <div class="scroller" tabindex="0" role="region" aria-labelledby="side-by-side">
        <table>
          <thead><tr><th scope="col">${t("runs.compare.what")}</th>${data.map((run) => html`<th scope="col">${run.name}</th>`)}</tr></thead>
          <tbody>
            ${rows.map(([name, one, two]) => html`<tr key=${name}><th scope="row">${name}</th><td>${said(one)}</td><td>${said(two)}</td></tr>`)}
          </tbody>
        </table>
      </div>
      ${rows.length === 0 && html`<p>${t("runs.compare.same")}</p>`}
    </section>
  `;
}

function differing(runs) {
  const flat = runs.map((run) => ({
    [t("runs.task")]: run.task,
    [t("runs.valid_loss")]: run.valid_loss,
    [t("runs.steps")]: run.steps,
    [t("runs.epochs")]: run.epochs,
    [t("runs.compare.seconds")]: run.position?.seconds && Math.round(run.position.seconds),
    ...run.options,
    ...prefixed("model", run.model ?? {}),
    [t("runs.compare.data")]: run.data?.train?.files?.join(", "),
    ...prefixed("", run.versions ?? {}),
  }));
  const names = [...new Set(flat.flatMap(Object.keys))];
  return names
    .filter((name) => JSON.stringify(flat[0][name] ?? null) !== JSON.stringify(flat[1][name] ?? null))
    .map((name) => [name.replaceAll("_", " "), flat[0][name], flat[1][name]]);
}

const prefixed = (word, values) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => typeof value !== "object").map(([name, value]) => [`${word} ${name}`.trim(), value]));

function said(value) {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value === "number") return number(value, 6);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
