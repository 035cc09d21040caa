// What several lessons are made of: sliders, pictures of numbers, and things that go on by themselves.
import { html, useEffect, useId, useLayoutEffect, useRef, useState } from "../lib/ui.js";
import { number, raised } from "../lib/i18n.js";
import { shade, useTheme } from "../lib/theme.js";
import { palette } from "../inside/colours.js";

/** A slider with its value beside it. `shown` says the value in words. */
export function Slider({ label, value, onValue, min, max, step = 0.01, shown = (found) => number(found, 3) }) {
  const id = useId();
  return html`
    <div class="slider">
      <label for=${id}>${label}</label>
      <input id=${id} type="range" min=${min} max=${max} step=${step} value=${value} aria-valuetext=${shown(value)}
        onInput=${(event) => onValue(Number(event.target.value))} />
      <output for=${id}>${shown(value)}</output>
    </div>
  `;
}

/** Some values to choose one of. */
export function Choice({ legend, value, onValue, options }) {
  const name = useId();
  return html`
    <fieldset class="choose">
      <legend>${legend}</legend>
      ${options.map(
        ([key, label]) => html`
          <label key=${key}>
            <input type="radio" name=${name} checked=${value === key} onChange=${() => onValue(key)} /> ${label}
          </label>
        `,
      )}
    </fieldset>
  `;
}

/** Rows of numbers as coloured cells; `label` says what they are to those who do not see them. */
export function Heat({ rows, least = -1, most = 1, cell = 16, label, onCanvas }) {
  const place = useRef(null);
  useTheme();
  const [height, width] = [rows.length, rows[0]?.length ?? 0];
  useLayoutEffect(() => {
    const canvas = place.current;
    const pen = canvas.getContext("2d");
    const image = new ImageData(Math.max(1, width), Math.max(1, height));
    const pixels = new Uint32Array(image.data.buffer);
    const colours = palette(shade(), least, most, null);
    rows.forEach((row, r) =>
      row.forEach((value, c) => {
        const index = Math.round(((value - least) / (most - least)) * 255);
        pixels[r * width + c] = colours[Math.max(0, Math.min(255, index))];
      }),
    );
    pen.putImageData(image, 0, 0);
    onCanvas?.(canvas);
  });
  const style = { width: `${width * cell}px`, height: `${height * cell}px` };
  return html`<canvas class="heat" ref=${place} role="img" aria-label=${label} width=${width} height=${height} style=${style}></canvas>`;
}

/** A number to two digits, as 1.2 × 10⁻⁷ where it is very small or large. */
export function short(value) {
  const far = Math.abs(value);
  if (!Number.isFinite(value) || value === 0 || (far >= 1e-3 && far < 1e4)) return number(value, 2);
  const [digits, power] = value.toExponential(1).split("e");
  return `${number(Number(digits), 2)} × 10${raised(Number(power))}`;
}

/** A matrix { rows, columns, data } as rows. */
export const rowsOf = ({ rows, columns, data }) =>
  Array.from({ length: rows }, (_, row) => Array.from(data.subarray(row * columns, (row + 1) * columns)));

/** Calls `tick` with each picture of the screen while `on`; it says false to end, and `ended` is called. */
export function useTicks(on, tick, ended = () => {}) {
  const calls = useRef({});
  calls.current = { tick, ended };
  useEffect(() => {
    if (!on) return undefined;
    let frame = requestAnimationFrame(function next() {
      if (calls.current.tick() === false) calls.current.ended();
      else frame = requestAnimationFrame(next);
    });
    return () => cancelAnimationFrame(frame);
  }, [on]);
}

/** A number that counts up while `on`, so many times a second, and begins again at `count`. */
export function useBeat(count, perSecond, begin = true) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const [on, setOn] = useState(begin && !still);
  const [beat, setBeat] = useState(0);
  useEffect(() => {
    if (!on) return undefined;
    const timer = setInterval(() => setBeat((now) => (now + 1) % count), 1000 / perSecond);
    return () => clearInterval(timer);
  }, [on, count, perSecond]);
  return { beat: beat % count, setBeat, on, setOn };
}
