// Cells with a single unit, whose gates can be followed by eye. Weights of a gate are { x, h, b }: of the input, of the
// state before, and the bias.
import { sigmoid } from "./linear.js";

const sum = (gate, x, h) => gate.x * x + gate.h * h + gate.b;

/**
 * An LSTM:
 *   i, f, o = sigmoid(...)    g = tanh(...)    c = f c + i g    h = o tanh(c)
 * @returns of each step { x, i, f, g, o, c, h }
 */
export function lstm(weights, inputs) {
  let [h, c] = [0, 0];
  return inputs.map((x) => {
    const [i, f, o] = [weights.i, weights.f, weights.o].map((gate) => sigmoid(sum(gate, x, h)));
    const g = Math.tanh(sum(weights.g, x, h));
    c = f * c + i * g;
    h = o * Math.tanh(c);
    return { x, i, f, g, o, c, h };
  });
}

/**
 * A GRU, its reset gate after the recurrent product as in torch:
 *   r, z = sigmoid(...)    n = tanh(w_x x + b + r w_h h)    h = (1 - z) n + z h
 * @returns of each step { x, r, z, n, h }
 */
export function gru(weights, inputs) {
  let h = 0;
  return inputs.map((x) => {
    const [r, z] = [weights.r, weights.z].map((gate) => sigmoid(sum(gate, x, h)));
    const n = Math.tanh(weights.n.x * x + weights.n.b + r * weights.n.h * h);
    h = (1 - z) * n + z * h;
    return { x, r, z, n, h };
  });
}

/** A simple recurrent unit: h = tanh(w_x x + w_h h + b). */
export function simple(weights, inputs) {
  let h = 0;
  return inputs.map((x) => {
    h = Math.tanh(sum(weights.h, x, h));
    return { x, h };
  });
}
