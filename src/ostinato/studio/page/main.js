// Draws the frame (navigation, language, theme) around the view that the address names.
import { html, mount, useEffect, useRef } from "./lib/ui.js";
import { Failure } from "./lib/parts.js";
import { LANGUAGES, choose, language, t, useLanguage } from "./lib/i18n.js";
import { useRoute } from "./lib/router.js";
import { THEMES, chooseTheme, useTheme } from "./lib/theme.js";
import { VIEWS } from "./views.js";

function Navigation({ current }) {
  return html`
    <nav aria-label=${t("frame.navigation")}>
      <ul>
        ${VIEWS.map(
          (view) => html`
            <li key=${view.route}>
              <a href=${`#/${view.route}`} aria-current=${view === current ? "page" : undefined}>${t(view.title)}</a>
            </li>
          `,
        )}
      </ul>
    </nav>
  `;
}

function Choices() {
  const theme = useTheme();
  return html`
    <div class="choices">
      <label class="choice">
        <span class="unseen">${t("frame.language")}</span>
        <select value=${language()} onChange=${(event) => choose(event.target.value)}>
          ${Object.entries(LANGUAGES).map(([code, name]) => html`<option value=${code} lang=${code}>${name}</option>`)}
        </select>
      </label>
      <label class="choice">
        <span class="unseen">${t("frame.theme")}</span>
        <select value=${theme} onChange=${(event) => chooseTheme(event.target.value)}>
          ${THEMES.map((name) => html`<option value=${name}>${t(`frame.theme.${name}`)}</option>`)}
        </select>
      </label>
    </div>
  `;
}

function App() {
  useLanguage();
  const route = useRoute();
  const current = VIEWS.find((view) => view.route === route.name) ?? (route.name === "" ? VIEWS[0] : undefined);
  const main = useRef(null);
  const seen = useRef(route.name);
  useEffect(() => {
    document.title = `${current ? t(current.title) : t("frame.nowhere")} – Ostinato`;
    if (seen.current !== route.name) main.current.focus(); // a reader hears where it has come to
    seen.current = route.name;
  });
  return html`
    <a class="skip" href="#main" onClick=${(event) => (event.preventDefault(), main.current.focus())}>
      ${t("frame.skip")}
    </a>
    <header>
      <a class="name" href="#/runs"><img src="/page/icon.svg" alt="" width="24" height="24" /> Ostinato</a>
      <${Navigation} current=${current} />
      <${Choices} />
    </header>
    <main id="main" tabindex="-1" ref=${main}>
      ${current
        ? html`<${current.render} key=${current.route} parts=${route.parts} query=${route.query} />`
        : html`<${Failure} error=${{ detail: t("frame.nowhere.detail", { place: location.hash }) }} />`}
    </main>
  `;
}

mount(html`<${App} />`, document.getElementById("app"));
