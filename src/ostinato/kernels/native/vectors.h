// Vectors of the width that the instruction set of this build has: `V`, `W` floats.
//
// Arithmetic and comparison are the compiler's own vector operators. Everything here lives in a namespace named after
// the instruction set, and no inline function of the standard library is used below this file: the linker keeps one
// copy of such a function, and might keep the one compiled for a machine that this one is not.
#pragma once

#include <cstdint>
#include <cstring>

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

// Where each lane of a pair of rows comes from when blocks of `size` lanes change places between them.
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

// Rows become columns, in place: halves change places, then their halves, down to single numbers.
template <int size = W / 2>
OSTINATO_INLINE void transpose(V (&rows)[W]) {
    static constexpr BlockSwap<size> from;
    VI upper, lower;
    std::memcpy(&upper, from.upper, sizeof upper);
    std::memcpy(&lower, from.lower, sizeof lower);
#pragma GCC unroll 16
    for (int i = 0; i < W; ++i) {
        if (i & size) continue;
        V a = rows[i], b = rows[i + size];
        rows[i] = __builtin_shuffle(a, b, upper);
        rows[i + size] = __builtin_shuffle(a, b, lower);
    }
    if constexpr (size > 1) transpose<size / 2>(rows);
}

// 2^z, by a polynomial of degree 5 (minimax in relative error, 1e-7) between the powers of two.
OSTINATO_INLINE V exp2_within_range(V z) {
#if defined(__AVX512F__)
    V whole = _mm512_roundscale_ps(z, 0);
#else
    const V shift = broadcast(12582912.0f);  // 1.5 * 2^23: the sum's last bits are the nearest whole number
    V shifted = z + shift;
    V whole = shifted - shift;
#endif
    V f = z - whole;
    V p = broadcast(1.32647308e-3f);
    p = fma(p, f, broadcast(9.67151392e-3f));
    p = fma(p, f, broadcast(5.55073358e-2f));
    p = fma(p, f, broadcast(2.40222424e-1f));
    p = fma(p, f, broadcast(6.93147004e-1f));
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

// 1 / (1 + 2^z). The comparisons let NaN through.
OSTINATO_INLINE V logistic2(V z) {
    const V limit = broadcast(125.0f);
    z = z > limit ? limit : z;
    z = z < -limit ? -limit : z;
    return reciprocal(exp2_within_range(z) + broadcast(1.0f));
}

// Worst absolute errors 1.5e-7 and 3e-7.
OSTINATO_INLINE V sigmoid(V x) { return logistic2(x * broadcast(-1.44269504f)); }
OSTINATO_INLINE V tanh(V x) {
    return fma(logistic2(x * broadcast(-2.88539008f)), broadcast(2.0f), broadcast(-1.0f));
}

template <class A>
OSTINATO_INLINE A smaller(A a, A b) {
    return a < b ? a : b;
}
template <class A>
OSTINATO_INLINE A larger(A a, A b) {
    return a > b ? a : b;
}
OSTINATO_INLINE int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace OSTINATO_ISA
}  // namespace ostinato
