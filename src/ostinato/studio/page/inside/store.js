// What is known of a run: every value of every unit, after each step, kept as it comes.

/** A message: { header, numbers }. Four bytes say how long the header is, which is JSON; numbers are float32. */
export function unpack(buffer) {
  const size = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, size)));
  return { header, numbers: new Float32Array(buffer, 4 + size) };
}

/** Where each character of a text begins in JavaScript's count, in which some characters are two; null: as they are. */
function places(text) {
  if (!/[\ud800-\udfff]/.test(text)) return null;
  const found = [];
  let place = 0;
  for (const character of text) {
    found.push(place);
    place += character.length;
  }
  found.push(place);
  return found;
}

/** A place in JavaScript's count as the number of characters before it. */
export const characters = (text, place) => [...text.slice(0, place)].length;

export class Store {
  constructor() {
    this.steps = 0;
    this.spans = []; // [begin, end] of each step's piece in the text, in JavaScript's count
    this.written = []; // what the run writes of it meanwhile, a piece for each step of its own
    this.places = []; // layers and directions, each with its series
    this.error = null;
  }

  /** Take in an answer to "read", of the text that was asked about. */
  take({ header, numbers }, text) {
    this.error = header.error ?? null;
    if (this.error) return;
    const at = places(text);
    const spans = at ? header.spans.map(([begin, end]) => [at[begin], at[end]]) : header.spans;
    this.spans.length = header.from;
    this.spans.push(...spans);
    this.steps = header.steps;
    this.written = header.written;
    if (this.shape(header.places) !== this.shape(this.places)) {
      if (header.places.length) this.places = header.places.map(begun);
    }
    let begin = 0;
    header.places.forEach((place, number) => {
      for (const series of this.places[number].series) {
        const end = begin + (this.stepsOf(place) - place.start) * series.size;
        series.put(place.start, numbers.subarray(begin, end));
        begin = end;
      }
    });
  }

  /** Of a place: those of the text, or of what is written. */
  stepsOf({ writes }) {
    return writes ? this.written.length : this.steps;
  }

  shape(layout) {
    return layout.map((place) => [place.label, ...place.series.map((one) => one.kind + one.name + one.size)].join()).join(";");
  }

  /** The last step whose piece ends at a place of the text, or before. */
  stepAt(place) {
    let [low, high] = [0, this.steps];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.spans[middle][1] <= place) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

const begun = (place) => ({ ...place, series: place.series.map((one) => new Series(one)) });

class Series {
  constructor({ kind, name, size, limits }) {
    Object.assign(this, { kind, name, size, limits, largest: 0 });
    this.values = new Float32Array(64 * size);
  }

  put(start, rows) {
    const needed = start * this.size + rows.length;
    if (needed > this.values.length) {
      const wider = new Float32Array(2 * needed);
      wider.set(this.values);
      this.values = wider;
    }
    this.values.set(rows, start * this.size);
    for (const value of rows) {
      const far = Math.abs(value);
      if (far > this.largest) this.largest = far;
    }
  }

  at(step, unit) {
    return this.values[step * this.size + unit];
  }

  /** Shares of the units below and above the limits at a step: [low, high]. */
  saturated(step) {
    const [least, most] = this.limits;
    let [low, high] = [0, 0];
    for (let place = step * this.size; place < (step + 1) * this.size; place++) {
      if (this.values[place] < least) low += 1;
      else if (this.values[place] > most) high += 1;
    }
    return [low / this.size, high / this.size];
  }
}
