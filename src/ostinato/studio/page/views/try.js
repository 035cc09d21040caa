// Try: #/try chooses a run, #/try/NAME tries it, each task in its own way.
import { html, useAnswer, useMemo } from "../lib/ui.js";
import { Failure, Field, Waiting } from "../lib/parts.js";
import { get } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { go } from "../lib/router.js";
import { Captions } from "./try/captions.js";
import { Forecast } from "./try/forecast.js";
import { Sequence } from "./try/sequence.js";
import { Tags } from "./try/tags.js";
import { Translation } from "./try/translation.js";
import { Words } from "./try/words.js";
import { Writing } from "./try/writing.js";

export const title = "try.title";
export const route = "try";

const WAYS = { lm: Writing, classify: Words, regress: Words, tag: Tags, translate: Translation, forecast: Forecast, caption: Captions };

export function render({ parts }) {
  const name = parts[0];
  const { data, error, again } = useAnswer((signal) => get("/studio/runs", signal), []);
  const usable = useMemo(() => (data?.runs ?? []).filter((run) => run.state !== "damaged" && run.trained), [data]);
  return html`
    <h1>${t("try.heading")}</h1>
    <${Failure} error=${error} again=${again} />
    ${!data && !error && html`<${Waiting} />`}
    ${data &&
    (usable.length
      ? html`<${Field} label=${t("try.run")}>
          ${(id) => html`
            <select id=${id} value=${name ?? ""} onChange=${(event) => event.target.value && go("try", event.target.value)}>
              <option value="">${t("try.choose")}</option>
              ${usable.map((run) => html`<option value=${run.name}>${run.name} – ${t(`task.${run.task}`)}</option>`)}
            </select>
          `}
        <//>`
      : html`<p>${t("try.none")} <a href="#/train">${t("runs.first")}</a></p>`)}
    ${name && html`<${Trying} key=${name} name=${name} />`}
  `;
}

function Trying({ name }) {
  const path = `/studio/try/${encodeURIComponent(name)}`;
  const { data, error, again } = useAnswer((signal) => get(path, signal), [name]);
  if (error) return html`<${Failure} error=${error} again=${again} />`;
  if (!data) return html`<${Waiting} what=${t("try.loading")} />`;
  const Way = WAYS[data.task] === Words && !data.texts ? Sequence : WAYS[data.task];
  if (!Way) return html`<p class="card">${t("try.unknown", { task: data.task })}</p>`;
  return html`<${Way} name=${name} path=${path} about=${data} />`;
}
