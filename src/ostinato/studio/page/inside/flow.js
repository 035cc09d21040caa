// The gradient on its way back: its norm by each state, at each step, on a logarithmic scale.
import { element } from "./elements.js";

const COLOURS = { light: ["#a23f08", "#0b5cad", "#19743f", "#8a3ca3"], dark: ["#f4a46c", "#7cb8ff", "#7fd39b", "#d3a0ea"] };
const HEIGHT = 150;
const LEFT = 44;
const BOTTOM = 22;
const MOST_STEPS = 120;
const SMALLEST = 1e-12;

/** Lines { name, norms } of an answer to "back". */
export function linesOf({ places }, t) {
  const several = places.length > 1;
  return places.flatMap(({ label, fields }) =>
    fields.map(({ name, norms }) => ({ name: t("inside.by", { state: several ? `${name}, ${label}` : name }), norms })),
  );
}

/** Powers of ten that hold all the lines, those of the runs beside it too: they are to be compared. */
export function decadesOf(lines) {
  const found = lines.flatMap(({ norms }) => norms.slice(-MOST_STEPS)).filter((norm) => norm > 0);
  if (!found.length) return [-1, 0];
  const least = Math.max(SMALLEST, found.reduce((one, other) => Math.min(one, other)));
  const most = found.reduce((one, other) => Math.max(one, other));
  return [Math.floor(Math.log10(least)), Math.max(Math.floor(Math.log10(least)) + 1, Math.ceil(Math.log10(Math.max(most, least))))];
}

export class Flow {
  constructor(t) {
    this.t = t;
    this.canvas = element("canvas", { role: "img" });
    this.legend = element("ul", { class: "legend" });
    this.root = element("figure", { class: "flow" }, element("figcaption", {}, t("inside.flow")), this.canvas, this.legend);
  }

  /** @param ink  of axes and words, as the text about it has it */
  draw(lines, [low, high], shade, ink) {
    const { canvas } = this;
    const width = Math.max(120, canvas.clientWidth);
    const ratio = window.devicePixelRatio || 1;
    canvas.width = width * ratio;
    canvas.height = HEIGHT * ratio;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.font = "11px system-ui, sans-serif";
    const steps = Math.min(MOST_STEPS, Math.max(2, ...lines.map(({ norms }) => norms.length)));
    const x = (back) => width - 8 - ((width - LEFT - 8) * back) / (steps - 1);
    const y = (norm) => 6 + ((HEIGHT - BOTTOM - 6) * (high - Math.log10(Math.max(SMALLEST, norm)))) / (high - low);
    this.axes(pen, { low, high, steps, x, y, width, ink });
    this.legend.replaceChildren();
    lines.forEach(({ name, norms }, number) => {
      const colour = COLOURS[shade][number % 4];
      pen.strokeStyle = colour;
      pen.lineWidth = 2;
      pen.setLineDash(number % 2 ? [5, 3] : []);
      pen.beginPath();
      for (let back = 0; back < Math.min(steps, norms.length); back++) {
        pen.lineTo(x(back), Math.min(HEIGHT - BOTTOM, y(norms.at(-1 - back))));
      }
      pen.stroke();
      const swatch = element("i", {});
      swatch.style.background = colour;
      this.legend.append(element("li", {}, swatch, name));
    });
    const said = lines.map(({ name, norms }) => this.t("inside.flow.said", {
      name, here: norms.at(-1)?.toPrecision(2), first: norms.at(-Math.min(steps, norms.length))?.toPrecision(2),
      steps: Math.min(steps, norms.length) - 1,
    }));
    canvas.setAttribute("aria-label", `${this.t("inside.flow")}: ${said.join("; ")}`);
  }

  axes(pen, { low, high, steps, x, y, width, ink }) {
    pen.fillStyle = ink;
    pen.strokeStyle = ink;
    pen.lineWidth = 1;
    const every = Math.max(1, Math.ceil((high - low) / 5));
    for (let power = high; power >= low; power -= every) {
      const height = y(10 ** power);
      pen.globalAlpha = 0.2;
      pen.strokeRect(LEFT, Math.round(height) + 0.5, width - LEFT - 8, 0);
      pen.globalAlpha = 1;
      pen.textAlign = "right";
      pen.fillText(power >= -2 && power <= 3 ? String(+(10 ** power).toFixed(2)) : `1e${power}`, LEFT - 6, height + 4);
    }
    pen.textAlign = "center";
    const apart = [1, 2, 5, 10, 20, 50].find((one) => (steps - 1) / one <= Math.max(2, width / 70)) ?? 50;
    for (let back = 0; back < steps; back += apart) {
      pen.fillText(back ? `−${back}` : "0", Math.min(width - 14, x(back)), HEIGHT - 6);
    }
  }
}
