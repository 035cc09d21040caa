// Learn: six short pages that move; what they show is computed in the page.
import { html, useAnswer } from "../lib/ui.js";
import { Failure, Waiting } from "../lib/parts.js";
import { t } from "../lib/i18n.js";
import { address } from "../lib/router.js";
import { CHAPTERS } from "../learn/chapters.js";

export const title = "learn.title";
export const route = "learn";

export function render({ parts }) {
  const place = CHAPTERS.findIndex(({ name }) => name === parts[0]);
  return place < 0 ? html`<${Contents} />` : html`<${Chapter} key=${parts[0]} place=${place} />`;
}

function Contents() {
  return html`
    <h1>${t(title)}</h1>
    <p>${t("learn.about")}</p>
    <ol class="chapters">
      ${CHAPTERS.map(
        ({ name }) => html`
          <li key=${name} class="card">
            <h2><a href=${address("learn", name)}>${t(`learn.${name}.title`)}</a></h2>
            <p>${t(`learn.${name}.short`)}</p>
          </li>
        `,
      )}
    </ol>
  `;
}

function Chapter({ place }) {
  const { name, load } = CHAPTERS[place];
  const { data, error, again } = useAnswer(load, [name]);
  return html`
    <article class="lesson">
      <p class="quiet"><a href=${address("learn")}>${t(title)}</a> · ${place + 1} / ${CHAPTERS.length}</p>
      <h1>${t(`learn.${name}.title`)}</h1>
      <${Prose} text=${t(`learn.${name}.text`)} />
      <${Failure} error=${error} again=${again} />
      ${data ? html`<${data.Lesson} />` : !error && html`<${Waiting} />`}
      ${(data || error) && html`
        <${Prose} text=${t(`learn.${name}.more`)} />
        <${Neighbours} place=${place} />
      `}
    </article>
  `;
}

/** Paragraphs, in which `words` in backticks are code and W_xh has an index. */
function Prose({ text }) {
  const set = (part) => {
    if (part.startsWith("`")) return html`<code>${part.slice(1, -1)}</code>`;
    return part.startsWith("W_") ? html`<i>W</i><sub>${part.slice(2)}</sub>` : part;
  };
  return text.split("\n").map((paragraph) => html`<p class="prose">${paragraph.split(/(`[^`]+`|W_\w\w)/).map(set)}</p>`);
}

function Neighbours({ place }) {
  const link = (chapter, word) =>
    chapter && html`<a href=${address("learn", chapter.name)}>${t(word)}: ${t(`learn.${chapter.name}.title`)}</a>`;
  return html`
    <nav class="row neighbours" aria-label=${t("learn.pages")}>
      ${link(CHAPTERS[place - 1], "learn.before")}<span></span>${link(CHAPTERS[place + 1], "learn.next")}
    </nav>
  `;
}
