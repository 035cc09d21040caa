// Train: #/train puts a training together, #/train/NAME watches one.
import { html } from "../lib/ui.js";
import { Setup } from "./train/setup.js";
import { Watching } from "./train/watching.js";

export const title = "train.title";
export const route = "train";

export function render({ parts }) {
  return parts[0] ? html`<${Watching} key=${parts[0]} name=${parts[0]} />` : html`<${Setup} />`;
}
