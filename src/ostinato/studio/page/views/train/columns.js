// Several columns in one option: names with commas between, as a line of CSV.

export function named(text) {
  const names = [];
  let name = "";
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (quoted && sign === '"' && text[at + 1] === '"') name += text[++at];
    else if (sign === '"') quoted = !quoted;
    else if (sign === "," && !quoted) {
      names.push(name.trim());
      name = "";
    } else name += sign;
  }
  return text ? [...names, name.trim()] : [];
}

export const joined = (names) => names.map((name) => (/[",]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name)).join(",");

/** The option that names two columns, of sources and of targets. */
export const PAIR = "columns";
