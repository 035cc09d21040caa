// The options of a task: those that people use most, and the rest behind a fold, by what they belong to.
import { html, useState } from "../../lib/ui.js";
import { Failure, Field } from "../../lib/parts.js";
import { t } from "../../lib/i18n.js";
import { uploaded } from "./drop.js";

export function Options({ options, given, change }) {
  const set = (name, value) => {
    const { [name]: _, ...others } = given;
    change(value === null || value === "" ? others : { ...others, [name]: value });
  };
  const control = (option) => html`<${Control} key=${option.name} option=${option} value=${given[option.name]} set=${(value) => set(option.name, value)} />`;
  const rest = options.filter((option) => !option.common);
  const groups = [...new Set(rest.map((option) => option.group))];
  return html`
    <section class="card" aria-labelledby="options">
      <h2 id="options" class="first">${t("train.options")}</h2>
      <div class="fields">${options.filter((option) => option.common).map(control)}</div>
      <details class="fold">
        <summary>${t("train.more", { n: rest.length })}</summary>
        ${groups.map((group) => html`
          <fieldset>
            <legend>${group || t("train.group.own")}</legend>
            <div class="fields">${rest.filter((option) => option.group === group).map(control)}</div>
          </fieldset>
        `)}
      </details>
    </section>
  `;
}

function Control({ option, value, set }) {
  const label = option.name.replaceAll("_", " ") + (option.required ? ` (${t("train.required")})` : "");
  if (option.kind === "flag") {
    const on = value ?? option.default === true;
    return html`
      <div class="field">
        <label class="check"><input type="checkbox" checked=${on} onChange=${() => set(!on === (option.default === true) ? null : !on)} /> ${label}</label>
        <p class="help">${option.help}</p>
      </div>
    `;
  }
  return html`<${Field} label=${label} help=${option.help}>${(id, about) => input(option, value, set, id, about)}<//>`;
}

function input(option, value, set, id, about) {
  const common = { id, "aria-describedby": about, required: option.required };
  if (option.kind === "file") return html`<${FileInput} ...${common} value=${value} set=${set} />`;
  if (option.kind === "choice") {
    const first = option.default === null ? t("train.default.none") : t("train.default", { value: option.default });
    return html`
      <select ...${common} value=${value ?? ""} onChange=${(event) => set(event.target.value)}>
        <option value="">${first}</option>
        ${option.choices.map((name) => html`<option value=${name}>${name}</option>`)}
      </select>
    `;
  }
  const numeric = option.kind === "whole" || option.kind === "number";
  const typed = (event) => set(event.target.value === "" ? null : numeric ? Number(event.target.value) : event.target.value);
  return html`
    <input
      ...${common}
      type=${numeric ? "number" : "text"}
      step=${option.kind === "whole" ? 1 : "any"}
      placeholder=${option.default === null || option.default === "" ? "" : String(option.default)}
      value=${value ?? ""}
      onInput=${typed}
    />
  `;
}

function FileInput({ value, set, ...common }) {
  const [name, setName] = useState("");
  const [error, setError] = useState(null);
  const take = async (event) => {
    const [file] = event.target.files;
    setError(null);
    if (!file) return set(null);
    try {
      const taken = await uploaded(file);
      setName(taken.name);
      set(taken.id);
    } catch (problem) {
      setError(problem);
    }
  };
  return html`<input type="file" ...${common} onChange=${take} />${value && html`<span class="quiet">${name}</span>`}<${Failure} error=${error} />`;
}
