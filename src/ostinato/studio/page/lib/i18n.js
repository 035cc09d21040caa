// The page's words in the reader's language. Strings are looked up by a key; {name} in them is replaced.
import { useEffect, useState } from "preact/hooks";
import en from "../strings/en.js";
import ko from "../strings/ko.js";

export const LANGUAGES = { en: "English", ko: "한국어" };
export const STRINGS = { en, ko };
const listeners = new Set();
let current = stored() ?? (navigator.language.startsWith("ko") ? "ko" : "en");
document.documentElement.lang = current;

function stored() {
  const code = localStorage.getItem("ostinato.language");
  return code in LANGUAGES ? code : null;
}

export const language = () => current;

/** The text of a key. One that the language lacks comes in English, one that nobody has as the key itself. */
export function t(key, values = {}) {
  const text = STRINGS[current][key] ?? en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

export function choose(code) {
  current = code;
  localStorage.setItem("ostinato.language", code);
  document.documentElement.lang = code;
  for (const listener of listeners) listener(code);
}

/** Draw the component again when another language is chosen. */
export function useLanguage() {
  const [code, setCode] = useState(current);
  useEffect(() => {
    listeners.add(setCode);
    return () => listeners.delete(setCode);
  }, []);
  return code;
}

/** A number as people read it, to so many significant digits. */
export function number(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  return new Intl.NumberFormat(current, { maximumSignificantDigits: digits }).format(value);
}

/** A whole number as an exponent. */
export const raised = (power) => [...String(power)].map((sign) => (sign === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign])).join("");

export const count = (value) => new Intl.NumberFormat(current).format(value);

/** Seconds as 42 s, 3:05 or 2:10:00. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  const whole = Math.round(seconds);
  if (whole < 60) return t("unit.seconds", { n: whole });
  const two = (part) => String(part).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
