// A gradient on its way back through a recurrent network.
import { addProduct, matrix, norm, orthogonal, scaled, spectralRadius } from "./linear.js";
import { normal } from "./random.js";

/** A recurrent matrix of H units: "random" normal numbers, or "orthogonal". Its spectral radius is one. */
export function recurrentMatrix(kind, H, seed) {
  const draw = normal(seed);
  const random = matrix(H, H, draw);
  return kind === "orthogonal" ? orthogonal(random) : scaled(random, 1 / spectralRadius(random));
}

/**
 * The gradient by the state after each step, of the sum of the last state's units over sqrt(H): dL/dh_T is of norm 1.
 * @param W        the recurrent matrix
 * @param states   h_1, ..., h_T where tanh squashes; null for the linear network, where no state matters
 * @param T        steps
 * @returns the gradients, by step
 */
export function gradientBack(W, states, T) {
  const H = W.rows;
  const gradients = new Array(T);
  let g = new Float64Array(H).fill(1 / Math.sqrt(H));
  for (let t = T - 1; t >= 0; t--) {
    gradients[t] = g;
    const before = states ? g.map((value, unit) => value * (1 - states[t][unit] ** 2)) : g;
    g = addProduct(new Float64Array(H), W, before, true);
  }
  return gradients;
}

/** States of h_t = tanh(W h_{t-1} + x_t), with inputs of some size. */
export function drivenStates(W, T, size, seed) {
  const draw = normal(seed);
  let h = new Float64Array(W.rows);
  return Array.from({ length: T }, () => {
    h = addProduct(Float64Array.from(h, () => size * draw()), W, h).map(Math.tanh);
    return h;
  });
}

export const norms = (gradients) => gradients.map(norm);
