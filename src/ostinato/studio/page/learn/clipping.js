// 3: a cliff in the loss, and gradient descent that is thrown off it or not.
import { html, useEffect, useMemo, useRef, useState } from "../lib/ui.js";
import { Chart } from "../lib/chart.js";
import { t } from "../lib/i18n.js";
import { colour, shade, useTheme } from "../lib/theme.js";
import { palette } from "../inside/colours.js";
import { cliff, descend } from "./maths/cliff.js";
import { Slider, short } from "./parts.js";

const FIELD = { w: [1.5, 8], b: [-4, 5.5] };
const COLUMNS = 130;
const ROWS = 95;
const COUNT = 60;

export function Lesson() {
  useTheme();
  const [threshold, setThreshold] = useState(0.1);
  const [rate, setRate] = useState(4);
  const [start, setStart] = useState({ w: 5.6, b: -2.4 });
  const plain = useMemo(() => descend(start, rate, Infinity, COUNT), [start, rate]);
  const clipped = useMemo(() => descend(start, rate, threshold, COUNT), [start, rate, threshold]);
  const data = useMemo(
    () => [plain.map((_, n) => n), plain.map(({ norm }) => norm), clipped.map(({ norm }) => norm), plain.map(() => threshold)],
    [plain, clipped],
  );
  const series = [
    { label: t("learn.clipping.plain"), colour: colour("--text"), dash: [5, 4] },
    { label: t("learn.clipping.clipped"), colour: colour("--series-3") },
    { label: t("learn.clipping.threshold"), colour: colour("--series-1"), dash: [2, 4], width: 1.2 },
  ];
  const said = t("learn.clipping.said", { plain: short(plain.at(-1).loss), clipped: short(clipped.at(-1).loss), count: COUNT });
  return html`
    <div class="controls">
      <${Slider} label=${t("learn.clipping.threshold")} value=${threshold} onValue=${setThreshold} min=${0.02} max=${2} step=${0.02} />
      <${Slider} label=${t("learn.clipping.rate")} value=${rate} onValue=${setRate} min=${0.25} max=${8} step=${0.25} />
      <${Slider} label=${t("learn.clipping.start", { name: "w" })} value=${start.w} onValue=${(w) => setStart({ ...start, w })} min=${2} max=${7.5} step=${0.05} />
      <${Slider} label=${t("learn.clipping.start", { name: "b" })} value=${start.b} onValue=${(b) => setStart({ ...start, b })} min=${-3.8} max=${2} step=${0.05} />
    </div>
    <p class="reading" role="status">${said}</p>
    <${Landscape} paths=${[plain, clipped]} said=${said} />
    <h2>${t("learn.clipping.norms")}</h2>
    <${Chart} data=${data} series=${series} x=${t("learn.updates")} log height=${220} label=${said} />
  `;
}

/** The loss over w and b, and the paths on it, drawn step by step. */
function Landscape({ paths, said }) {
  const place = useRef(null);
  const theme = useTheme();
  const losses = useMemo(landscape, []);
  useEffect(() => {
    const canvas = place.current;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    let [frame, shown] = [0, still ? COUNT : 0];
    const next = () => {
      shown += 0.5;
      draw(canvas, losses, paths, Math.floor(shown));
      if (shown < COUNT) frame = requestAnimationFrame(next);
    };
    next();
    const resized = new ResizeObserver(() => draw(canvas, losses, paths, Math.floor(shown)));
    resized.observe(canvas);
    return () => {
      cancelAnimationFrame(frame);
      resized.disconnect();
    };
  }, [paths[0], paths[1], theme]);
  return html`
    <figure class="landscape">
      <canvas ref=${place} role="img" aria-label=${said}></canvas>
      <figcaption class="quiet">${t("learn.clipping.picture")}</figcaption>
    </figure>
  `;
}

function landscape() {
  const at = ([low, high], share) => low + (high - low) * share;
  return Array.from({ length: ROWS * COLUMNS }, (_, place) => {
    const [row, column] = [Math.floor(place / COLUMNS), place % COLUMNS];
    return cliff(at(FIELD.w, (column + 0.5) / COLUMNS), at(FIELD.b, 1 - (row + 0.5) / ROWS)).loss;
  });
}

function draw(canvas, losses, paths, shown) {
  const ratio = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.drawImage(ground(losses), 0, 0, width, height);
  const across = ([low, high], value, size) => ((value - low) / (high - low)) * size;
  paths.forEach((path, number) => {
    pen.strokeStyle = pen.fillStyle = number ? colour("--series-3") : colour("--text");
    pen.lineWidth = 2;
    pen.setLineDash(number ? [] : [5, 4]);
    const points = path.slice(0, shown + 1).map(({ w, b }) => [across(FIELD.w, w, width), height - across(FIELD.b, b, height)]);
    pen.beginPath();
    for (const point of points) pen.lineTo(...point);
    pen.stroke();
    for (const [x, y] of points) pen.fillRect(x - 2, y - 2, 4, 4);
    pen.setLineDash([]);
    pen.beginPath();
    pen.arc(...points[0], 7, 0, 2 * Math.PI); // where both begin
    pen.stroke();
  });
}

/** The loss as a picture: blue where it is low. */
function ground(losses) {
  const picture = new OffscreenCanvas(COLUMNS, ROWS);
  const image = new ImageData(COLUMNS, ROWS);
  const pixels = new Uint32Array(image.data.buffer);
  const colours = palette(shade(), 0, 1, null);
  losses.forEach((loss, place) => (pixels[place] = colours[Math.round(255 * Math.min(1, 0.2 + 0.8 * Math.sqrt(loss / 0.5)))]));
  picture.getContext("2d").putImageData(image, 0, 0);
  return picture;
}
