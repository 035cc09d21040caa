// Examples to begin with: of what a run was validated on, where that is at hand, or of a file that is dropped.
import { html, useAnswer, useEffect, useState } from "../../lib/ui.js";
import { Failure, Field } from "../../lib/parts.js";
import { post } from "../../lib/api.js";
import { t } from "../../lib/i18n.js";
import { uploaded } from "../train/drop.js";

/**
 * @param begin   whether the first example is chosen unasked
 * @param choose  is given the text of what is chosen
 * @param text    that stands in the field: what is to be said of an example holds as long as it is that example's
 */
export function useExamples({ path, begin, choose, text }) {
  const [upload, setUpload] = useState(null);
  const [error, setError] = useState(null);
  const [chosen, setChosen] = useState(null);
  const found = useAnswer((signal) => post(`${path}/examples`, { upload }, signal), [path, upload]);
  const examples = found.data?.examples ?? [];
  const pick = (number) => {
    setChosen(number);
    choose(examples[number].text);
  };
  useEffect(() => {
    if (examples.length && (begin || upload)) pick(0);
  }, [found.data]);
  const take = async (file) => {
    setError(null);
    try {
      setUpload((await uploaded(file)).id);
    } catch (problem) {
      setError(problem);
    }
  };
  const dropped = {
    onDragOver: (event) => event.preventDefault(),
    onDrop: (event) => {
      event.preventDefault();
      if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
    },
  };
  const here = chosen !== null && examples[chosen]?.text === text ? examples[chosen] : null;
  const field = html`
    <div class="fields">
      <${Field} label=${t("try.examples")} help=${t(upload ? "try.examples.file" : "try.examples.own")}>
        ${(id, about) => html`
          <select id=${id} aria-describedby=${about} value=${here ? chosen : ""} disabled=${!examples.length} onChange=${(event) => event.target.value !== "" && pick(Number(event.target.value))}>
            <option value="">${examples.length ? t("try.choose") : t(found.data ? "try.examples.none" : "waiting")}</option>
            ${examples.map((one, n) => html`<option value=${n}>${titleOf(one)}</option>`)}
          </select>
        `}
      <//>
      <${Field} label=${t("try.examples.other")} help=${t("try.examples.help")}>
        ${(id, about) => html`<input type="file" id=${id} aria-describedby=${about} onChange=${(event) => event.target.files.length && take(event.target.files[0])} />`}
      <//>
    </div>
    <${Failure} error=${error ?? found.error} />
  `;
  return { field, dropped, take, there: here?.there ?? null };
}

const titleOf = ({ name, there, text }) => {
  const words = /\p{L}{2}/u.test(text) ? `: ${text.slice(0, 40).replace(/\s+/g, " ")}…` : "";
  return `${name}${words}${there === null ? "" : ` – ${there}`}`;
};
