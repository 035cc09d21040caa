// The viewer's words where there is no page around it that has them: in a notebook.
import en from "../strings/en/inside.js";
import ko from "../strings/ko/inside.js";

/** A function that gives the text of a key, with {name} in it replaced. */
export function wordsOf(language) {
  const chosen = language.startsWith("ko") ? ko : en;
  return (key, values = {}) =>
    (chosen[key] ?? en[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}
