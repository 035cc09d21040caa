import { html } from "../lib/ui.js";
import { t } from "../lib/i18n.js";

export const title = "try.title";
export const route = "try";

export function render() {
  return html`<h1>${t(title)}</h1>`;
}
