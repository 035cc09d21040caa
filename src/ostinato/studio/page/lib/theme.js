// Light, dark, or as the system has it. Colours are CSS variables of style/base.css; canvases read them by `colour`.
import { useEffect, useState } from "preact/hooks";

export const THEMES = ["system", "light", "dark"];
const KEY = "ostinato.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set();
let current = THEMES.includes(localStorage.getItem(KEY)) ? localStorage.getItem(KEY) : "system";
dark.addEventListener("change", apply);
apply();

function apply() {
  document.documentElement.dataset.theme = current === "system" ? (dark.matches ? "dark" : "light") : current;
  for (const listener of listeners) listener();
}

export function chooseTheme(name) {
  current = name;
  localStorage.setItem(KEY, name);
  apply();
}

/** The choice; the component is drawn again when it, or the system, changes. */
export function useTheme() {
  const [, again] = useState(0);
  useEffect(() => {
    const changed = () => again((count) => count + 1);
    listeners.add(changed);
    return () => listeners.delete(changed);
  }, []);
  return current;
}

/** "light" or "dark", whichever is seen now. */
export const shade = () => document.documentElement.dataset.theme;

/** The value of a CSS variable, such as `colour("--accent")`. */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
