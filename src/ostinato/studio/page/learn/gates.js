// 4: what each gate does to a pulse.
import { html, useMemo, useState } from "../lib/ui.js";
import { Chart } from "../lib/chart.js";
import { number, t } from "../lib/i18n.js";
import { sigmoid } from "./maths/linear.js";
import { gru, lstm, simple } from "./maths/gates.js";
import { Choice, Slider } from "./parts.js";

const STEPS = 40;
const PULSE = 5; // the step that the pulse comes at
const CELLS = {
  lstm: { gates: ["i", "f", "o"], shown: ["x", "c", "h"], states: ["i", "f", "o"], candidate: "g" },
  gru: { gates: ["r", "z"], shown: ["x", "n", "h"], states: ["r", "z"], candidate: "n" },
  rnn: { gates: [], shown: ["x", "h"], states: [], candidate: "h" },
};
// Weight of the state in the candidate, to begin with.
const BACK = { lstm: 0, gru: 0.9, rnn: 0.9 };
// How open each gate stands by itself: the bias, before the sigmoid.
const PRESETS = {
  lstm: {
    keeps: { i: -3, f: 5, o: 3 }, forgets: { i: 3, f: 0.5, o: 3 }, shut: { i: -6, f: 3, o: 3 }, hides: { i: 3, f: 4, o: -4 },
  },
  gru: { keeps: { r: 2, z: 3.5 }, forgets: { r: 2, z: -0.5 }, shut: { r: 2, z: 6 }, alone: { r: -5, z: 0.5 } },
  rnn: { keeps: {}, forgets: {} },
};

export function Lesson() {
  const [cell, setCell] = useState("lstm");
  const [biases, setBiases] = useState(PRESETS.lstm.keeps);
  const [write, setWrite] = useState(6);
  const [back, setBack] = useState(BACK.lstm);
  const [height, setHeight] = useState(1);
  const choose = (name) => {
    setCell(name);
    setBack(BACK[name]);
    setBiases(PRESETS[name].keeps);
  };
  const { gates, shown, states, candidate } = CELLS[cell];
  const course = useMemo(() => run(cell, biases, write, back, height), [cell, biases, write, back, height]);
  const steps = useMemo(() => course.map((_, n) => n), [course]);
  const data = useMemo(() => [steps, ...shown.map((name) => course.map((at) => at[name]))], [course]);
  const open = useMemo(() => [steps, ...states.map((name) => course.map((at) => at[name]))], [course]);
  const left = course.at(-1).h;
  const most = Math.max(1.25, Math.ceil(course.reduce((so, at) => Math.max(so, Math.abs(at.c ?? 0)), 0)));
  const said = t("learn.gates.said", { h: number(course[PULSE].h, 2), left: number(left, 2), steps: STEPS - 1 - PULSE });
  return html`
    <${Choice} legend=${t("learn.gates.cell")} value=${cell} onValue=${choose} options=${[["lstm", "LSTM"], ["gru", "GRU"], ["rnn", t("learn.gates.simple")]]} />
    ${gates.length > 0 && html`
      <div class="row presets">
        ${Object.entries(PRESETS[cell]).map(([name, values]) => html`
          <button type="button" key=${name} onClick=${() => setBiases(values)}>${t(`learn.gates.${name}`)}</button>
        `)}
      </div>
    `}
    <div class="controls">
      ${gates.map((gate) => html`
        <${Slider} key=${gate} label=${t(`learn.gates.${gate}`)} value=${biases[gate]} min=${-8} max=${8} step=${0.1}
          shown=${(value) => t("learn.gates.open", { share: Math.round(100 * sigmoid(value)) })}
          onValue=${(value) => setBiases({ ...biases, [gate]: value })} />
      `)}
      ${gates.length > 0 && html`<${Slider} label=${t("learn.gates.write")} value=${write} min=${0} max=${10} step=${0.5} onValue=${setWrite} />`}
      <${Slider} label=${t("learn.gates.back", { name: candidate })} value=${back} min=${-1.5} max=${1.5} step=${0.05} onValue=${setBack} />
      <${Slider} label=${t("learn.gates.pulse")} value=${height} min=${-2} max=${2} step=${0.1} onValue=${setHeight} />
    </div>
    <p class="reading" role="status">${said}</p>
    <${Chart} data=${data} series=${shown.map((name) => ({ label: t(`learn.gates.line.${name}`), dash: name === "x" ? [4, 4] : undefined }))}
      x=${t("learn.steps")} height=${240} range=${[-most, most]} label=${said} />
    ${states.length > 0 && html`
      <h2>${t("learn.gates.gates")}</h2>
      <${Chart} data=${open} series=${states.map((name) => ({ label: t(`learn.gates.${name}`) }))} x=${t("learn.steps")}
        height=${200} range=${[0, 1.02]} label=${t("learn.gates.gates")} />
    `}
  `;
}

/**
 * One unit reads a pulse. The gate that writes (i; z, which writes where it is shut) opens with the input by `write`;
 * the candidate sees the pulse, and the state before by `back`.
 */
function run(cell, biases, write, back, height) {
  const inputs = Array.from({ length: STEPS }, (_, step) => (step === PULSE ? height : 0));
  const opening = height < 0 ? -write : write;
  if (cell === "rnn") return simple({ h: { x: 1.5, h: back, b: 0 } }, inputs);
  const gate = (name, x = 0) => ({ x, h: 0, b: biases[name] });
  if (cell === "lstm") {
    return lstm({ i: gate("i", opening), f: gate("f"), o: gate("o"), g: { x: 1.5, h: back, b: 0 } }, inputs);
  }
  return gru({ r: gate("r"), z: gate("z", -opening), n: { x: 1.5, h: back, b: 0 } }, inputs);
}
