import { html } from "../lib/ui.js";
import { t } from "../lib/i18n.js";

export const title = "train.title";
export const route = "train";

export function render() {
  return html`<h1>${t(title)}</h1>`;
}
