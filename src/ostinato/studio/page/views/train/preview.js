// The first rows of a file, and above each column what it is for: guessed, and to be chosen otherwise.
import { html } from "../../lib/ui.js";
import { t } from "../../lib/i18n.js";
import { PAIR, joined, named } from "./columns.js";

export function Preview({ guess, options, given, change }) {
  const roles = rolesOf(options);
  return html`
    <div class="scroller" tabindex="0" role="region" aria-label=${t("train.rows")}>
      <table class="preview">
        <caption>${t(roles.length && guess.columns.length ? "train.rows.roles" : "train.rows")}</caption>
        ${guess.columns.length > 0 &&
        html`<thead>
          <tr>${guess.columns.map((column) => html`<th scope="col" class=${roleOf(column, roles, given) ? "used" : ""}>${column}</th>`)}</tr>
          ${roles.length > 0 && html`<tr>${guess.columns.map((column) => html`<td class=${roleOf(column, roles, given) ? "used" : ""}><${Role} column=${column} roles=${roles} given=${given} change=${change} /></td>`)}</tr>`}
        </thead>`}
        <tbody>
          ${guess.rows.map((row) => html`<tr>${row.map((cell, n) => html`<td class=${roleOf(guess.columns[n], roles, given) ? "used" : ""}>${cell}</td>`)}</tr>`)}
        </tbody>
      </table>
    </div>
  `;
}

function Role({ column, roles, given, change }) {
  const role = roleOf(column, roles, given);
  const label = (name) => t(`role.${name}`);
  return html`
    <select aria-label=${t("train.role", { column })} value=${role ?? ""} onChange=${(event) => change(assigned(column, event.target.value, roles, given))}>
      <option value="">${t("role.none")}</option>
      ${roles.map(({ name }) => html`<option value=${name}>${label(name)}</option>`)}
    </select>
  `;
}

/** What a column can be for: an option that names columns each; of a pair of columns, each side. */
function rolesOf(options) {
  return options
    .filter((option) => option.kind.startsWith("column"))
    .flatMap((option) => (option.name === PAIR ? ["source", "target"] : [option.name]).map((name) => ({ name, option })));
}

const columnsOf = (role, given) => {
  const names = named(String(given[role.option.name] ?? ""));
  return role.option.name === PAIR ? names.slice(role.name === "source" ? 0 : 1).slice(0, 1) : names;
};

const roleOf = (column, roles, given) => roles.find((role) => columnsOf(role, given).includes(column))?.name;

/** The options once a column is for something else. What takes a single column lets go of the one before. */
function assigned(column, name, roles, given) {
  const next = { ...given };
  const place = Object.fromEntries(roles.map((role) => [role.name, columnsOf(role, given).filter((one) => one !== column)]));
  const taking = roles.find((role) => role.name === name);
  if (taking) place[name] = taking.option.kind === "column" || taking.option.name === PAIR ? [column] : [...place[name], column];
  for (const { option } of roles) {
    const names = option.name === PAIR ? [place.source[0] ?? "", place.target[0] ?? ""] : place[option.name];
    if (names.some(Boolean)) next[option.name] = joined(names);
    else delete next[option.name];
  }
  return next;
}
