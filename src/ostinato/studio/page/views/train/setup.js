// From a file that is dropped to a training that starts: what the file seems to be, shown on its first rows, what can be
// changed of it, and the command that does the same.
import { html, useAnswer, useEffect, useMemo, useSettled, useState } from "../../lib/ui.js";
import { Command, Failure, Field, Waiting } from "../../lib/parts.js";
import { get, post } from "../../lib/api.js";
import { t } from "../../lib/i18n.js";
import { go } from "../../lib/router.js";
import { DropZone, uploaded } from "./drop.js";
import { Options } from "./options.js";
import { Preview } from "./preview.js";

export function Setup() {
  const tasks = useAnswer((signal) => get("/studio/tasks", signal), []);
  const [files, setFiles] = useState([]);
  const [busy, setBusy] = useState(null); // share of an upload that is done
  const [error, setError] = useState(null);
  const take = async (dropped) => {
    setError(null);
    setBusy(0);
    try {
      const taken = [];
      for (const file of [...dropped].slice(0, 2)) taken.push(await uploaded(file, setBusy));
      setFiles(taken);
    } catch (problem) {
      setError(problem);
    }
    setBusy(null);
  };
  return html`
    <h1>${t("train.heading")}</h1>
    <${DropZone} take=${take} busy=${busy} files=${files} />
    <${Failure} error=${error ?? tasks.error} again=${tasks.error ? tasks.again : undefined} />
    ${files.length > 0 && tasks.data && html`<${Guessed} key=${files.map((file) => file.id).join()} files=${files} tasks=${tasks.data} />`}
  `;
}

function Guessed({ files, tasks }) {
  const [first, second] = files;
  const found = useAnswer((signal) => get(`/studio/uploads/${first.id}/guess${second ? `?with=${second.id}` : ""}`, signal), []);
  if (found.error) return html`<${Failure} error=${found.error} />`;
  if (!found.data) return html`<${Waiting} what=${t("train.looking")} />`;
  return html`<${Form} files=${files} guess=${found.data} tasks=${tasks} />`;
}

function Form({ files, guess, tasks }) {
  const likely = Object.keys(guess.tasks);
  const [task, setTask] = useState(likely[0]);
  const [given, setGiven] = useState(guess.tasks[likely[0]]);
  const [name, setName] = useState("");
  const [starting, setStarting] = useState(null);
  const [said, setSaid] = useState(null);
  const runs = useAnswer((signal) => get("/studio/runs", signal), []);
  useEffect(() => {
    if (runs.data) setName((typed) => typed || free(files[0].name, runs.data.runs));
  }, [runs.data]);
  const change = (next) => {
    setTask(next);
    setGiven(guess.tasks[next] ?? {});
  };
  const choice = useMemo(
    () => ({ task, data: files.map((file) => file.id), name: name.trim(), options: given }),
    [task, files, name, given],
  );
  const settled = useSettled(choice, 200);
  const command = useAnswer((signal) => (settled.name ? post("/studio/command", settled, signal) : Promise.resolve(null)), [settled]);
  const start = async (event) => {
    event.preventDefault();
    setStarting(true);
    setSaid(null);
    try {
      await post("/studio/trainings", choice);
      go("train", choice.name);
    } catch (problem) {
      setSaid(problem);
      setStarting(false);
    }
  };
  return html`
    <form onSubmit=${start}>
      <section class="card" aria-labelledby="seems">
        <h2 id="seems" class="first">${t("train.seems", { what: t(`train.kind.${guess.kind}`) })}</h2>
        <div class="fields">
          <${Field} label=${t("train.task")} help=${tasks[task].about}>
            ${(id, about) => html`
              <select id=${id} aria-describedby=${about} value=${task} onChange=${(event) => change(event.target.value)}>
                <optgroup label=${t("train.likely")}>${likely.map((one) => html`<option value=${one}>${t(`task.${one}`)}</option>`)}</optgroup>
                <optgroup label=${t("train.unlikely")}>
                  ${Object.keys(tasks).filter((one) => !likely.includes(one)).map((one) => html`<option value=${one}>${t(`task.${one}`)}</option>`)}
                </optgroup>
              </select>
            `}
          <//>
          <${Field} label=${t("train.name")} help=${t("train.name.help")}>
            ${(id, about) => html`<input id=${id} aria-describedby=${about} value=${name} required maxlength="80" onInput=${(event) => setName(event.target.value)} />`}
          <//>
        </div>
        <${Preview} guess=${guess} options=${tasks[task].options} given=${given} change=${setGiven} />
      </section>
      <${Options} key=${task} options=${tasks[task].options.filter((option) => !guess.columns.length || !option.kind.startsWith("column"))} given=${given} change=${setGiven} />
      <${Failure} error=${said ?? command.error} />
      <div class="row">
        <button class="primary" disabled=${starting || Boolean(command.error) || !name.trim()}>${starting ? t("train.starting") : t("train.start")}</button>
      </div>
      ${command.data && !command.error && html`<${Command} line=${command.data.command} />`}
    </form>
  `;
}

/** A name for the run that no other has, made of the file's. */
function free(file, runs) {
  const stem = (file.replace(/\.(gz|bz2|xz)$/i, "").replace(/\.[^.]*$/, "").replace(/[^\p{L}\p{N} .+-]+/gu, "-").replace(/^[^\p{L}\p{N}]+/u, "") || "run").slice(0, 60).trim();
  const taken = new Set(runs.map((run) => run.name));
  let name = stem;
  for (let number = 2; taken.has(name); number++) name = `${stem}-${number}`;
  return name;
}
