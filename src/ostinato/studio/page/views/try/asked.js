// A text to answer, asked as it is typed: what several tasks begin with.
import { html, useAnswer, useSettled, useState } from "../../lib/ui.js";
import { Failure, Field } from "../../lib/parts.js";
import { post } from "../../lib/api.js";

const NONE = {};

/**
 * The field, and what the server answers to the text: { text, set, entry, failure, field, data, come }. `data` belongs to
 * `data.asked`; `come` says that they, or a failure, are there: what stands below waits for that, or it would jump.
 * `field` is a card with both, `entry` and `failure` stand in one of another kind.
 * @param listening  listeners of the field
 * @param more       what is sent beside the text
 */
export function useAsked(path, first, label, help, listening = NONE, more = NONE) {
  const [text, set] = useState(first);
  const settled = useSettled(text, 350);
  const key = JSON.stringify(more);
  const found = useAnswer(
    async (signal) => (settled.trim() ? { ...(await post(path, { text: settled, ...more }, signal)), asked: settled } : null),
    [path, settled, key],
  );
  const entry = html`
    <${Field} label=${label} help=${help}>
      ${(id, about) => html`<textarea id=${id} aria-describedby=${about} rows="4" value=${text} onInput=${(event) => set(event.target.value)} ...${listening}></textarea>`}
    <//>
  `;
  const failure = html`<${Failure} error=${found.error} again=${found.again} />`;
  const field = html`<div class="card">${entry}</div>${failure}`;
  return { text, set, entry, failure, field, data: found.data, come: Boolean(found.data || found.error) };
}
