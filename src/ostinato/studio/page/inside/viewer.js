// Inside: a text is typed, and every gate, state and output of every unit of some runs moves with each character.
import { ground, rangeOf, shadeOf } from "./colours.js";
import { element, settled } from "./elements.js";
import { RunSection } from "./section.js";
import { characters, unpack } from "./store.js";
import { TypedText } from "./typed.js";
import { decadesOf, linesOf } from "./flow.js";

const SETTLED = 120; // milliseconds after which a selection, or the caret, is asked about

let hints = 0;

export class Viewer {
  /**
   * @param host   element to fill
   * @param names  of the runs
   * @param send   takes a message, an object; its answers come by `receive`, one of each run
   * @param t      words by key
   * @param shade  function that says "light" or "dark"
   * @param text   to begin with; the runs know one where it is null
   */
  constructor(host, { names, send, t, shade, text = null }) {
    Object.assign(this, { host, send, t, shade, text });
    this.asked = null; // the message under way: { message, text, left }
    this.wanted = {}; // messages to come, by what they do
    this.number = 0;
    this.pointed = this.pinned = null; // { run, place, series, unit }
    this.step = null; // that is pointed at, as the place that is pointed at counts
    this.following = false; // gradients
    this.flows = [];
    const hint = `inside-hint-${(hints += 1)}`; // a notebook may show several
    this.typed = new TypedText(t, hint, { change: () => this.changed(), caret: () => this.moved() });
    this.status = element("p", { class: "reading" }, t("inside.hint.point"));
    this.spoken = element("p", { class: "unseen", role: "status" });
    this.failure = element("p", { class: "failure", role: "alert", hidden: true });
    this.sections = names.map((name, run) => new RunSection(run, name, t, this.handlers()));
    this.back = element("input", { type: "checkbox", onchange: () => this.follow(this.back.checked) });
    this.unpin = element("button", { type: "button", disabled: true, onclick: () => this.pin(null) }, t("inside.unpin"));
    host.replaceChildren(
      element("p", { class: "quiet", id: hint }, t("inside.hint")),
      this.typed.root,
      element("div", { class: "tools" }, element("label", {}, this.back, ` ${t("inside.back")}`), this.unpin, this.key()),
      this.status, this.spoken, this.failure,
      element("div", { class: "sections", "data-runs": names.length }, ...this.sections.map((section) => section.root)),
    );
    host.classList.add("viewer");
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(host);
    this.rank = settled(() => this.select(), SETTLED);
    this.trace = settled(() => this.followed(), SETTLED);
    this.ask({ do: "open" });
  }

  destroy() {
    this.resized.disconnect();
    this.typed.destroy();
  }

  handlers() {
    return {
      point: (where) => this.point(where),
      leave: () => this.point(null),
      pin: (where) => this.pin(where),
    };
  }

  /** What the colours mean. */
  key() {
    const one = (name) => element("span", {}, element("i", { class: name }), this.t(`inside.colour.${name}`));
    return element("span", { class: "key" }, ...["shut", "low", "high", "open"].map(one));
  }

  // ---- messages: one at a time, the newest of each kind

  ask(message, text = null) {
    this.wanted[message.do] = { message, text };
    this.next();
  }

  next() {
    if (this.asked) return;
    const kind = ["open", "read", "rank", "back"].find((one) => this.wanted[one]);
    if (!kind) return;
    this.asked = { ...this.wanted[kind], left: this.sections.length };
    delete this.wanted[kind];
    this.send(this.asked.message);
  }

  /** One run's answer, an ArrayBuffer. */
  receive(buffer) {
    const { header, numbers } = unpack(buffer);
    if (header.run < 0 || !this.asked) {
      this.fail(header.error);
      return;
    }
    const section = this.sections[header.run];
    const { text } = this.asked;
    if (header.do === "open") section.open(header);
    else if (header.do === "read") section.store.take({ header, numbers }, text);
    else if (header.do === "rank") section.rank(header);
    else if (header.do === "back") this.flows[header.run] = header.error ? null : linesOf(header, this.t);
    section.say(header.do, header.error);
    if (header.do === "read" && !header.error) section.write();
    if (header.do === "read" && header.run === this.coloured()) {
      this.typed.lay(text, section.store.spans, header.error ? Infinity : header.from);
    }
    this.asked.left -= 1;
    if (this.asked.left === 0) this.answered(header);
  }

  answered({ do: done, number }) {
    this.asked = null;
    this.fail(null);
    if (done === "open") this.begin();
    if (done === "read") {
      this.rank();
      if (this.following) this.trace();
    }
    this.draw();
    this.host.dispatchEvent(new CustomEvent("drawn", { detail: { do: done, number } }));
    this.next();
  }

  fail(error) {
    this.failure.hidden = !error;
    this.failure.textContent = error ?? "";
  }

  begin() {
    if (!this.typed.value) this.typed.value = this.text ?? this.sections.map((one) => one.example).find(Boolean) ?? "";
    this.typed.field.setSelectionRange(this.typed.value.length, this.typed.value.length);
    this.changed();
  }

  changed() {
    this.step = null;
    const text = this.typed.value;
    this.ask({ do: "read", text: text.toWellFormed?.() ?? text, number: ++this.number }, text);
  }

  moved() {
    this.step = null;
    this.rank();
    if (this.following) this.trace();
    this.draw();
  }

  select() {
    const span = this.typed.selection;
    for (const section of this.sections) if (!span) section.rank(null);
    if (!span) return;
    const [begin, end] = span.map((place) => characters(this.typed.value, place));
    this.ask({ do: "rank", begin, end, top: 12 });
  }

  follow(on) {
    this.following = on;
    for (const section of this.sections) section.flow.root.hidden = !on;
    if (on) this.followed();
    else {
      this.flows = [];
      this.draw();
    }
  }

  followed() {
    this.ask({ do: "back", at: characters(this.typed.value, this.typed.caret) });
  }

  // ---- what is pointed at

  /** The run that the text's pieces and colours are of. */
  coloured() {
    return (this.pointed ?? this.pinned)?.run ?? 0;
  }

  point(where) {
    const before = this.coloured();
    if (where === null) [this.pointed, this.step] = [null, null];
    else {
      const { store } = this.sections[where.run];
      const place = store.places[where.place];
      const from = this.step !== null && this.writes(this.pointed) === place.writes ? this.step : this.focus(where.run, place.writes);
      const step = where.step ?? Math.max(0, Math.min(store.stepsOf(place) - 1, from + where.by));
      [this.pointed, this.step] = [where, step];
    }
    this.again(before);
    if (where?.spoken) this.spoken.textContent = this.status.textContent;
  }

  pin(where) {
    const before = this.coloured();
    const same = where && this.pinned && ["run", "place", "series", "unit"].every((one) => where[one] === this.pinned[one]);
    this.pinned = same ? null : where;
    this.pointed = null;
    this.unpin.disabled = !this.pinned;
    this.again(before);
  }

  /** Draw again; where the text is now coloured by another run, its pieces are that run's. */
  again(before) {
    const run = this.coloured();
    const { store } = this.sections[run];
    if (run !== before) this.typed.lay(this.typed.value, store.spans, 0);
    this.draw();
  }

  /** Whether the steps of what is pointed at, or kept, are those of what a run writes. */
  writes(where) {
    return Boolean(where && this.sections[where.run].store.places[where.place]?.writes);
  }

  /** The step of a run that is looked at: the one pointed at, else the one that ends at the caret; of what it writes the last. */
  focus(run, writes = false) {
    const { store } = this.sections[run];
    const pointed = this.pointed && this.step !== null ? this.pointed : null;
    if (writes) return pointed?.run === run && this.writes(pointed) ? this.step : Math.max(0, store.written.length - 1);
    if (!pointed || this.writes(pointed)) return store.stepAt(this.typed.caret);
    if (run === pointed.run) return this.step;
    const [, end] = this.sections[pointed.run].store.spans[this.step] ?? [0, 0];
    return store.stepAt(end);
  }

  draw() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      this.paint();
    });
  }

  paint() {
    const shade = this.shade();
    const chosen = this.pointed ?? this.pinned;
    const decades = decadesOf(this.flows.filter(Boolean).flat());
    const said = chosen ? this.said(chosen) : this.t("inside.hint.point");
    this.status.textContent = said;
    this.sections.forEach((section, run) => {
      const own = chosen?.run === run ? chosen : null;
      section.draw((writes) => this.focus(run, writes), shade, own, said);
      const written = own && this.writes(own);
      section.colour(written ? this.grounds(own, shade) : null, written ? this.focus(run, true) : null);
      if (this.following && this.flows[run]) section.drawFlow(this.flows[run], decades, shade);
    });
    const read = chosen && !this.writes(chosen) ? chosen : null;
    this.typed.colour(this.grounds(read, shade));
    this.typed.mark(read ? this.focus(this.coloured()) : null);
  }

  /** What the text is coloured by: a unit, else the gradient where it is followed, else nothing. */
  grounds(chosen, shade) {
    const { store } = this.sections[this.coloured()];
    const series = chosen && store.places[chosen.place]?.series[chosen.series];
    if (series) {
      const [least, most] = rangeOf(series);
      return (step) => ground(shade, series.at(step, chosen.unit), least, most);
    }
    const norms = this.following && this.flows[this.coloured()]?.[0]?.norms;
    if (!norms) return null;
    const most = norms.reduce((one, other) => Math.max(one, other), 0);
    return (step) => (norms[step] ? shadeOf(shade, Math.max(0, 1 + Math.log10(norms[step] / most) / 4)) : "");
  }

  said({ run, place, series, unit }) {
    const { store } = this.sections[run];
    const panel = this.sections[run].panel(place, series);
    const values = store.places[place]?.series[series];
    const steps = panel ? store.stepsOf(panel.place) : 0;
    if (!steps) return "";
    const { writes } = panel.place;
    const step = Math.min(this.focus(run, writes), steps - 1);
    const read = writes ? store.written[step] : this.typed.value.slice(...store.spans[step]);
    const piece = JSON.stringify(read).slice(1, -1);
    return this.t("inside.value", {
      run: this.sections[run].name, what: panel.name, unit, piece, step, value: values.at(step, unit).toFixed(3),
    });
  }
}
