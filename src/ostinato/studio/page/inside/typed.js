// The text that is typed, its letters on grounds of their own: a layer of the same letters lies behind the field.
import { element } from "./elements.js";

/** How many of the first characters of two texts are the same. */
function alike(one, other) {
  const most = Math.min(one.length, other.length);
  let place = 0;
  while (place < most && one[place] === other[place]) place += 1;
  return place;
}

export class TypedText {
  /**
   * @param hint  id of what tells how it is used
   * @param on    { change(), caret() }: what is written has changed; the caret, or what is selected, has
   */
  constructor(t, hint, on) {
    this.behind = element("div", { class: "behind", "aria-hidden": "true" });
    this.field = element("textarea", { spellcheck: "false", autocomplete: "off", autocapitalize: "off", rows: 5,
                                       "aria-label": t("inside.text"), "aria-describedby": hint });
    this.root = element("div", { class: "typed" }, this.behind, this.field);
    this.pieces = []; // an element for each step, null where its piece is empty
    this.laid = ""; // the text of these pieces
    this.marked = null;
    this.field.addEventListener("input", () => on.change());
    this.field.addEventListener("scroll", () => this.follow());
    this.selected = () => {
      if (document.activeElement !== this.field && this.field.getRootNode().activeElement !== this.field) return;
      on.caret();
    };
    document.addEventListener("selectionchange", this.selected);
    this.field.addEventListener("select", () => on.caret());
    this.field.addEventListener("keyup", () => on.caret());
  }

  destroy() {
    document.removeEventListener("selectionchange", this.selected);
  }

  get value() {
    return this.field.value;
  }

  set value(text) {
    this.field.value = text;
  }

  get caret() {
    return this.field.selectionStart;
  }

  /** [begin, end] of what is selected; null for nothing. */
  get selection() {
    const { selectionStart: begin, selectionEnd: end } = this.field;
    return begin < end ? [begin, end] : null;
  }

  follow() {
    this.behind.scrollTop = this.field.scrollTop;
  }

  /** Lay the pieces of the text out anew, those of the first steps aside, which are as they were. */
  lay(text, spans, from) {
    const same = alike(text, this.laid); // another letter may stand in the place of one
    let kept = Math.min(from, this.pieces.length);
    while (kept && spans[kept - 1][1] > same) kept -= 1;
    this.laid = text;
    const last = this.pieces.slice(0, kept).findLast((piece) => piece !== null);
    while (this.behind.lastChild && this.behind.lastChild !== (last ?? null)) this.behind.lastChild.remove();
    this.pieces.length = kept;
    let place = kept ? spans[kept - 1][1] : 0;
    for (const [begin, end] of spans.slice(kept)) {
      if (begin > place) this.behind.append(text.slice(place, begin));
      const piece = end > Math.max(begin, place) ? element("span", {}, text.slice(Math.max(begin, place), end)) : null;
      if (piece) this.behind.append(piece);
      this.pieces.push(piece);
      place = Math.max(place, end);
    }
    this.behind.append(`${text.slice(place)}\n`); // a field has room for the line that is about to begin
    this.follow();
  }

  /** Give each piece the ground that a function of the step says; null for none. */
  colour(ground) {
    this.pieces.forEach((piece, step) => {
      if (piece) piece.style.backgroundColor = ground ? ground(step) : "";
    });
  }

  /** Outline the piece of a step. */
  mark(step) {
    const piece = step === null ? null : (this.pieces[step] ?? null);
    if (piece === this.marked) return;
    this.marked?.classList.remove("here");
    piece?.classList.add("here");
    this.marked = piece;
  }
}
