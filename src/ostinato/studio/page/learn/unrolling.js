// 1: a recurrent network unrolled over a word, trained as one looks on.
import { html, useMemo, useRef, useState } from "../lib/ui.js";
import { Chart } from "../lib/chart.js";
import { Field } from "../lib/parts.js";
import { number, t } from "../lib/i18n.js";
import { softmax } from "./maths/linear.js";
import { adam, backward, createRnn, crossEntropy, forward, oneHot } from "./maths/rnn.js";
import { Heat, rowsOf, useTicks } from "./parts.js";

const UNITS = 8;
const UPDATES = 180;
const RATE = 0.03;

/** A network for a word: its letters, what is read and what is to come, fresh weights. */
function begin(word, seed) {
  const letters = [...new Set(word)];
  const ids = [...word].map((letter) => letters.indexOf(letter));
  const weights = createRnn(letters.length, UNITS, letters.length, seed);
  return {
    word, letters, weights, take: adam(weights, RATE), losses: [], updates: 0,
    inputs: ids.slice(0, -1).map((id) => oneHot(id, letters.length)), targets: ids.slice(1),
  };
}

function update(net) {
  const run = forward(net.weights, net.inputs);
  const { loss, gradients } = crossEntropy(run.scores, net.targets);
  net.take(backward(net.weights, run, gradients).gradients);
  net.losses.push(loss);
  net.updates += 1;
}

export function Lesson() {
  const [seed, setSeed] = useState(3);
  const [word, setWord] = useState("hello");
  const [training, setTraining] = useState(false);
  const [step, setStep] = useState(0);
  const [, draw] = useState(0);
  const network = useRef(null);
  const known = `${word} ${seed}`;
  if (network.current?.known !== known) network.current = { ...begin(word, seed), known };
  const net = network.current;
  useTicks(training, () => {
    update(net);
    draw(net.updates);
    return net.updates % UPDATES !== 0;
  }, () => setTraining(false));
  const run = forward(net.weights, net.inputs);
  const { loss } = crossEntropy(run.scores, net.targets);
  const chosen = Math.min(step, net.inputs.length - 1);
  const again = (what) => {
    setTraining(false);
    what();
    setStep(0);
  };
  const typed = (event) => {
    const text = event.target.value.toLowerCase().replace(/\s/g, "").slice(0, 8);
    if (text.length > 1) again(() => setWord(text));
  };
  return html`
    <div class="row controls">
      <${Field} label=${t("learn.unrolling.word")}>
        ${(id) => html`<input id=${id} size="9" maxlength="8" value=${word} onChange=${typed} />`}
      <//>
      <button type="button" class="primary" onClick=${() => setTraining(!training)}>
        ${t(training ? "learn.stop" : net.updates ? "learn.unrolling.further" : "learn.train")}
      </button>
      <button type="button" onClick=${() => setStep((chosen + 1) % net.inputs.length)}>${t("learn.unrolling.step")}</button>
      <button type="button" onClick=${() => again(() => setSeed(seed + 1))}>${t("learn.fresh")}</button>
      <output class="figures">${t("learn.unrolling.state", { updates: net.updates, loss: number(loss, 3) })}</output>
    </div>
    <${Unrolled} net=${net} run=${run} chosen=${chosen} choose=${setStep} />
    <p class="reading" role="status">${said(net, run, chosen)}</p>
    <${Weights} net=${net} />
    <${Losses} net=${net} />
  `;
}

function said(net, run, step) {
  const shares = softmax(run.scores[step]);
  const best = shares.indexOf(Math.max(...shares));
  return t("learn.unrolling.said", {
    step: step + 1, read: net.word[step], best: net.letters[best], share: Math.round(100 * shares[best]),
    right: net.word[step + 1], chance: Math.round(100 * shares[net.targets[step]]),
  });
}

function Unrolled({ net, run, chosen, choose }) {
  return html`
    <div class="scroller" tabindex="0" role="region" aria-label=${t("learn.unrolling.picture")}>
      <ol class="unrolled">
        ${net.inputs.map((_, at) => html`
          <li key=${at} class=${at === chosen ? "here" : ""}>
            <button type="button" aria-pressed=${at === chosen} onClick=${() => choose(at)}>
              <${Shares} net=${net} shares=${softmax(run.scores[at])} right=${net.targets[at]} />
              <span class="arrow" aria-hidden="true">↑ W<sub>hy</sub></span>
              <${Heat} rows=${Array.from(run.states[at], (value) => [value])} cell=${16} label=${said(net, run, at)} />
              <span class="arrow" aria-hidden="true">↑ W<sub>xh</sub></span>
              <span class="letter">${net.word[at]}</span>
            </button>
            ${at + 1 < net.inputs.length && html`<span class="across" aria-hidden="true">W<sub>hh</sub><br />→</span>`}
          </li>
        `)}
      </ol>
    </div>
  `;
}

function Shares({ net, shares, right }) {
  return html`
    <span class="shares" aria-hidden="true">
      ${shares.map((share, k) => html`
        <span key=${k} class=${k === right ? "right" : ""}>
          <i style=${{ height: `${Math.round(44 * share)}px` }}></i>${net.letters[k]}
        </span>
      `)}
    </span>
  `;
}

function Weights({ net }) {
  const names = [["W_xh", "learn.unrolling.xh"], ["W_hh", "learn.unrolling.hh"], ["W_hy", "learn.unrolling.hy"]];
  return html`
    <h2>${t("learn.unrolling.weights")}</h2>
    <p class="prose">${t("learn.unrolling.shared", { n: net.inputs.length })}</p>
    <div class="matrices">
      ${names.map(([name, about]) => html`
        <figure key=${name}>
          <${Heat} rows=${rowsOf(net.weights[name])} least=${-2} most=${2} label=${t(about)} />
          <figcaption>${name.split("_")[0]}<sub>${name.split("_")[1]}</sub>: ${t(about)}</figcaption>
        </figure>
      `)}
    </div>
  `;
}

function Losses({ net }) {
  const data = useMemo(() => [net.losses.map((_, n) => n + 1), [...net.losses]], [net.losses.length, net]);
  const series = [{ label: t("learn.loss") }];
  return html`
    <h2>${t("learn.unrolling.course")}</h2>
    <${Chart} data=${data} series=${series} x=${t("learn.updates")} height=${200}
      label=${t("learn.unrolling.state", { updates: net.updates, loss: number(net.losses.at(-1) ?? NaN, 3) })} />
  `;
}
