// 5: truncated backpropagation, and the state that is kept from piece to piece.
import { html, useMemo, useRef, useState } from "../lib/ui.js";
import { Chart } from "../lib/chart.js";
import { number, t } from "../lib/i18n.js";
import { createRnn } from "./maths/rnn.js";
import { uniform } from "./maths/random.js";
import { learner, reach, signs } from "./maths/truncation.js";
import { Heat, Slider, useTicks } from "./parts.js";

const STEPS = 24;
const LENGTHS = [1, 2, 3, 4, 6, 8, 12, 24];
const PASSES = 120;

export function Lesson() {
  const [which, setWhich] = useState(3);
  const [delay, setDelay] = useState(5);
  const length = LENGTHS[which];
  return html`
    <div class="controls">
      <${Slider} label=${t("learn.truncation.length")} value=${which} onValue=${setWhich} min=${0} max=${LENGTHS.length - 1} step=${1} shown=${(n) => t("learn.truncation.steps", { n: LENGTHS[n] })} />
      <${Slider} label=${t("learn.truncation.delay")} value=${delay} onValue=${setDelay} min=${1} max=${8} step=${1} shown=${(n) => t("learn.truncation.steps", { n })} />
    </div>
    <${Pieces} length=${length} delay=${delay} />
    <${Reach} length=${length} delay=${delay} />
    <${Race} key=${`${length} ${delay}`} length=${length} delay=${delay} />
  `;
}

/** The sequence in pieces: what goes on from each to the next, and what does not. */
function Pieces({ length, delay }) {
  const pieces = Array.from({ length: Math.ceil(STEPS / length) }, (_, n) => Math.min(length, STEPS - n * length));
  const reaches = delay < length;
  return html`
    <div class="pieces" role="img" aria-label=${t("learn.truncation.pieces", { n: pieces.length, length })}>
      ${pieces.map((size, n) => html`
        <span key=${n} class="piece" style=${{ flexGrow: size }}>${Array.from({ length: size }, (_, k) => html`<i key=${k}></i>`)}</span>
      `)}
    </div>
    <p class="reading" role="status">${t(reaches ? "learn.truncation.reaches" : "learn.truncation.beyond", { length, delay })}</p>
  `;
}

function Reach({ length, delay }) {
  const rows = useMemo(() => {
    const { inputs, targets } = signs(STEPS, delay, uniform(4));
    return reach(createRnn(1, 12, 1, 2), inputs, targets, length).map((row) => row.map((size) => Math.max(0, 1 + Math.log10(size + 1e-12) / 4)));
  }, [length, delay]);
  return html`
    <h2>${t("learn.truncation.reach")}</h2>
    <p class="prose">${t("learn.truncation.reach.about")}</p>
    <${Heat} rows=${rows} cell=${12} label=${t("learn.truncation.reach.about")} />
  `;
}

/** Three networks learn the same: with the whole way back, in pieces with the state kept, in pieces from zeros. */
function Race({ length, delay }) {
  const [running, setRunning] = useState(false);
  const [count, setCount] = useState(0);
  const [seed, setSeed] = useState(1);
  const nets = useRef(null);
  nets.current ??= [
    { key: "whole", net: learner({ delay, length: STEPS, keep: true, seed }), losses: [] },
    { key: "kept", net: learner({ delay, length, keep: true, seed }), losses: [] },
    { key: "zeros", net: learner({ delay, length, keep: false, seed }), losses: [] },
  ];
  const again = () => {
    nets.current = null;
    setRunning(false);
    setCount(0);
    setSeed(seed + 1);
  };
  useTicks(running, () => {
    for (const one of nets.current) one.losses.push(one.net.step());
    const done = nets.current[0].losses.length;
    setCount(done);
    return done < PASSES;
  }, () => setRunning(false));
  const data = useMemo(() => [nets.current[0].losses.map((_, n) => n + 1), ...nets.current.map(({ losses }) => [...losses])], [count, seed]);
  const names = nets.current.map(({ key }) => t(`learn.truncation.${key}`, { length }));
  const said = names.map((name, n) => `${name}: ${number(nets.current[n].losses.at(-1) ?? NaN, 2)}`).join("; ");
  return html`
    <h2>${t("learn.truncation.race")}</h2>
    <p class="prose">${t("learn.truncation.race.about", { delay })}</p>
    <p class="row">
      <button type="button" class="primary" disabled=${count >= PASSES} onClick=${() => setRunning(!running)}>${t(running ? "learn.stop" : "learn.train")}</button>
      <button type="button" onClick=${again}>${t("learn.fresh")}</button>
      <output class="figures">${t("learn.truncation.passes", { n: count, of: PASSES })}</output>
    </p>
    <${Chart} data=${data} series=${names.map((label) => ({ label }))} x=${t("learn.truncation.pass")} y=${t("learn.loss")} height=${240} range=${[0, 1.6]} label=${said} />
    <p class="reading" role="status">${count && !running ? said : ""}</p>
  `;
}
