// One run: its name, a panel for each gate, state and output, the units of a selection, and the gradient's way back.
import { element } from "./elements.js";
import { Flow } from "./flow.js";
import { Panel } from "./panel.js";
import { Store } from "./store.js";

export class RunSection {
  constructor(run, name, t, on) {
    Object.assign(this, { run, name, t, on, store: new Store(), panels: [], example: "", shape: "" });
    this.error = element("p", { class: "failure", role: "alert", hidden: true });
    this.unseen = element("p", { class: "quiet", hidden: true });
    this.layers = element("div", { class: "layers" });
    this.flow = new Flow(t);
    this.flow.root.hidden = true;
    this.units = element("ol", { class: "units" });
    this.unitsHint = element("p", { class: "quiet" }, t("inside.select"));
    this.root = element(
      "section",
      { class: "run", "aria-label": name },
      element("h2", {}, name), this.error,
      element("h3", {}, t("inside.units")),
      element("div", { class: "ranked", tabindex: 0, role: "region", "aria-label": `${t("inside.units")}, ${name}` }, this.unitsHint, this.units),
      this.flow.root, this.unseen, this.layers,
    );
  }

  open({ example = "" }) {
    this.example = example;
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

  draw(focus, shade, own, said) {
    const { store } = this;
    const shape = store.shape(store.places);
    if (shape !== this.shape) this.build(shape);
    for (const panel of this.panels) {
      panel.draw(store, focus, shade);
      const { place, series } = panel.where;
      panel.mark(own && own.place === place && own.series === series ? own.unit : null, store.steps ? focus : null, said);
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
      const direction = place.reverse ? `, ${this.t("inside.reverse")}` : "";
      const heading = `${this.t("inside.layer", { n: place.layer + 1 })}${direction}: ${place.cell}`;
      this.layers.append(
        element("h3", {}, heading),
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
    const { layer, reverse, series: all } = this.store.places[place];
    const { name } = all[series];
    const where = `${this.t("inside.layer", { n: layer + 1 })}${reverse ? `, ${this.t("inside.reverse")}` : ""}`;
    const label = `${name} ${unit}${this.store.places.length > 1 ? `, ${where}` : ""}`;
    const said = this.t("inside.ranked", { inside: inside.toFixed(2), outside: outside.toFixed(2), auc: auc.toFixed(2) });
    return element(
      "button",
      { type: "button", onclick: () => this.on.pin({ run: this.run, place, series, unit }) },
      element("strong", {}, label), element("span", {}, said),
    );
  }
}
