// The network with one unit whose loss has a cliff (Pascanu, Mikolov, Bengio 2013, figure 6):
//   h_t = w sigmoid(h_{t-1}) + b,  h_0 = 0.5,  L = (sigmoid(h_50) - 0.7)^2
import { sigmoid } from "./linear.js";

export const STEPS = 50;
export const TARGET = 0.7;

/** The loss and its gradient by w and b, carried forward along with the state. */
export function cliff(w, b, steps = STEPS) {
  let [h, byW, byB] = [0.5, 0, 0];
  for (let t = 0; t < steps; t++) {
    const s = sigmoid(h);
    const slope = w * s * (1 - s);
    [h, byW, byB] = [w * s + b, s + slope * byW, 1 + slope * byB];
  }
  const y = sigmoid(h);
  const outer = 2 * (y - TARGET) * y * (1 - y);
  return { loss: (y - TARGET) ** 2, byW: outer * byW, byB: outer * byB };
}

/**
 * Steps of gradient descent from a place.
 * @param threshold  at which the gradient's norm is clipped; Infinity for nowhere
 * @returns of each place { w, b, loss, norm }
 */
export function descend({ w, b }, rate, threshold, count) {
  const path = [];
  for (let step = 0; step <= count; step++) {
    const { loss, byW, byB } = cliff(w, b);
    const size = Math.hypot(byW, byB);
    path.push({ w, b, loss, norm: size });
    const shorter = size > threshold ? threshold / size : 1;
    w -= rate * shorter * byW;
    b -= rate * shorter * byB;
  }
  return path;
}
