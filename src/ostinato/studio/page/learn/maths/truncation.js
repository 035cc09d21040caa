// A task that needs a memory of some steps, and networks that learn it in pieces: the answer at each step is the sign
// that was read `delay` steps before.
import { adam, backward, clip, createRnn, forward, squaredError, zerosLike } from "./rnn.js";
import { uniform } from "./random.js";

/** Signs and, from step `delay` on, what to answer; vectors of one number each. */
export function signs(count, delay, draw) {
  const inputs = Array.from({ length: count }, () => [draw() < 0.5 ? -1 : 1]);
  return { inputs, targets: inputs.map((_, t) => (t < delay ? [0] : inputs[t - delay])) };
}

/**
 * One pass over a sequence cut into pieces.
 * @param length  steps of a piece, that the gradient goes back through at most
 * @param keep    whether a piece begins with the state that the one before ended with, or with zeros
 * @param learn   called with each piece's gradients, summed over the sequences; null learns nothing
 * @returns the mean loss of the steps that have an answer
 */
export function pass(weights, sequences, delay, length, keep, learn) {
  const T = sequences[0].inputs.length;
  const states = sequences.map(() => null);
  let [loss, pieces] = [0, 0];
  for (let begin = 0; begin < T; begin += length) {
    const total = zerosLike(weights);
    const answered = Math.max(0, Math.min(length, T - begin) - Math.max(0, delay - begin));
    sequences.forEach(({ inputs, targets }, number) => {
      const run = forward(weights, inputs.slice(begin, begin + length), keep ? states[number] : null);
      states[number] = run.states.at(-1);
      if (!answered) return;
      const from = Math.max(0, delay - begin);
      const error = squaredError(run.scores, targets.slice(begin, begin + length), from);
      loss += (error.loss * answered) / sequences.length;
      const { gradients } = backward(weights, run, error.gradients);
      for (const [name, { data }] of Object.entries(gradients)) {
        data.forEach((value, k) => (total[name].data[k] += value / sequences.length));
      }
    });
    pieces += answered;
    if (learn && answered) learn(total);
  }
  return loss / pieces;
}

/** A network that learns: each call of `step` reads fresh sequences once, and gives the loss on them. */
export function learner({ delay, length, keep, units = 12, batch = 12, T = 24, rate = 0.01, seed = 1 }) {
  const weights = createRnn(1, units, 1, seed);
  const take = adam(weights, rate);
  const draw = uniform(seed + 99);
  const learn = (gradients) => {
    clip(gradients, 1);
    take(gradients);
  };
  return {
    weights,
    step() {
      const sequences = Array.from({ length: batch }, () => signs(T, delay, draw));
      return pass(weights, sequences, delay, length, keep, learn);
    },
  };
}

/** |dL_t/dh_s| of each step's own error t by each state s, `[T][T]`, 0 where the way back is cut. */
export function reach(weights, inputs, targets, length) {
  const run = forward(weights, inputs);
  return inputs.map((_, t) => {
    const own = run.scores.map((row, step) => Float64Array.from(row, (z, k) => (step === t ? z - targets[t][k] : 0)));
    const { along } = backward(weights, run, own, length);
    return along.map((gradient) => Math.hypot(...gradient));
  });
}
