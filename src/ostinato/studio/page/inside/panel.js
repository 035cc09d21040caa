// One gate, state or output of one layer: units from top to bottom, steps from left to right.
import { palette, rangeOf } from "./colours.js";
import { element } from "./elements.js";

const CELL = 6; // pixels of a step
const TALLEST = 320; // pixels of all units

/** Pixels that so many units take: few are drawn large. */
const heightOf = (units) => Math.min(TALLEST, units * Math.max(1, Math.min(8, Math.round(160 / units))));

/** A layer as people call it: "layer 1, from the end", or "encoder, layer 1" where the model has several parts. */
export function layerName({ part, layer, reverse }, t) {
  const parts = [part && t(`inside.part.${part}`), t("inside.layer", { n: layer + 1 }), reverse && t("inside.reverse")];
  return parts.filter(Boolean).join(", ");
}

export class Panel {
  /**
   * @param where  { run, place, series }: numbers of what is shown
   * @param on     { point(where & { unit, step }), leave(), pin(where & { unit }) }
   */
  constructor(where, place, series, t, on) {
    Object.assign(this, { where, place, series, t, on, first: 0, shown: 0, unit: 0, drawnWith: "" });
    this.share = element("span", { class: "share" });
    this.canvas = element("canvas", { height: series.size, width: 1 });
    this.row = element("div", { class: "row-mark", hidden: true });
    this.column = element("div", { class: "column-mark", hidden: true });
    this.field = element(
      "div",
      { class: "field-of-units", tabindex: 0, role: "slider", "aria-valuemin": 0, "aria-valuemax": series.size - 1,
        "aria-orientation": "vertical", "aria-label": this.name, "aria-valuenow": 0 },
      this.canvas, this.row, this.column,
    );
    this.field.style.height = `${heightOf(series.size)}px`;
    const caption = element("figcaption", {}, element("strong", {}, series.name), ` ${this.kind}`, this.share);
    this.root = element("figure", { class: "panel" }, caption, this.field);
    this.listen();
  }

  get kind() {
    return this.t(`inside.kind.${this.series.kind}`);
  }

  get name() {
    return `${this.place.cell}, ${layerName(this.place, this.t)}, ${this.kind} ${this.series.name}`;
  }

  listen() {
    const { field } = this;
    const pointed = (event) => {
      const box = field.getBoundingClientRect();
      const unit = Math.floor(((event.clientY - box.top) / box.height) * this.series.size);
      const step = this.first + Math.floor((event.clientX - box.left) / CELL);
      if (unit < 0 || unit >= this.series.size || step < this.first || step >= this.first + this.shown) return null;
      this.unit = unit;
      return { ...this.where, unit, step };
    };
    field.addEventListener("pointermove", (event) => {
      const found = pointed(event);
      if (found) this.on.point(found);
    });
    field.addEventListener("pointerleave", () => this.on.leave());
    field.addEventListener("click", (event) => {
      const found = pointed(event);
      if (found) this.on.pin(found);
    });
    field.addEventListener("blur", () => this.on.leave());
    field.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-10, 0],
                    PageDown: [10, 0], Home: [-Infinity, 0], End: [Infinity, 0] };
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.on.pin({ ...this.where, unit: this.unit });
    } else if (event.key in moves) {
      event.preventDefault();
      const [units, steps] = moves[event.key];
      this.unit = Math.max(0, Math.min(this.series.size - 1, this.unit + units));
      this.on.point({ ...this.where, unit: this.unit, by: steps, spoken: true });
    }
  }

  /**
   * @param store  of the run
   * @param focus  the step that has to be seen
   * @param shade  "light" or "dark"
   */
  draw(store, focus, shade) {
    const { series, canvas } = this;
    const room = Math.max(1, Math.floor(this.field.clientWidth / CELL));
    const steps = store.stepsOf(this.place);
    this.first = Math.max(0, Math.min(steps - room, focus - Math.floor(room * 0.75)));
    this.shown = Math.min(room, steps - this.first);
    if (canvas.width !== room || !this.image) {
      canvas.width = room;
      canvas.style.width = `${room * CELL}px`;
      this.image = new ImageData(room, series.size);
      this.pixels = new Uint32Array(this.image.data.buffer);
    }
    const [least, most] = rangeOf(series);
    const look = `${shade} ${least} ${most}`;
    if (look !== this.drawnWith) this.colours = palette(shade, least, most, series.limits);
    this.drawnWith = look;
    this.paint(room, least, 255 / (most - least));
    canvas.getContext("2d").putImageData(this.image, 0, 0);
    if (series.limits && steps) {
      const [low, high] = series.saturated(Math.min(focus, steps - 1)).map((part) => Math.round(100 * part));
      this.share.textContent = this.t("inside.share", { low, high });
    }
  }

  paint(room, least, scale) {
    const { series: { values, size }, pixels, colours, first, shown } = this;
    pixels.fill(0);
    for (let column = 0; column < shown; column++) {
      const begin = (first + column) * size;
      for (let unit = 0; unit < size; unit++) {
        const place = (values[begin + unit] - least) * scale;
        pixels[unit * room + column] = colours[place < 0 ? 0 : place > 255 ? 255 : place | 0];
      }
    }
  }

  /** Show where the reader is: a unit of this panel (null: of another), and the step everywhere. */
  mark(unit, step, said) {
    const tall = this.field.clientHeight / this.series.size;
    this.row.hidden = unit === null;
    if (unit !== null) {
      this.row.style.transform = `translateY(${unit * tall}px)`;
      this.row.style.height = `${Math.max(2, tall)}px`;
      this.field.setAttribute("aria-valuenow", unit);
      this.field.setAttribute("aria-valuetext", said);
    }
    this.column.hidden = step === null || step < this.first || step >= this.first + this.shown;
    if (!this.column.hidden) this.column.style.transform = `translateX(${(step - this.first) * CELL}px)`;
  }
}
