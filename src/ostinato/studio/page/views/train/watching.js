// A training while it runs: its course, how long it takes, what it has learned so far; to stop and to go on.
import { html, useMemo, useState } from "../../lib/ui.js";
import { Command, Failure, Field, Waiting } from "../../lib/parts.js";
import { useCourses } from "../../lib/courses.js";
import { post } from "../../lib/api.js";
import { count, duration, number, t } from "../../lib/i18n.js";
import { address } from "../../lib/router.js";
import { Curves } from "../runs/curves.js";
import { Samples } from "./samples.js";

export function Watching({ name }) {
  const names = useMemo(() => [name], [name]);
  const { runs, courses, trainings, lost } = useCourses(names);
  const [error, setError] = useState(null);
  const state = trainings[name];
  const lines = courses[name] ?? [];
  const run = runs?.find((one) => one.name === name);
  if (runs === null) return html`<h1>${name}</h1>${lost ? html`<${Failure} error=${{ title: t("train.lost"), detail: t("train.lost.detail", { name }) }} />` : html`<${Waiting} />`}`;
  const running = state?.running || run?.state === "training";
  const act = (what, body) => async () => {
    setError(null);
    try {
      await post(`/studio/trainings/${encodeURIComponent(name)}/${what}`, body);
    } catch (problem) {
      setError(problem);
    }
  };
  return html`
    <h1>${name} <span class=${`state ${running ? "training" : ""}`} role="status">${said(state, run, lines, running)}</span></h1>
    ${lost && html`<${Failure} error=${{ title: t("error.unreached"), detail: t("error.unreached.detail") }} />`}
    <${Failure} error=${error} />
    ${state?.error && html`<${Failure} error=${{ title: t("train.failed"), detail: state.error }} />`}
    <${Standing} lines=${lines} state=${state} running=${running} />
    <div class="row">
      ${state?.running && html`<button type="button" onClick=${act("stop")}>${t("train.stop")}</button>`}
      ${!running && html`<${Further} finished=${run?.state === "finished"} act=${act} />`}
      ${run?.trained && html`<a href=${address("try", name)}>${t("try.title")}</a><a href=${address("inside", name)}>${t("inside.title")}</a>`}
      <a href="#/runs">${t("train.all")}</a>
    </div>
    <${Curves} names=${names} courses=${courses} />
    ${run && html`<${Samples} name=${name} task=${run.task} data=${state?.data} running=${running} validations=${lines.filter((line) => "best" in line).length} />`}
    ${state?.command && html`<${Command} line=${state.command} />`}
  `;
}

function said(state, run, lines, running) {
  if (running) return lines.length ? t("runs.state.training") : t("train.reading");
  if (state?.error) return t("train.state.failed");
  return run ? t(`runs.state.${run.state}`) : t("train.state.ended");
}

/** Where it stands, in figures; each has its place from the start. */
function Standing({ lines, state, running }) {
  const trained = lines.findLast((line) => line.loss !== undefined);
  const validated = lines.findLast((line) => line.valid_loss !== undefined);
  const last = lines.at(-1);
  const speed = trained && Object.entries(trained).find(([key]) => key.endsWith("_per_second"));
  const figures = [
    ["train.figure.loss", number(trained?.loss)],
    ["train.figure.valid_loss", number(validated?.valid_loss)],
    ["train.figure.epoch", last ? count(last.epoch) : "–"],
    ["train.figure.step", last ? count(last.step) : "–"],
    ["train.figure.left", running ? duration(state?.left) : "–"],
    ["train.figure.seconds", duration(last?.seconds)],
    ["train.figure.speed", speed ? `${count(Math.round(speed[1]))} ${speed[0].replace("_per_second", "")}/s` : "–"],
  ];
  return html`
    <dl class="figures">${figures.map(([key, value]) => html`<div key=${key}><dt>${t(key)}</dt><dd>${value}</dd></div>`)}</dl>
    <p class="quiet about">${state?.about ?? ""}</p>
  `;
}

function Further({ finished, act }) {
  const [epochs, setEpochs] = useState("");
  const body = epochs === "" ? {} : { epochs: Number(epochs) };
  return html`
    <form class="row" onSubmit=${(event) => (event.preventDefault(), act("resume", body)())}>
      <${Field} label=${t("train.further.epochs")}>
        ${(id) => html`<input id=${id} type="number" min="1" step="1" required=${finished} value=${epochs} onInput=${(event) => setEpochs(event.target.value)} />`}
      <//>
      <button>${t("train.resume")}</button>
    </form>
  `;
}
