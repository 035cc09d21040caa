// A text to answer, asked as it is typed: what several tasks begin with.
import { html, useAnswer, useSettled, useState } from "../../lib/ui.js";
import { Failure, Field } from "../../lib/parts.js";
import { post } from "../../lib/api.js";

/** The field, and what the server answers to the text: { text, field, data, waiting }. `data` belongs to `data.asked`. */
export function useAsked(path, first, label, help, more = {}) {
  const [text, setText] = useState(first);
  const settled = useSettled(text, 350);
  const key = JSON.stringify(more);
  const found = useAnswer(
    async (signal) => (settled.trim() ? { ...(await post(path, { text: settled, ...more }, signal)), asked: settled } : null),
    [path, settled, key],
  );
  const field = html`
    <div class="card">
      <${Field} label=${label} help=${help}>
        ${(id, about) => html`<textarea id=${id} aria-describedby=${about} rows="4" value=${text} onInput=${(event) => setText(event.target.value)}></textarea>`}
      <//>
    </div>
    <${Failure} error=${found.error} again=${found.again} />
  `;
  return { text, field, data: found.data, waiting: found.waiting };
}
