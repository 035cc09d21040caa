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

// Past the caches, or not.
template <bool past>
OSTINATO_INLINE void put(float* p, V v) {
    past ? stream(p, v) : store(p, v);
}
template <bool past>
OSTINATO_INLINE void put_part(float* p, V v, int n) {
    n == W ? put<past>(p, v) : store_first(p, v, n);
}

OSTINATO_INLINE V select(VI condition, V yes, V no) { return condition ? yes : no; }
OSTINATO_INLINE V truth(VI condition) { return select(condition, broadcast(1.0f), broadcast(0.0f)); }
OSTINATO_INLINE V less(V a, V b) { return truth(a < b); }
OSTINATO_INLINE V less_equal(V a, V b) { return truth(a <= b); }
OSTINATO_INLINE V equal(V a, V b) { return truth(a == b); }
OSTINATO_INLINE V where(V condition, V yes, V no) { return select(condition != broadcast(0.0f), yes, no); }
// Unlike least_of and most_of, NaN where either is.
OSTINATO_INLINE V smaller_of(V a, V b) { return select((a < b) | (a != a), a, b); }
OSTINATO_INLINE V larger_of(V a, V b) { return select((a > b) | (a != a), a, b); }
OSTINATO_INLINE V absolute(V x) { return reinterpret_cast<V>(reinterpret_cast<VI>(x) & 0x7fffffff); }
OSTINATO_INLINE V abs(V x) { return absolute(x); }
OSTINATO_INLINE V sign(V x) {
    return select(x > broadcast(0.0f), broadcast(1.0f), select(x < broadcast(0.0f), broadcast(-1.0f), x));
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
// Within 2 units in the last place.
OSTINATO_INLINE V rsqrt(V x) { return broadcast(1.0f) / sqrt(x); }

OSTINATO_INLINE V power_of_two(VI n) { return reinterpret_cast<V>((n + 127) << 23); }

// The nearest whole number, of numbers below 2^22 in size.
OSTINATO_INLINE V nearest(V x, VI& whole) {
    const V shift = broadcast(12582912.0f);
    V shifted = x + shift;
    whole = reinterpret_cast<VI>(shifted) - 0x4b400000;
    return shifted - shift;
}

// x = n log 2 + f, |f| not above half of log 2: e^f - 1 is f + f^2 P(f).
OSTINATO_INLINE V remainder_of(V x, V n) { return fma(n, broadcast(2.12194440e-4f), fma(n, broadcast(-0.693359375f), x)); }
OSTINATO_INLINE V exponent_of(V x, VI& n) { return remainder_of(x, nearest(x * broadcast(1.44269504f), n)); }
OSTINATO_INLINE V excess_of(V f) {
    V p = broadcast(1.9875691500e-4f);
    p = fma(p, f, broadcast(1.3981999507e-3f));
    p = fma(p, f, broadcast(8.3334519073e-3f));
    p = fma(p, f, broadcast(4.1665795894e-2f));
    p = fma(p, f, broadcast(1.6666665459e-1f));
    p = fma(p, f, broadcast(5.0000001201e-1f));
    return fma(p, f * f, f);
}

// e^x; 2^n in two factors, so that neither overflows. Within 1 unit in the last place, of numbers below float32's normal
// ones too.
OSTINATO_INLINE V exponential_of(V x) {
    V bounded = most_of(broadcast(-104.0f), least_of(broadcast(89.0f), x));
#if defined(__AVX512F__)
    V whole = _mm512_roundscale_ps(bounded * broadcast(1.44269504f), 0);
    return _mm512_scalef_ps(excess_of(remainder_of(bounded, whole)) + broadcast(1.0f), whole);
#else
    VI n;
    V p = excess_of(exponent_of(bounded, n)) + broadcast(1.0f);
    VI half = n >> 1;
    V found = p * power_of_two(half) * power_of_two(n - half);
    return select(x != x, x, found);
#endif
}

// log of the mantissa within sqrt(1/2) and sqrt(2), and the exponent apart: within 1 unit in the last place.
OSTINATO_INLINE V log(V x) {
    const V smallest = broadcast(1.17549435e-38f);
    VI tiny = x < smallest;
    V scaled = select(tiny, x * broadcast(8388608.0f), x);
    VI bits = reinterpret_cast<VI>(scaled);
    VI exponent = ((bits - 0x3f3504f3) >> 23);
    V m = reinterpret_cast<V>(bits - (exponent << 23)) - broadcast(1.0f);
    V e = __builtin_convertvector(exponent, V) - select(tiny, broadcast(23.0f), broadcast(0.0f));
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
    found = select(x == broadcast(0.0f), broadcast(-__builtin_inff()), found);
    found = select(x < broadcast(0.0f), broadcast(__builtin_nanf("")), found);
    return select((x == broadcast(__builtin_inff())) | (x != x), x, found);
}

// Of the rounding error of 1 + x the quotient takes care (Higham's): within 3 units in the last place.
OSTINATO_INLINE V log1p(V x) {
    V u = broadcast(1.0f) + x;
    V found = log(u) * (x / (u - broadcast(1.0f)));
    return select((u == broadcast(1.0f)) | (x == broadcast(__builtin_inff())), x, found);
}

// 2^n (e^f - 1) + (2^n - 1), of half of 2^n, which does not overflow before e^x does: within 6 units in the last place.
OSTINATO_INLINE V expm1(V x) {
    V bounded = most_of(broadcast(-25.0f), least_of(broadcast(89.0f), x));
#if defined(__AVX512F__)
    V whole = _mm512_roundscale_ps(bounded * broadcast(1.44269504f), 0);
    V excess = excess_of(remainder_of(bounded, whole)), half = _mm512_scalef_ps(broadcast(0.5f), whole);
#else
    VI n;
    V excess = excess_of(exponent_of(bounded, n)), half = power_of_two(n - 1);
#endif
    V found = fma(excess, half, half - broadcast(0.5f)) * broadcast(2.0f);
    return select((x != x) | (absolute(x) < broadcast(1.0e-30f)), x, found);
}

// log(1 + e^x), of u = e^-|x| as 2 artanh(u / (2 + u)), whose argument is not above a third: within 3 units in the last place.
OSTINATO_INLINE V softplus(V x) {
    V u = exponential_of(-absolute(x));
    V s = u / (u + broadcast(2.0f)), square = s * s;
    V p = broadcast(1.400600374e-1f);
    p = fma(p, square, broadcast(1.400090009e-1f));
    p = fma(p, square, broadcast(2.001076341e-1f));
    p = fma(p, square, broadcast(3.333320916e-1f));
    return larger_of(x, broadcast(0.0f)) + fma(p * square, s + s, s + s);
}

// Sine and cosine from a quarter of the circle, pi / 2 in three parts of which two are exact times any `whole`: within 2
// units in the last place, but for 1e-9 beside their zeros other than 0. The few numbers beyond 8192 one by one.
OSTINATO_INLINE V circular(V x, int quarter) {
    VI n;
    V whole = nearest(x * broadcast(0.636619772f), n);
    V f = fma(whole, broadcast(-1.5703125f), x);
    f = fma(whole, broadcast(-4.837512969970703125e-4f), f);
    f = fma(whole, broadcast(-7.54978995489188e-8f), f);
    V square = f * f;
    V s = fma(square, broadcast(-1.9515295891e-4f), broadcast(8.3321608736e-3f));
    s = fma(s, square, broadcast(-1.6666654611e-1f));
    s = fma(s * square, f, f);
    V c = fma(square, broadcast(2.443315711809948e-5f), broadcast(-1.388731625493765e-3f));
    c = fma(c, square, broadcast(4.166664568298827e-2f));
    c = fma(c * square, square, fma(square, broadcast(-0.5f), broadcast(1.0f)));
    n = n + quarter;
    V found = select((n & 1) == 0, s, c);
    found = select((n & 2) == 0, found, -found);
    VI far = !(absolute(x) < broadcast(8192.0f));
    for (int i = 0; i < W; ++i)
        if (far[i]) found[i] = static_cast<float>(quarter ? __builtin_cos(x[i]) : __builtin_sin(x[i]));
    return found;
}
OSTINATO_INLINE V sin(V x) { return circular(x, 0); }
OSTINATO_INLINE V cos(V x) { return circular(x, 1); }

// x + x P(x^2) below 1, 1 - e^P(|x|) from there to where float32 knows 1 only: minimax, within 2 units in the last place.
OSTINATO_INLINE V erf(V x) {
    V a = absolute(x), square = x * x;
    V p = fma(square, broadcast(-5.631422165e-4f), broadcast(4.917551414e-3f));
    p = fma(p, square, broadcast(-2.671131130e-2f));
    p = fma(p, square, broadcast(1.128018011e-1f));
    p = fma(p, square, broadcast(-3.761232619e-1f));
    V near = fma(fma(p, square, broadcast(1.283791225e-1f)), x, x);
    V t = least_of(broadcast(4.0f), a);
    V q = fma(t, broadcast(-1.150419257e-3f), broadcast(1.477809874e-2f));
    q = fma(q, t, broadcast(-8.863411228e-2f));
    q = fma(q, t, broadcast(-6.544890354e-1f));
    q = fma(q, t, broadcast(-1.117438421f));
    V far = broadcast(1.0f) - exponential_of(fma(q, t, broadcast(-2.671719392e-3f)));
    far = select(x < broadcast(0.0f), -far, far);
    return select(a < broadcast(1.0f), near, far);
}

typedef double Wide __attribute__((vector_size(8 * W)));

// log2 of positive numbers in float64, to 1e-12: 2 artanh((m - 1) / (m + 1)) / log 2.
OSTINATO_INLINE Wide log2_of(V x) {
    VI tiny = x < broadcast(1.17549435e-38f);
    VI bits = reinterpret_cast<VI>(select(tiny, x * broadcast(8388608.0f), x));
    VI exponent = (bits - 0x3f3504f3) >> 23;
    Wide m = __builtin_convertvector(reinterpret_cast<V>(bits - (exponent << 23)), Wide);
    Wide s = (m - 1.0) / (m + 1.0), square = s * s;
    Wide p = square * (1.0 / 13) + 1.0 / 11;
    p = p * square + 1.0 / 9;
    p = p * square + 1.0 / 7;
    p = p * square + 1.0 / 5;
    p = p * square + 1.0 / 3;
    p = (p * square + 1.0) * s * 2.8853900817779268;
    return p + __builtin_convertvector(exponent + (tiny & -23), Wide);
}

// x^y as C's pow has it: within 1 unit in the last place, the logarithm in float64.
OSTINATO_INLINE V power(V x, V y) {
    const V zero = broadcast(0.0f), one = broadcast(1.0f), infinite = broadcast(__builtin_inff());
    V a = absolute(x);
    Wide z = log2_of(a) * __builtin_convertvector(y, Wide);
    z = z < 200.0 ? z : z * 0.0 + 200.0;
    z = z > -200.0 ? z : z * 0.0 - 200.0;
    Wide whole = (z + 6755399441055744.0) - 6755399441055744.0;
    VI n = __builtin_convertvector(whole, VI);
    V p = exponential_of(__builtin_convertvector((z - whole) * 0.69314718055994531, V));
    VI half = n >> 1;
    V size = p * power_of_two(half) * power_of_two(n - half);
    VI grows = (a > one) == (y > zero);
    VI ends = (a == zero) | (a == infinite) | (absolute(y) == infinite);
    size = select(ends, select(grows, infinite, zero), size);
    size = select((a == one) | (y == zero), one, size);
    // Beyond 2^24 every number is even.
    V size_of_y = absolute(y);
    VI small = size_of_y < broadcast(16777216.0f);
    VI count = __builtin_convertvector(select(small, size_of_y, zero), VI);
    VI odd = small & -(count & 1) & (__builtin_convertvector(count, V) == size_of_y);
    VI broken = small & (__builtin_convertvector(count, V) != size_of_y);
    V found = reinterpret_cast<V>(reinterpret_cast<VI>(size) ^ (reinterpret_cast<VI>(x) & odd & INT32_MIN));
    found = select((x < zero) & (a != infinite) & broken, broadcast(__builtin_nanf("")), found);
    found = select((x != x) | (y != y), x + y, found);
    return select((x == one) | (y == zero), one, found);
}

}  // namespace OSTINATO_ISA
}  // namespace ostinato
