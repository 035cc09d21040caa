import { html } from "../lib/ui.js";
import { t } from "../lib/i18n.js";

export const title = "learn.title";
export const route = "learn";

export function render() {
  return html`<h1>${t(title)}</h1>`;
}
