// Colours of values: one hue below the middle, another above, pale between a gate's limits and full beyond them, so that
// what is saturated stands out. Blue and orange can be told apart by all kinds of colour-blind eyes.
const SCALES = {
  light: { low: [11, 92, 173], middle: [250, 249, 246], high: [178, 66, 4] },
  dark: { low: [110, 180, 255], middle: [33, 36, 44], high: [255, 158, 92] },
};

const between = (one, other, share) => one.map((value, k) => value + (other[k] - value) * share);

/** How far a value's colour goes from the middle, 0 to 1, for a place from -1 to 1 and the place where limits begin. */
function strength(place, limit) {
  const far = Math.abs(place);
  if (limit === null) return far;
  return far < limit ? (0.5 * far) / limit : 0.85 + (0.15 * (far - limit)) / Math.max(1e-6, 1 - limit);
}

/**
 * 256 colours from `least` to `most`, as numbers of an ImageData's bytes read as Uint32 (little-endian).
 * @param limits  [low, high] of a gate that saturates, or null
 */
export function palette(shade, least, most, limits) {
  const { low, middle, high } = SCALES[shade];
  const colours = new Uint32Array(256);
  const centre = (least + most) / 2;
  const half = (most - least) / 2;
  const limit = limits ? (limits[1] - centre) / half : null;
  for (let n = 0; n < 256; n++) {
    const place = (n / 255) * 2 - 1;
    const [r, g, b] = between(middle, place < 0 ? low : high, strength(place, limit)).map(Math.round);
    colours[n] = (255 << 24) | (b << 16) | (g << 8) | r;
  }
  return colours;
}

/** The ground of a letter: pale enough that the letter on it can be read. */
export function ground(shade, value, least, most) {
  const place = Math.max(-1, Math.min(1, (2 * (value - least)) / (most - least) - 1));
  const { low, high } = SCALES[shade];
  return `rgba(${(place < 0 ? low : high).join(",")},${(0.5 * Math.abs(place)).toFixed(3)})`;
}

/** The same of a share from 0 to 1, in one hue. */
export const shadeOf = (shade, share) => `rgba(${SCALES[shade].high.join(",")},${(0.5 * share).toFixed(3)})`;

/** Least and most of a series: those of its squashing function where it has one, else a round number that holds all. */
export function rangeOf({ limits, largest }) {
  if (limits) return limits[0] >= 0 ? [0, 1] : [-1, 1];
  const most = largest <= 1 ? 1 : 2 ** Math.ceil(Math.log2(largest));
  return [-most, most];
}
