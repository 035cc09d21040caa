// A simple recurrent network with an output at every step, its gradients by hand, and Adam:
//
//   h_t = tanh(W_xh x_t + W_hh h_{t-1} + b_h)
//   z_t = W_hy h_t + b_y
import { addOuter, addProduct, matrix, softmax } from "./linear.js";
import { normal } from "./random.js";

/** Weights of D inputs, H units and O outputs: normal, so that sums have a deviation of about one. */
export function createRnn(D, H, O, seed = 1, gain = 0.9) {
  const draw = normal(seed);
  return {
    W_xh: matrix(H, D, () => draw() / Math.sqrt(Math.max(1, D / 2))),
    W_hh: matrix(H, H, () => (gain * draw()) / Math.sqrt(H)),
    b_h: matrix(H, 1),
    W_hy: matrix(O, H, () => draw() / Math.sqrt(H)),
    b_y: matrix(O, 1),
  };
}

export const zerosLike = (weights) =>
  Object.fromEntries(Object.entries(weights).map(([name, W]) => [name, matrix(W.rows, W.columns)]));

/** Hidden states and scores of a sequence of vectors, from a state before it. */
export function forward(weights, inputs, start = null) {
  const { W_xh, W_hh, b_h, W_hy, b_y } = weights;
  const first = start ?? new Float64Array(W_hh.rows);
  const states = [];
  const scores = [];
  let h = first;
  for (const x of inputs) {
    h = addProduct(addProduct(b_h.data.slice(), W_xh, x), W_hh, h).map(Math.tanh);
    states.push(h);
    scores.push(addProduct(b_y.data.slice(), W_hy, h));
  }
  return { inputs, first, states, scores };
}

/** The mean cross-entropy of the class that is right at each step, in nats, and its gradient by the scores. */
export function crossEntropy(scores, targets) {
  let loss = 0;
  const gradients = scores.map((row, t) => {
    const shares = softmax(row);
    loss -= Math.log(shares[targets[t]]) / targets.length;
    return Float64Array.from(shares, (share, k) => (share - (k === targets[t] ? 1 : 0)) / targets.length);
  });
  return { loss, gradients };
}

/** The mean squared error over steps from `from` on, and its gradient by the scores. */
export function squaredError(scores, targets, from = 0) {
  let loss = 0;
  const count = (scores.length - from) * (scores[0]?.length ?? 1);
  const gradients = scores.map((row, t) =>
    Float64Array.from(row, (value, k) => {
      const apart = t < from ? 0 : value - targets[t][k];
      loss += apart ** 2 / count;
      return (2 * apart) / count;
    }),
  );
  return { loss, gradients };
}

/**
 * Backpropagation through time: gradients by the weights from those by the scores. Every `length` steps, counted from
 * the first, the way back is cut, as truncated backpropagation does; 0 cuts nowhere.
 * @returns { gradients, along }: of the loss by each state h_t, all ways taken together
 */
export function backward(weights, run, byScores, length = 0) {
  const gradients = zerosLike(weights);
  const { inputs, states, first } = run;
  const along = new Array(states.length);
  let next = new Float64Array(weights.W_hh.rows);
  for (let t = states.length - 1; t >= 0; t--) {
    const h = states[t];
    const dh = addProduct(next, weights.W_hy, byScores[t], true);
    along[t] = dh;
    addOuter(gradients.W_hy, byScores[t], h);
    addOuter(gradients.b_y, byScores[t], [1]);
    const ds = dh.map((value, unit) => value * (1 - h[unit] ** 2));
    addOuter(gradients.W_xh, ds, inputs[t]);
    addOuter(gradients.W_hh, ds, t ? states[t - 1] : first);
    addOuter(gradients.b_h, ds, [1]);
    next = new Float64Array(h.length);
    if (!length || t % length) addProduct(next, weights.W_hh, ds, true);
  }
  return { gradients, along };
}

/** The norm of all gradients taken as one vector. */
export function totalNorm(gradients) {
  let sum = 0;
  for (const { data } of Object.values(gradients)) for (const value of data) sum += value * value;
  return Math.sqrt(sum);
}

/** Scale gradients down in place so that their total norm is the threshold at most; gives the norm before. */
export function clip(gradients, threshold) {
  const size = totalNorm(gradients);
  if (size > threshold) {
    for (const { data } of Object.values(gradients)) data.forEach((value, k) => (data[k] = (value * threshold) / size));
  }
  return size;
}

/** Adam (Kingma, Ba 2015): a function that takes a step, in place. */
export function adam(weights, rate, [b1, b2] = [0.9, 0.999], epsilon = 1e-8) {
  const means = zerosLike(weights);
  const squares = zerosLike(weights);
  let steps = 0;
  return (gradients) => {
    steps += 1;
    for (const [name, W] of Object.entries(weights)) {
      const [g, m, v] = [gradients[name].data, means[name].data, squares[name].data];
      for (let k = 0; k < g.length; k++) {
        m[k] = b1 * m[k] + (1 - b1) * g[k];
        v[k] = b2 * v[k] + (1 - b2) * g[k] ** 2;
        const spread = Math.sqrt(v[k] / (1 - b2 ** steps)) + epsilon;
        W.data[k] -= ((rate / (1 - b1 ** steps)) * m[k]) / spread;
      }
    }
  };
}

/** One of V: a vector of zeros with a one. */
export const oneHot = (index, V) => Float64Array.from({ length: V }, (_, k) => (k === index ? 1 : 0));
