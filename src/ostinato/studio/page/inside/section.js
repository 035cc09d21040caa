// One run: its name, a panel for each gate, state and output, the units of a selection, and the gradient's way back.
import { element } from "./elements.js";
import { Flow } from "./flow.js";
import { Panel, layerName } from "./panel.js";
import { Store } from "./store.js";

export class RunSection {
  constructor(run, name, t, on) {
    Object.assign(this, { run, name, t, on, store: new Store(), panels: [], example: "", shape: "" });
    this.error = element("p", { class: "failure", role: "alert", hidden: true });
    this.unseen = element("p", { class: "quiet", hidden: true });
    this.layers = element("div", { class: "layers" });
    this.written = element("p", { class: "written-text", hidden: true });
    this.pieces = [];
    this.flow = new Flow(t);
    this.flow.root.hidden = true;
    this.units = element("ol", { class: "units" });
    this.unitsHint = element("p", { class: "quiet" }, t("inside.select"));
    this.root = element(
      "section",
      { class: "run", "aria-label": name },
      element("h2", {}, name), this.error, this.written,
      element("h3", {}, t("inside.units")),
      element("div", { class: "ranked", tabindex: 0, role: "region", "aria-label": `${t("inside.units")}, ${name}` }, this.unitsHint, this.units),
      this.flow.root, this.unseen, this.layers,
    );
  }

  open({ example = "", picture = null }) {
    this.example = example;
    if (picture) this.written.before(element("img", { src: picture, alt: this.t("inside.picture"), class: "seen-picture" }));
  }

  /** Lay out what the run has written of the text. */
  write() {
    const { written } = this.store;
    this.written.hidden = !written.length;
    this.pieces = written.map((piece) => element("span", {}, piece));
    this.written.replaceChildren(element("strong", {}, `${this.t("inside.writes")} `), ...this.pieces);
  }

  /** Give each piece of it a ground, as `TypedText.colour`, and outline the one of a step; null for none. */
  colour(ground, step) {
    this.pieces.forEach((piece, number) => {
      piece.style.backgroundColor = ground ? ground(number) : "";
      piece.classList.toggle("here", number === step);
    });
  }

  /** Show an error of a message, or that there is none. */
  say(kind, error) {
    if (kind === "rank" && error) return; // of a selection: there is nothing to show, and nothing to mend
    this.error.hidden = !error;
    this.error.textContent = error ?? "";
  }

  panel(place, series) {
    return this.panels.find(({ where }) => where.place === place && where.series === series);
  }

  /** @param focusOf  the step to be seen, of what is read (false) or of what is written (true) */
  draw(focusOf, shade, own, said) {
    const { store } = this;
    const shape = store.shape(store.places);
    if (shape !== this.shape) this.build(shape);
    for (const panel of this.panels) {
      const focus = focusOf(panel.place.writes);
      panel.draw(store, focus, shade);
      const { place, series } = panel.where;
      const steps = store.stepsOf(panel.place);
      panel.mark(own && own.place === place && own.series === series ? own.unit : null, steps ? focus : null, said);
    }
  }

  build(shape) {
    this.shape = shape;
    this.panels = [];
    this.layers.replaceChildren();
    this.store.places.forEach((place, number) => {
      const panels = place.series.map(
        (series, which) => new Panel({ run: this.run, place: number, series: which }, place, series, this.t, this.on),
      );
      this.panels.push(...panels);
      const heading = layerName(place, this.t);
      this.layers.append(
        element("h3", {}, `${heading[0].toUpperCase()}${heading.slice(1)}: ${place.cell}`),
        element("div", { class: "panels" }, ...panels.map((panel) => panel.root)),
      );
    });
    const missing = this.store.places.flatMap(({ unseen }) => unseen);
    this.unseen.hidden = !missing.length;
    this.unseen.textContent = this.t("inside.unseen", { gates: [...new Set(missing)].join(", ") });
  }

  drawFlow(lines, decades, shade) {
    this.flow.draw(lines, decades, shade, getComputedStyle(this.root).color);
  }

  /** The units of a selection, the best first; null for no selection. */
  rank(header) {
    const units = header?.units ?? [];
    this.unitsHint.hidden = units.length > 0;
    this.units.replaceChildren(...units.map((unit) => element("li", {}, this.button(unit))));
  }

  button({ place, series, unit, auc, inside, outside }) {
    const where = this.store.places[place];
    const { name } = where.series[series];
    const label = `${name} ${unit}${this.store.places.length > 1 ? `, ${layerName(where, this.t)}` : ""}`;
    const said = this.t("inside.ranked", { inside: inside.toFixed(2), outside: outside.toFixed(2), auc: auc.toFixed(2) });
    return element(
      "button",
      { type: "button", onclick: () => this.on.pin({ run: this.run, place, series, unit }) },
      element("strong", {}, label), element("span", {}, said),
    );
  }
}
