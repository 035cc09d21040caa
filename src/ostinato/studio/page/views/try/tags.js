// A tag for each word: in colour, and written below it.
import { html } from "../../lib/ui.js";
import { Command } from "../../lib/parts.js";
import { SERIES_COLOURS } from "../../lib/chart.js";
import { t } from "../../lib/i18n.js";
import { useAsked } from "./asked.js";
import { quoted } from "./shell.js";

export function Tags({ path, about }) {
  const { text, field, data, come } = useAsked(`${path}/tags`, t("try.tags.example"), t("try.text"), t("try.tags.help"));
  const seen = [...new Set((data?.sentences ?? []).flat().map((one) => one.tag))];
  // a tag keeps its colour, whatever else the text has; of BIO both B-X and I-X have that of X
  const kinds = [...new Set((data?.tags ?? []).map(kind))];
  const colour = (tag) => `var(--series-${(Math.max(0, kinds.indexOf(kind(tag))) % SERIES_COLOURS) + 1})`;
  return html`
    ${field}
    ${data && html`
      <section class="card" aria-label=${t("try.tags")} aria-live="polite">
        ${data.sentences.map((sentence) => html`
          <p class="tagged">
            ${sentence.map(({ word, tag }) => html`<span class=${`word${tag === "O" ? " none" : ""}`} style=${{ "--tag": colour(tag) }}>${word}<span class="tag">${tag}</span></span> `)}
          </p>
        `)}
        <p class="quiet">${t("try.tags.seen", { n: seen.length })}</p>
      </section>
    `}
    ${come && html`<${Command} line=${`ostinato predict ${quoted(about.run)} ${quoted(text)}`} />`}
  `;
}

const kind = (tag) => tag.replace(/^[BIES]-/, "");
