// Curves by uPlot, in the page's colours, as wide as their place. Screen readers get `label`, which should say what the
// curves say; everybody else gets the numbers under the pointer in the legend.
import uPlot from "uplot";
import { html, useEffect, useRef } from "./ui.js";
import { number, raised } from "./i18n.js";
import { colour, shade, useTheme } from "./theme.js";

export const SERIES_COLOURS = 8;

/** The colour of the n-th series, from 0. */
export const seriesColour = (n) => colour(`--series-${(n % SERIES_COLOURS) + 1}`);

/**
 * @param data    as uPlot takes it: the abscissae, then the values of each series; null where there is none
 * @param series  of each series { label, colour?, dash?, width?, points?, fill?, paths? }
 * @param bands   pairs of series' numbers (from 1) whose space between is filled
 * @param x, y    names of the axes; `log` makes y logarithmic; `height` in pixels
 */
export function Chart({ data, series, bands = [], x = "", y = "", log = false, height = 240, label, range }) {
  const place = useRef(null);
  const plot = useRef(null);
  const theme = useTheme();
  const shape = JSON.stringify([series, bands, x, y, log, height, theme, shade(), range]);
  useEffect(() => {
    const element = place.current;
    if (!element) return undefined; // it has gone in the meantime
    const drawn = new uPlot(optionsOf({ series, bands, x, y, log, height, range, width: element.clientWidth }), data, element);
    plot.current = drawn;
    const resized = new ResizeObserver(() => drawn.setSize({ width: element.clientWidth, height: inner(height) }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      drawn.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => plot.current?.setData(data), [data]);
  // the legend's line is kept free below the canvas, so that nothing jumps
  return html`<div class="chart" role="img" aria-label=${label} style=${{ minHeight: `${height}px` }} ref=${place}></div>`;
}

/** Powers of ten between two values, a handful of them. */
function decades(_, __, low, high) {
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const every = Math.max(1, Math.ceil((last - first + 1) / 7));
  const found = [];
  for (let power = Math.ceil(first / every) * every; power <= last; power += every) found.push(10 ** power);
  return found;
}

/** A power of ten as people write it: 0.01, 10⁻⁶. */
function written(value) {
  const power = Math.round(Math.log10(value));
  return Math.abs(power) < 4 ? number(value) : `10${raised(power)}`;
}

/** Height of the canvas: the legend has its line below. */
const inner = (height) => Math.max(80, height - 30);

function optionsOf({ series, bands, x, y, log, height, range, width }) {
  const axis = (name) => ({
    label: name,
    labelSize: name ? 18 : 0,
    labelFont: "12px system-ui, sans-serif",
    font: "12px system-ui, sans-serif",
    stroke: colour("--muted"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { stroke: colour("--line"), width: 1 },
    values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : number(tick))),
  });
  const value = (_, shown) => number(shown);
  const logarithmic = { splits: decades, filter: (_, splits) => splits, values: (_, ticks) => ticks.map(written) };
  return {
    width,
    height: inner(height),
    scales: { x: { time: false }, y: { distr: log ? 3 : 1, ...(range ? { range } : {}) } },
    axes: [{ ...axis(x), size: 30 }, { ...axis(y), size: 56, ...(log ? logarithmic : {}) }],
    legend: { live: true },
    cursor: { points: { size: 6 } },
    series: [
      { label: x || " ", value },
      ...series.map((one, n) => ({
        label: one.label,
        stroke: one.colour ?? seriesColour(n),
        width: one.width ?? 1.8,
        dash: one.dash,
        points: one.points ?? { show: false },
        paths: one.paths,
        fill: one.fill,
        spanGaps: one.gaps !== true,
        value,
      })),
    ],
    bands: bands.map(([upper, lower, fill]) => ({ series: [upper, lower], fill: fill ?? colour("--band") })),
  };
}
