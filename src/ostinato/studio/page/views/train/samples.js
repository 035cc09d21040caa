// What a model has learned so far: after each validation it writes, or answers the first rows of its data.
import { html, useAnswer, usePaced } from "../../lib/ui.js";
import { get, post } from "../../lib/api.js";
import { t } from "../../lib/i18n.js";

const SHOWN = 5;
const PACE = 10_000; // milliseconds: while it trains, each sample takes the processor from it

export function Samples({ name, task, data, validations, running }) {
  const due = usePaced(validations, running ? PACE : 0);
  const found = useAnswer(
    async (signal) => (due ? (ASKING[task] ? ASKING[task](name, data, signal) : null) : null),
    [name, task, due],
  );
  if (!ASKING[task]) return null;
  return html`
    <section aria-labelledby="samples">
      <h2 id="samples">${t(task === "lm" ? "train.samples.text" : "train.samples.answers")}</h2>
      <div class="samples" aria-live="off">
        ${found.data ? found.data : html`<p class="quiet">${found.error ? found.error.detail : t("train.samples.none")}</p>`}
      </div>
    </section>
  `;
}

const run = (name) => `/v1/runs/${encodeURIComponent(name)}`;

const ASKING = {
  async lm(name, data, signal) {
    const { text } = await post(`${run(name)}/generate`, { prompt: "", length: 300, temperature: 0.8, seed: 1 }, signal);
    return html`<pre class="written">${text}</pre>`;
  },
  classify: (name, data, signal) => answered(name, data, signal, "text", "label", (one) => one.label ?? JSON.stringify(one)),
  regress: (name, data, signal) => answered(name, data, signal, "text", "target", (one) => JSON.stringify(one)),
  translate: (name, data, signal) => answered(name, data, signal, null, null, String),
};

/** Answers to the first rows of what was dropped, beside what stands there. */
async function answered(name, data, signal, input, output, say) {
  if (!data) return null;
  const [guess, details] = await Promise.all([
    get(`/studio/uploads/${data[0]}/guess${data[1] ? `?with=${data[1]}` : ""}`, signal),
    get(`/studio/runs/${encodeURIComponent(name)}`, signal),
  ]);
  const { options } = details;
  const column = (option, place) => (option && guess.columns.includes(options[option]) ? guess.columns.indexOf(options[option]) : place);
  const pair = options.columns ? options.columns.split(",") : [];
  const from = input ? column(input, -1) : Math.max(0, guess.columns.indexOf(pair[0]));
  const to = output ? column(output, -1) : Math.max(1, guess.columns.indexOf(pair[1]));
  const rows = from < 0 ? [] : guess.rows.filter((row) => row[from]).slice(0, SHOWN);
  if (!rows.length) return null;
  const { outputs } = await post(`${run(name)}/answer`, { inputs: rows.map((row) => row[from]) }, signal);
  return html`
    <div class="scroller" tabindex="0" role="region" aria-label=${t("train.samples.answers")}>
      <table>
        <thead><tr><th scope="col">${t("train.samples.input")}</th><th scope="col">${t("train.samples.answer")}</th><th scope="col">${t("train.samples.there")}</th></tr></thead>
        <tbody>${rows.map((row, n) => html`<tr><td>${row[from]}</td><td>${say(outputs[n])}</td><td>${to >= 0 ? row[to] : ""}</td></tr>`)}</tbody>
      </table>
    </div>
  `;
}
