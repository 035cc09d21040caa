// Vectors and matrices in double precision. A matrix is { rows, columns, data }, its rows one after the other.

export function matrix(rows, columns, fill = () => 0) {
  const data = new Float64Array(rows * columns);
  for (let place = 0; place < data.length; place++) data[place] = fill(place);
  return { rows, columns, data };
}

/** y += A x, or y += A^T x. */
export function addProduct(y, A, x, transposed = false) {
  const { rows, columns, data } = A;
  for (let row = 0; row < rows; row++) {
    const begin = row * columns;
    if (transposed) {
      for (let column = 0; column < columns; column++) y[column] += data[begin + column] * x[row];
    } else {
      let sum = 0;
      for (let column = 0; column < columns; column++) sum += data[begin + column] * x[column];
      y[row] += sum;
    }
  }
  return y;
}

/** A += y x^T. */
export function addOuter(A, y, x) {
  for (let row = 0; row < A.rows; row++) {
    const begin = row * A.columns;
    for (let column = 0; column < A.columns; column++) A.data[begin + column] += y[row] * x[column];
  }
}

export function product(A, B) {
  const C = matrix(A.rows, B.columns);
  for (let row = 0; row < A.rows; row++) {
    for (let k = 0; k < A.columns; k++) {
      const a = A.data[row * A.columns + k];
      for (let column = 0; column < B.columns; column++) {
        C.data[row * B.columns + column] += a * B.data[k * B.columns + column];
      }
    }
  }
  return C;
}

export const scaled = (A, by) => ({ ...A, data: A.data.map((value) => value * by) });

export function norm(values) {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum);
}

/**
 * The largest absolute value among the eigenvalues: the limit of |A^k|^(1/k) (Gelfand), with k doubled by squaring. The
 * logarithm of each power's size is kept aside, so that nothing overflows.
 */
export function spectralRadius(A, squarings = 40) {
  let power = A;
  let logarithm = 0;
  for (let n = 0; n < squarings; n++) {
    const size = norm(power.data);
    if (size === 0) return 0;
    power = scaled(power, 1 / size);
    logarithm += Math.log(size) / 2 ** n;
    power = product(power, power);
  }
  return Math.exp(logarithm + Math.log(norm(power.data)) / 2 ** squarings);
}

/** The nearest thing to A whose columns are at right angles and of length 1 (Gram and Schmidt, twice for rounding). */
export function orthogonal(A) {
  const Q = { ...A, data: A.data.slice() };
  const n = A.columns;
  const at = (row, column) => row * n + column;
  for (let column = 0; column < n; column++) {
    for (let pass = 0; pass < 2; pass++) {
      for (let other = 0; other < column; other++) {
        let dot = 0;
        for (let row = 0; row < A.rows; row++) dot += Q.data[at(row, column)] * Q.data[at(row, other)];
        for (let row = 0; row < A.rows; row++) Q.data[at(row, column)] -= dot * Q.data[at(row, other)];
      }
    }
    let size = 0;
    for (let row = 0; row < A.rows; row++) size += Q.data[at(row, column)] ** 2;
    for (let row = 0; row < A.rows; row++) Q.data[at(row, column)] /= Math.sqrt(size);
  }
  return Q;
}

export const sigmoid = (value) => 1 / (1 + Math.exp(-value));

/** Probabilities from scores. */
export function softmax(scores) {
  const most = Math.max(...scores);
  const shares = Array.from(scores, (score) => Math.exp(score - most));
  const sum = shares.reduce((one, other) => one + other, 0);
  return shares.map((share) => share / sum);
}
