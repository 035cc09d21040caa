import { html } from "../lib/ui.js";
import { t } from "../lib/i18n.js";

export const title = "runs.title";
export const route = "runs";

export function render() {
  return html`<h1>${t(title)}</h1>`;
}
