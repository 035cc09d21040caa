// One tile of a step forward: rows of one panel, whose sums meet the equations while they are still in registers.
#pragma once

#include "cells/cell.h"
#include "products.h"
#if defined(OSTINATO_TILES)
#include "tiles.h"
#endif

namespace ostinato {
namespace OSTINATO_ISA {

// Some rows of one panel at one step.
struct StepTile {
    const float* h;        // state before, whole rows
    float* h_after;
    int64_t h_stride;
    const Word* factor;    // the same as the left factor of a product, where that is not the state itself
    Word* factor_after;
    int64_t factor_stride;
    int64_t unit;          // the panel's first
    const Word* weights;   // [words][gates][U][W]
    int64_t words;
    const float* input;    // [R][gates][U][W], biases included
    const float* bias;     // [apart][U][W]
    const float* extra;    // [extra][U][W]
    float* c;
    int64_t c_stride;
    float* saved;          // null: nothing is kept
    int64_t saved_stride, saved_vector;
    float* const* output;  // a row each, at the panel's first unit
    int last;
    // With noise
    const float *const *mask, *const *hold_h, *const *hold_c;  // a row each, at the panel's first unit, or null
};

// Whether h as it is fed back is written apart from h itself, as it is computed. Its scale is known only when all of it is.
template <class C, class P>
constexpr bool separate_factor = (P::converts || C::noisy) && !P::quantised;

OSTINATO_INLINE V load_or(V otherwise, const float* row, int offset, int n) {
    if (!row) return otherwise;
    return n >= W ? load(row + offset) : load_first(row + offset, n);
}

// What the sums of a row begin with.
template <class C, int U>
OSTINATO_INLINE void begin_row(const StepTile& s, int r, V (&sums)[C::gates * U]) {
    constexpr int NV = C::gates * U, merged = (C::gates - C::apart) * U;
    const float* input = s.input + r * NV * W;
#pragma GCC unroll 16
    for (int i = 0; i < NV; ++i) sums[i] = i < merged ? load(input + (i + C::apart * U) * W) : load(s.bias + (i - merged) * W);
}

// The equations of a row.
template <class C, class P, int U>
OSTINATO_INLINE void end_row(const StepTile& s, int r, const V (&sums)[C::gates * U]) {
    constexpr int NV = C::gates * U;
#pragma GCC unroll 4
    for (int u = 0; u < U; ++u) {
        Forward f;
        for (int g = 0; g < C::gates; ++g) f.sum[g] = sums[g * U + u];
        for (int a = 0; a < C::apart; ++a) f.input[a] = load(s.input + (r * NV + a * U + u) * W);
        for (int e = 0; e < C::extra; ++e) f.extra[e] = load(s.extra + (e * U + u) * W);
        f.h_before = load(s.h + r * s.h_stride + s.unit + u * W);
        if constexpr (C::memory >= 0) f.c_before = load(s.c + r * s.c_stride + u * W);
        const int there = u < U - 1 ? W : s.last;
        if (there < W) {  // an infinite input times the padding's weights is no number, and would spread in pairs of units
            for (int g = 0; g < C::gates; ++g) f.sum[g] = first_of(f.sum[g], there);
            for (int a = 0; a < C::apart; ++a) f.input[a] = first_of(f.input[a], there);
        }
        if constexpr (C::noisy) {
            f.hold_h = load_or(broadcast(0.0f), s.hold_h[r], u * W, there);
            f.hold_c = load_or(broadcast(0.0f), s.hold_c[r], u * W, there);
        }
        C::forward(f);
        if constexpr (C::memory >= 0) store(s.c + r * s.c_stride + u * W, f.c);
        store(s.h_after + r * s.h_stride + s.unit + u * W, f.h);
        if constexpr (separate_factor<C, P>) {
            V fed = f.h;
            if constexpr (C::noisy) fed = fed * load_or(broadcast(1.0f), s.mask[r], u * W, there);
            P::write(s.factor_after + r * s.factor_stride, s.unit + u * W, fed);
        }
        if (there < W)
            store_first(s.output[r] + u * W, f.h, there);
        else
            store(s.output[r] + u * W, f.h);
        if (C::saved && s.saved)
            for (int k = 0; k < C::saved; ++k) store(s.saved + u * s.saved_vector + r * s.saved_stride + k * W, f.saved[k]);
    }
}

template <class C, class P, int R, int U>
static void step_tile(const StepTile& s) {
    V acc[R][C::gates * U];
    const Word* factor[R];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
        factor[r] = separate_factor<C, P> || P::quantised ? s.factor + r * s.factor_stride : s.h + r * s.h_stride;
        if constexpr (!P::quantised) begin_row<C, U>(s, r, acc[r]);
    }
    if constexpr (P::quantised) {
        multiply_quantised<P>(acc, factor, s.weights, s.words);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
            V begin[C::gates * U];
            begin_row<C, U>(s, r, begin);
#pragma GCC unroll 16
            for (int i = 0; i < C::gates * U; ++i) acc[r][i] = begin[i] + acc[r][i];
        }
    } else {
        multiply<P>(acc, factor, s.weights, s.words);
    }
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) end_row<C, P, U>(s, r, acc[r]);
}

#if defined(OSTINATO_TILES)
template <class C, class P, int U>
static void step_in_tiles(const StepTile& s, int rows) {
    constexpr int NV = C::gates * U;
    Sums<P> all;
    V sums[NV];
    for (int r = 0; r < rows; ++r) {
        begin_row<C, U>(s, r, sums);
        for (int i = 0; i < NV; ++i) store(all.at + (r * NV + i) * W, sums[i]);
    }
    const amx::Factor factor{s.factor, s.factor_stride, amx::SIDE, s.words / amx::SIDE};
    amx::multiply<P>(all.at, rows, NV, &factor, 1, s.weights);
    for (int r = 0; r < rows; ++r) {
        for (int i = 0; i < NV; ++i) sums[i] = load(all.at + (r * NV + i) * W);
        end_row<C, P, U>(s, r, sums);
    }
}
#endif

template <class C, class P, int U>
static void step_rows(const StepTile& s, int64_t rows) {
#if defined(OSTINATO_TILES)
    step_in_tiles<C, P, U>(s, static_cast<int>(rows));
#else
    constexpr int most = tile_rows<P>(C::gates * U);
    switch (rows) {
        case 1: return step_tile<C, P, 1, U>(s);
        case 2: return step_tile<C, P, 2, U>(s);
        case 3: return step_tile<C, P, 3, U>(s);
        case 4:
            if constexpr (most >= 4) return step_tile<C, P, 4, U>(s);
            return;
        case 5:
            if constexpr (most >= 5) return step_tile<C, P, 5, U>(s);
            return;
        case 6:
            if constexpr (most >= 6) return step_tile<C, P, 6, U>(s);
    }
#endif
}

}  // namespace OSTINATO_ISA
}  // namespace ostinato
