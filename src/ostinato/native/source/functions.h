// Functions of vectors that compiled cells may use beside those of vectors.h. Each within a few units in the last place, as
// tests/unit/compiler/test_functions.py measures; NaN of NaN.
#pragma once

#include "vectors.h"

namespace ostinato {
namespace OSTINATO_ISA {

OSTINATO_INLINE V load_part(const float* p, int n) { return n == W ? load(p) : load_first(p, n); }
OSTINATO_INLINE void store_part(float* p, V v, int n) {
    if (n == W)
        store(p, v);
    else
        store_first(p, v, n);
}

OSTINATO_INLINE V chosen(VI condition, V yes, V no) { return condition ? yes : no; }
OSTINATO_INLINE V truth(VI condition) { return chosen(condition, broadcast(1.0f), broadcast(0.0f)); }
OSTINATO_INLINE V less(V a, V b) { return truth(a < b); }
OSTINATO_INLINE V less_equal(V a, V b) { return truth(a <= b); }
OSTINATO_INLINE V equal(V a, V b) { return truth(a == b); }
OSTINATO_INLINE V where(V condition, V yes, V no) { return chosen(condition != broadcast(0.0f), yes, no); }
// Unlike least_of and most_of, NaN where either is.
OSTINATO_INLINE V smaller_of(V a, V b) { return chosen((a < b) | (a != a), a, b); }
OSTINATO_INLINE V larger_of(V a, V b) { return chosen((a > b) | (a != a), a, b); }
OSTINATO_INLINE V absolute(V x) { return reinterpret_cast<V>(reinterpret_cast<VI>(x) & 0x7fffffff); }
OSTINATO_INLINE V abs(V x) { return absolute(x); }
OSTINATO_INLINE V sign(V x) {
    return chosen(x > broadcast(0.0f), broadcast(1.0f), chosen(x < broadcast(0.0f), broadcast(-1.0f), x));
}
OSTINATO_INLINE V quotient_of(V a, V b) { return a / b; }

OSTINATO_INLINE float sum_of(V v) {
    float lanes[W], sum = 0;
    store(lanes, v);
    for (float lane : lanes) sum += lane;
    return sum;
}
OSTINATO_INLINE float largest_of(V v) {
    float lanes[W], found;
    store(lanes, v);
    found = lanes[0];
    for (float lane : lanes) found = lane > found || lane != lane ? lane : found;
    return found;
}
OSTINATO_INLINE V first_or_least(V v, int n) {
    if (n == W) return v;
    float lanes[W];
    store(lanes, v);
    for (int i = n; i < W; ++i) lanes[i] = -__builtin_inff();
    return load(lanes);
}

OSTINATO_INLINE V sqrt(V x) {
#if defined(__AVX512F__)
    return _mm512_sqrt_ps(x);
#elif defined(__AVX2__)
    return _mm256_sqrt_ps(x);
#elif defined(__x86_64__)
    return _mm_sqrt_ps(x);
#elif defined(__aarch64__)
    return vsqrtq_f32(x);
#else
    for (int i = 0; i < W; ++i) x[i] = __builtin_sqrtf(x[i]);
    return x;
#endif
}
OSTINATO_INLINE V rsqrt(V x) { return broadcast(1.0f) / sqrt(x); }

OSTINATO_INLINE V power_of_two(VI n) { return reinterpret_cast<V>((n + 127) << 23); }

// The nearest whole number, of numbers below 2^22 in size.
OSTINATO_INLINE V nearest(V x, VI& whole) {
    const V shift = broadcast(12582912.0f);
    V shifted = x + shift;
    whole = reinterpret_cast<VI>(shifted) - 0x4b400000;
    return shifted - shift;
}

// e^x with the polynomial of `decay`; 2^n in two factors, so that neither overflows.
OSTINATO_INLINE V exponential_of(V x) {
    V bounded = most_of(broadcast(-104.0f), least_of(broadcast(89.0f), x));
    VI n;
    V whole = nearest(bounded * broadcast(1.44269504f), n);
    V f = fma(whole, broadcast(2.12194440e-4f), fma(whole, broadcast(-0.693359375f), bounded));
    V p = broadcast(1.9875691500e-4f);
    p = fma(p, f, broadcast(1.3981999507e-3f));
    p = fma(p, f, broadcast(8.3334519073e-3f));
    p = fma(p, f, broadcast(4.1665795894e-2f));
    p = fma(p, f, broadcast(1.6666665459e-1f));
    p = fma(p, f, broadcast(5.0000001201e-1f));
    p = fma(p, f * f, f) + broadcast(1.0f);
    VI half = n >> 1;
    V found = p * power_of_two(half) * power_of_two(n - half);
    return chosen(x != x, x, found);
}

// log of the mantissa within sqrt(1/2) and sqrt(2), and the exponent apart.
OSTINATO_INLINE V log(V x) {
    const V smallest = broadcast(1.17549435e-38f);
    VI tiny = x < smallest;
    V scaled = chosen(tiny, x * broadcast(8388608.0f), x);
    VI bits = reinterpret_cast<VI>(scaled);
    VI exponent = ((bits - 0x3f3504f3) >> 23);
    V m = reinterpret_cast<V>(bits - (exponent << 23)) - broadcast(1.0f);
    V e = __builtin_convertvector(exponent, V) - chosen(tiny, broadcast(23.0f), broadcast(0.0f));
    V p = broadcast(7.0376836292e-2f);
    p = fma(p, m, broadcast(-1.1514610310e-1f));
    p = fma(p, m, broadcast(1.1676998740e-1f));
    p = fma(p, m, broadcast(-1.2420140846e-1f));
    p = fma(p, m, broadcast(1.4249322787e-1f));
    p = fma(p, m, broadcast(-1.6668057665e-1f));
    p = fma(p, m, broadcast(2.0000714765e-1f));
    p = fma(p, m, broadcast(-2.4999993993e-1f));
    p = fma(p, m, broadcast(3.3333331174e-1f));
    V square = m * m;
    V y = fma(e, broadcast(-2.12194440e-4f), p * m * square);
    y = fma(square, broadcast(-0.5f), y);
    V found = fma(e, broadcast(0.693359375f), m + y);
    found = chosen(x == broadcast(0.0f), broadcast(-__builtin_inff()), found);
    found = chosen(x < broadcast(0.0f), broadcast(__builtin_nanf("")), found);
    return chosen((x == broadcast(__builtin_inff())) | (x != x), x, found);
}

// Of the rounding error of 1 + x the quotient takes care (Higham's).
OSTINATO_INLINE V log1p(V x) {
    V u = broadcast(1.0f) + x;
    V found = log(u) * (x / (u - broadcast(1.0f)));
    return chosen((u == broadcast(1.0f)) | (x == broadcast(__builtin_inff())), x, found);
}

// Near 0 as 2 t / (1 - t), t = tanh(x / 2).
OSTINATO_INLINE V expm1(V x) {
    V t = tanh(x * broadcast(0.5f));
    V near = broadcast(2.0f) * t / (broadcast(1.0f) - t);
    return chosen(absolute(x) < broadcast(1.0f), near, exponential_of(x) - broadcast(1.0f));
}

OSTINATO_INLINE V softplus(V x) {
    return larger_of(x, broadcast(0.0f)) + log1p(exponential_of(-absolute(x)));
}

// Sine and cosine from a quarter of the circle: 2 / pi in three parts, good to some 10^4; the few beyond one by one.
OSTINATO_INLINE V circular(V x, int quarter) {
    VI n;
    V whole = nearest(x * broadcast(0.636619772f), n);
    V f = fma(whole, broadcast(-1.5707855225f), x);
    f = fma(whole, broadcast(-1.0804273188e-5f), f);
    f = fma(whole, broadcast(-6.0770999344e-11f), f);
    V square = f * f;
    V s = fma(square, broadcast(-1.9515295891e-4f), broadcast(8.3321608736e-3f));
    s = fma(s, square, broadcast(-1.6666654611e-1f));
    s = fma(s * square, f, f);
    V c = fma(square, broadcast(2.443315711809948e-5f), broadcast(-1.388731625493765e-3f));
    c = fma(c, square, broadcast(4.166664568298827e-2f));
    c = fma(c * square, square, fma(square, broadcast(-0.5f), broadcast(1.0f)));
    n = n + quarter;
    V found = chosen((n & 1) == 0, s, c);
    found = chosen((n & 2) == 0, found, -found);
    VI far = !(absolute(x) < broadcast(8192.0f));
    for (int i = 0; i < W; ++i)
        if (far[i]) {
            const double wide = x[i] - x[i] == 0 ? x[i] : __builtin_nan("");
            const double turns = __builtin_floor(wide * 0.63661977236758134308 + 0.5);
            const double rest = (wide - turns * 1.57079632679489655800) - turns * 6.12323399573676603587e-17;
            const int64_t q = static_cast<int64_t>(turns - 4 * __builtin_floor(turns / 4)) + quarter;
            const double z = rest * rest;
            const double sine = rest * (1 + z * (-1.0 / 6 + z * (1.0 / 120 + z * (-1.0 / 5040 + z / 362880))));
            const double cosine = 1 + z * (-0.5 + z * (1.0 / 24 + z * (-1.0 / 720 + z * (1.0 / 40320 - z / 3628800))));
            const double value = q & 1 ? cosine : sine;
            found[i] = static_cast<float>(q & 2 ? -value : value);
        }
    return found;
}
OSTINATO_INLINE V sin(V x) { return circular(x, 0); }
OSTINATO_INLINE V cos(V x) { return circular(x, 1); }

// Abramowitz and Stegun 7.1.6 near 0, 1 - e^-x^2 P(t) beyond.
OSTINATO_INLINE V erf(V x) {
    V a = absolute(x), square = x * x;
    V p = broadcast(-5.6271698e-4f);
    p = fma(p, square, broadcast(4.9180430e-3f));
    p = fma(p, square, broadcast(-2.6789756e-2f));
    p = fma(p, square, broadcast(1.1280523e-1f));
    p = fma(p, square, broadcast(-3.7612507e-1f));
    V near = fma(x, p * square, x * broadcast(1.1283792f));
    V t = broadcast(1.0f) / fma(a, broadcast(0.3275911f), broadcast(1.0f));
    V q = fma(t, broadcast(1.061405429f), broadcast(-1.453152027f));
    q = fma(q, t, broadcast(1.421413741f));
    q = fma(q, t, broadcast(-0.284496736f));
    q = fma(q, t, broadcast(0.254829592f)) * t;
    V far = broadcast(1.0f) - q * exponential_of(-square);
    far = chosen(x < broadcast(0.0f), -far, far);
    return chosen(a < broadcast(0.75f), near, far);
}

// Of a negative base, whole exponents alone.
OSTINATO_INLINE V power(V x, V y) {
    V size = exponential_of(y * log(absolute(x)));
    VI n;
    V whole = nearest(y, n);
    V signed_size = chosen((n & 1) == 0, size, -size);
    V negative = chosen(whole == y, signed_size, broadcast(__builtin_nanf("")));
    V found = chosen(x < broadcast(0.0f), negative, size);
    found = chosen(x == broadcast(0.0f), chosen(y > broadcast(0.0f), broadcast(0.0f), broadcast(__builtin_inff())), found);
    return chosen(y == broadcast(0.0f), broadcast(1.0f), found);
}

}  // namespace OSTINATO_ISA
}  // namespace ostinato
