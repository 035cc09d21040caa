// 2: why gradients vanish and explode.
import { html, useMemo, useState } from "../lib/ui.js";
import { Chart } from "../lib/chart.js";
import { t } from "../lib/i18n.js";
import { scaled } from "./maths/linear.js";
import { drivenStates, gradientBack, norms, recurrentMatrix } from "./maths/vanishing.js";
import { Choice, Heat, Slider, short } from "./parts.js";

const UNITS = 16;
const STEPS = 50;

export function Lesson() {
  const [radius, setRadius] = useState(0.9);
  const [kind, setKind] = useState("random");
  const [drive, setDrive] = useState(0.3);
  const [forget, setForget] = useState(0.98);
  const [seed, setSeed] = useState(1);
  const unit = useMemo(() => recurrentMatrix(kind, UNITS, seed), [kind, seed]);
  const { linear, squashed } = useMemo(() => {
    const W = scaled(unit, radius);
    const states = drivenStates(W, STEPS, drive, seed + 7);
    return { linear: gradientBack(W, null, STEPS), squashed: gradientBack(W, states, STEPS) };
  }, [unit, radius, drive, seed]);
  const [sizes, small] = [norms(linear), norms(squashed)];
  const back = useMemo(() => Array.from({ length: STEPS }, (_, n) => n), []);
  const data = useMemo(
    () => [back, [...sizes].reverse(), [...small].reverse(), back.map((n) => radius ** n), back.map((n) => forget ** n)],
    [linear, squashed, forget],
  );
  const series = [
    { label: t("learn.vanishing.linear") },
    { label: t("learn.vanishing.squashed") },
    { label: t("learn.vanishing.power"), dash: [6, 5], width: 1.2 },
    { label: t("learn.vanishing.cell") },
  ];
  const said = t("learn.vanishing.said", {
    steps: STEPS - 1, linear: short(sizes[0]), squashed: short(small[0]), cell: short(forget ** (STEPS - 1)),
  });
  return html`
    <div class="controls">
      <${Slider} label=${t("learn.vanishing.radius")} value=${radius} onValue=${setRadius} min=${0.5} max=${1.5} />
      <${Slider} label=${t("learn.vanishing.drive")} value=${drive} onValue=${setDrive} min=${0} max=${2} step=${0.05} />
      <${Slider} label=${t("learn.vanishing.forget")} value=${forget} onValue=${setForget} min=${0.5} max=${1} />
      <div class="row">
        <${Choice} legend=${t("learn.vanishing.matrix")} value=${kind} onValue=${setKind}
          options=${[["random", t("learn.vanishing.random")], ["orthogonal", t("learn.vanishing.orthogonal")]]} />
        <button type="button" onClick=${() => setSeed(seed + 1)}>${t("learn.fresh")}</button>
      </div>
    </div>
    <p class="reading" role="status">${said}</p>
    <${Chart} data=${data} series=${series} x=${t("learn.vanishing.back")} y=${t("learn.vanishing.norm")} log height=${280} label=${said} />
    <h2>${t("learn.vanishing.each")}</h2>
    <p class="prose">${t("learn.vanishing.each.about")}</p>
    <div class="scroller" tabindex="0" role="region" aria-label=${t("learn.vanishing.each")}>
      <${Heat} rows=${columns(squashed)} least=${-0.5} most=${0.5} cell=${14} label=${said} />
    </div>
  `;
}

/** Units from top to bottom, steps back from left to right. */
const columns = (gradients) => Array.from({ length: UNITS }, (_, unit) => gradients.map((gradient) => gradient[unit]).reverse());
