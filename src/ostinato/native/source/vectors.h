// Vectors of the width that the instruction set of this build has: `V`, `W` floats.
//
// Arithmetic and comparison are the compiler's own vector operators. Everything here lives in a namespace named after
// the instruction set, and no inline function of the standard library is used below this file: the linker keeps one
// copy of such a function, and might keep the one compiled for a machine that this one is not.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#define OSTINATO_INLINE static inline __attribute__((always_inline))

namespace ostinato {
namespace OSTINATO_ISA {

#if defined(__AVX512F__)
constexpr int W = 16;
#elif defined(__AVX2__)
constexpr int W = 8;
#else
constexpr int W = 4;
#endif

typedef float V __attribute__((vector_size(4 * W)));
typedef int32_t VI __attribute__((vector_size(4 * W)));
typedef float Unaligned __attribute__((vector_size(4 * W), aligned(4), may_alias));

// Registers that a tile of products may fill with sums.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int ACCUMULATORS = 24;
#else
constexpr int ACCUMULATORS = 12;
#endif

OSTINATO_INLINE V load(const float* p) { return *reinterpret_cast<const Unaligned*>(p); }
OSTINATO_INLINE void store(float* p, V v) { *reinterpret_cast<Unaligned*>(p) = v; }

// Past the caches, where p is aligned and the machine has that: a line that is written as a whole is not read before.
OSTINATO_INLINE void stream(float* p, V v) {
#if defined(__x86_64__)
    if (reinterpret_cast<uintptr_t>(p) % sizeof(V) == 0)
#if defined(__AVX512F__)
        return _mm512_stream_ps(p, v);
#elif defined(__AVX2__)
        return _mm256_stream_ps(p, v);
#else
        return _mm_stream_ps(p, v);
#endif
#endif
    store(p, v);
}
// What was streamed is there for other threads before what is written from now on.
OSTINATO_INLINE void end_streams() {
#if defined(__x86_64__)
    _mm_sfence();
#endif
}

OSTINATO_INLINE V broadcast(float x) {
#if defined(__AVX512F__)
    return _mm512_set1_ps(x);
#elif defined(__AVX2__)
    return _mm256_set1_ps(x);
#elif defined(__x86_64__)
    return _mm_set1_ps(x);
#else
    return V{x, x, x, x};
#endif
}

// a * b + c, rounded once where the machine can. The build forbids the compiler to fuse on its own: which products it
// fuses may differ from one tile to the next, and with it the bits of a result.
OSTINATO_INLINE V fma(V a, V b, V c) {
#if defined(__AVX512F__)
    return _mm512_fmadd_ps(a, b, c);
#elif defined(__AVX2__)
    return _mm256_fmadd_ps(a, b, c);
#elif defined(__aarch64__)
    return vfmaq_f32(c, a, b);
#else
    return a * b + c;
#endif
}

// The first n of W floats, zeros after them; n from 0 to W. Memory past p + n is not touched.
OSTINATO_INLINE V load_first(const float* p, int n) {
#if defined(__AVX512F__)
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p);
#else
    float all[W] = {};
    std::memcpy(all, p, sizeof(float) * n);
    return load(all);
#endif
}

// The same of what is loaded already.
OSTINATO_INLINE V first_of(V v, int n) {
#if defined(__AVX512F__)
    return _mm512_maskz_mov_ps(static_cast<__mmask16>((1u << n) - 1), v);
#else
    float all[W];
    store(all, v);
    for (int i = n; i < W; ++i) all[i] = 0.0f;
    return load(all);
#endif
}

OSTINATO_INLINE void store_first(float* p, V v, int n) {
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), v);
#else
    float all[W];
    store(all, v);
    std::memcpy(p, all, sizeof(float) * n);
#endif
}

// Of two rows that exchange blocks of `size` lanes, what each becomes. GCC takes the lanes as a vector, Clang as constants.
#if defined(__clang__)
template <int size, int... l>
OSTINATO_INLINE void swap_blocks(V& a, V& b, std::integer_sequence<int, l...>) {
    V upper = __builtin_shufflevector(a, b, (l & size ? W + l - size : l)...);
    b = __builtin_shufflevector(a, b, (l & size ? W + l : l + size)...);
    a = upper;
}
template <int size>
OSTINATO_INLINE void swap_blocks(V& a, V& b) {
    swap_blocks<size>(a, b, std::make_integer_sequence<int, W>());
}
#else
template <int size>
struct BlockSwap {
    int32_t upper[W], lower[W];
    constexpr BlockSwap() : upper(), lower() {
        for (int l = 0; l < W; ++l) {
            upper[l] = l & size ? W + l - size : l;
            lower[l] = l & size ? W + l : l + size;
        }
    }
};
template <int size>
OSTINATO_INLINE void swap_blocks(V& a, V& b) {
    static constexpr BlockSwap<size> from;
    VI upper, lower;
    std::memcpy(&upper, from.upper, sizeof upper);
    std::memcpy(&lower, from.lower, sizeof lower);
    V first = a;
    a = __builtin_shuffle(first, b, upper);
    b = __builtin_shuffle(first, b, lower);
}
#endif

// Rows become columns, in place: halves change places, then their halves, down to single numbers.
template <int size = W / 2>
OSTINATO_INLINE void transpose(V (&rows)[W]) {
#pragma GCC unroll 16
    for (int i = 0; i < W; ++i)
        if (!(i & size)) swap_blocks<size>(rows[i], rows[i + size]);
    if constexpr (size > 1) transpose<size / 2>(rows);
}

// The smaller and the larger of two; the second where either is not a number.
OSTINATO_INLINE V least_of(V a, V b) {
#if defined(__AVX512F__)
    return _mm512_min_ps(a, b);
#elif defined(__AVX2__)
    return _mm256_min_ps(a, b);
#elif defined(__x86_64__)
    return _mm_min_ps(a, b);
#else
    return a < b ? a : b;
#endif
}
OSTINATO_INLINE V most_of(V a, V b) {
#if defined(__AVX512F__)
    return _mm512_max_ps(a, b);
#elif defined(__AVX2__)
    return _mm256_max_ps(a, b);
#elif defined(__x86_64__)
    return _mm_max_ps(a, b);
#else
    return a > b ? a : b;
#endif
}
OSTINATO_INLINE V within(float limit, V x) { return most_of(broadcast(-limit), least_of(broadcast(limit), x)); }

// e^-x for x from -87.3 to 87.3: with the nearest whole n to -x / log 2, and n log 2 in two parts of which the first is
// exact times n, 2^n times a polynomial of degree 5 (minimax in relative error, 1e-7) of what remains.
OSTINATO_INLINE V decay(V x) {
    V z = x * broadcast(-1.44269504f);
#if defined(__AVX512F__)
    V whole = _mm512_roundscale_ps(z, 0);
#else
    const V shift = broadcast(12582912.0f);  // 1.5 * 2^23: the sum's last bits are the nearest whole number
    V shifted = z + shift;
    V whole = shifted - shift;
#endif
    V f = fma(whole, broadcast(-2.12194440e-4f), fma(whole, broadcast(0.693359375f), x));
    V p = broadcast(-8.29014368e-3f);
    p = fma(p, f, broadcast(4.18988504e-2f));
    p = fma(p, f, broadcast(-1.66676447e-1f));
    p = fma(p, f, broadcast(4.99991417e-1f));
    p = fma(p, f, broadcast(-9.99999702e-1f));
    p = fma(p, f, broadcast(1.0f));
#if defined(__AVX512F__)
    return _mm512_scalef_ps(p, whole);
#else
    VI exponent = (reinterpret_cast<VI>(shifted) << 23) + (127 << 23);
    return p * reinterpret_cast<V>(exponent);
#endif
}

OSTINATO_INLINE float square_root(float x) {
#if defined(__x86_64__)
    return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x)));
#elif defined(__aarch64__)
    return vget_lane_f32(vsqrt_f32(vdup_n_f32(x)), 0);
#else
    return __builtin_sqrtf(x);
#endif
}

OSTINATO_INLINE V reciprocal(V d) {
#if defined(__AVX512F__)
    V r = _mm512_rcp14_ps(d);
    return r * _mm512_fnmadd_ps(d, r, broadcast(2.0f));
#else
    return broadcast(1.0f) / d;
#endif
}

OSTINATO_INLINE V quotient(V a, V b) {
#if defined(__AVX512F__)
    return a * reciprocal(b);
#else
    return a / b;
#endif
}

// 1 / (1 + e^-x): within 4 units in the last place; below -87 it stays what it is there, 1.6e-38. NaN of NaN.
OSTINATO_INLINE V sigmoid(V x) { return reciprocal(decay(within(87.0f, x)) + broadcast(1.0f)); }

// x (1 + x^2 P(x^2)) / Q(x^2), minimax in relative error (3e-8) up to where float32 knows 1 only: within 7 units in the last
// place of the smallest x too, exact where x^2 vanishes, and never beyond 1. NaN of NaN.
OSTINATO_INLINE V tanh(V x) {
    x = within(9.02f, x);
    const V square = x * x;
    V p = broadcast(1.33309799e-8f);
    p = fma(p, square, broadcast(2.05975775e-5f));
    p = fma(p, square, broadcast(3.49514140e-3f));
    p = fma(p, square, broadcast(1.33807376e-1f));
    V q = broadcast(7.76849504e-7f);
    q = fma(q, square, broadcast(3.28472495e-4f));
    q = fma(q, square, broadcast(2.58755516e-2f));
    q = fma(q, square, broadcast(4.67140585e-1f));
    q = fma(q, square, broadcast(1.0f));
    return within(1.0f, quotient(fma(p, x * square, x), q));
}

// The derivative of tanh where it is y: what is left of 1 - y^2 has all its digits.
OSTINATO_INLINE V tanh_slope(V y) {
#if defined(__AVX512F__) || defined(__AVX2__) || defined(__aarch64__)
    return fma(-y, y, broadcast(1.0f));
#else
    return (broadcast(1.0f) - y) * (broadcast(1.0f) + y);
#endif
}

template <class A>
OSTINATO_INLINE A smaller(A a, A b) {
    return a < b ? a : b;
}
template <class A>
OSTINATO_INLINE A larger(A a, A b) {
    return a > b ? a : b;
}
// How many of the next W numbers exist where n do.
OSTINATO_INLINE int within(int64_t n) { return static_cast<int>(n < 0 ? 0 : n < W ? n : W); }
OSTINATO_INLINE int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace OSTINATO_ISA
}  // namespace ostinato
