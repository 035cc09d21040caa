// What both passes of cells with phases (cells/phased.h) share. Sums and gradients lie in plain rows, [gates][units], and
// products go from rows to rows through tiles (products.h): nothing here knows how a product is done.
#pragma once

#include "cells/phased.h"
#include "schedule.h"

namespace ostinato {
namespace OSTINATO_ISA {

constexpr float NORM_EPS = 1e-5f;

// Rows of numbers by address.
template <class A>
struct Rows {
    A* base;
    int64_t stride;
    A* operator[](int64_t i) const { return base + i * stride; }
};

// Weights as the right factor: for each gate its columns (outputs) in panels, [K][width][W] each.
struct Packed {
    const float* data;
    int64_t K;
    const float* tile(const Panels& columns, int gate, int panel) const {
        return data + (static_cast<int64_t>(gate) * columns.vectors + columns.begin(panel)) * W * K;
    }
};

OSTINATO_INLINE int64_t columns_of(const Panels& panels) { return static_cast<int64_t>(panels.vectors) * W; }

// to[i] = bias + from[i] * weights, of the panels `own`; bias and to: [gates][columns].
[[maybe_unused]] static void multiply_rows(const float* const* from, int64_t count, const Packed& weights, int gates, const Panels& columns,
                          Share own, const float* bias, float* const* to) {
    for (int g = 0; g < gates; ++g)
        for (int j = static_cast<int>(own.begin); j < own.end; ++j) {
            const int width = columns.width(j);
            const int64_t at = g * columns_of(columns) + columns.begin(j) * W;
            const int64_t tile_count = tiles(count, tile_rows<Single>(width));
            for (int64_t i = 0; i < tile_count; ++i) {
                const int64_t begin = tile_begin(count, tile_count, i), height = tile_begin(count, tile_count, i + 1) - begin;
                float* c[Single::rows];
                for (int64_t r = 0; r < height; ++r) c[r] = to[begin + r] + at;
                run_tile(RowsProduct<Single>{from + begin, 0, weights.tile(columns, g, j), weights.K, bias ? bias + at : nullptr, c},
                         height, width);
            }
        }
}

// Weights [gates * units, K] for products from K numbers to [gates][units].
[[maybe_unused]] static void pack_rows(const float* weights, int64_t units, int64_t K, int gates, const Panels& columns, Share own, float* packed) {
    for (int g = 0; g < gates; ++g)
        for (int j = static_cast<int>(own.begin); j < own.end; ++j)
            for (int u = 0; u < columns.width(j); ++u) {
                const int64_t unit = static_cast<int64_t>(columns.begin(j) + u) * W;
                float* to = packed + (static_cast<int64_t>(g) * columns.vectors + columns.begin(j)) * W * K + u * W;
                pack_transposed<Single>(weights + (g * units + unit) * K, within(units - unit), K, to, columns.width(j) * W);
            }
}

// The same weights for products the other way, from [gates][units, padded] to K columns.
[[maybe_unused]] static void pack_back(const float* weights, int64_t units, int64_t padded, int64_t K, int gates, const Panels& columns,
                      Share own, float* packed) {
    for (int j = static_cast<int>(own.begin); j < own.end; ++j) {
        const int64_t column = static_cast<int64_t>(columns.begin(j)) * W;
        float* to = packed + column * gates * padded;
        for (int g = 0; g < gates; ++g)
            for (int64_t u = 0; u < padded; ++u, to += columns.width(j) * W)
                copy_padded(u < units ? weights + (g * units + u) * K + column : nullptr, K - column, to, columns.width(j));
    }
}

OSTINATO_INLINE float total(V v) {
    float lanes[W], sum = 0;
    store(lanes, v);
    for (float lane : lanes) sum += lane;
    return sum;
}

struct Moments {
    float mean, scale;
    V normal(V v) const { return (v - broadcast(mean)) * broadcast(scale); }
};

// Mean and 1 / sqrt(variance + eps) of a row [gates][padded] of which `units` exist; every thread comes to the same bits.
[[maybe_unused]] static Moments moments(const float* row, int gates, int64_t padded, int64_t units) {
    const float n = static_cast<float>(gates * units);
    V sum = broadcast(0.0f), squares = broadcast(0.0f);
    for (int64_t i = 0; i < gates * padded; i += W) sum = sum + load(row + i);  // padding is zero
    const float mean = total(sum) / n;
    for (int g = 0; g < gates; ++g)
        for (int64_t u = 0; u < units; u += W) {
            const float* at = row + g * padded + u;
            V off = load(at) - broadcast(mean);
            if (units - u < W) off = load_first(reinterpret_cast<const float*>(&off), within(units - u));
            squares = fma(off, off, squares);
        }
    return {mean, 1.0f / square_root(total(squares) / n + NORM_EPS)};
}

// What normalisation adds to the gradient of a row: scale * (d - mean(d) - normal * mean(d * normal)).
struct NormGradient {
    float mean, along, scale;
    V operator()(V d, V normal) const {
        return (d - broadcast(mean) - normal * broadcast(along)) * broadcast(scale);
    }
};
[[maybe_unused]] static NormGradient norm_gradient(const float* d, int64_t padded, const float* normal, int64_t normal_stride, int gates,
                                  int64_t units, float scale) {
    const float n = static_cast<float>(gates * units);
    V sum = broadcast(0.0f), along = broadcast(0.0f);
    for (int g = 0; g < gates; ++g)
        for (int64_t u = 0; u < padded; u += W) {  // d is zero in the padding
            V at = load(d + g * padded + u);
            sum = sum + at;
            along = fma(at, load(normal + g * normal_stride + u), along);
        }
    return {total(sum) / n, total(along) / n, scale};
}

// What is kept of a row and step: [saved][units], the cell's own output, three scales of normalisation.
template <class C>
struct Kept {
    int64_t H16, R16, size;
    Kept(int64_t H, int64_t R)
        : H16(ceil_div(H, 16) * 16), R16(ceil_div(R, 16) * 16),
          size(C::saved * H16 + (C::keeps_output ? R16 : 0) + (C::normalised ? 16 : 0)) {}
    float* output(float* row) const { return row + C::saved * H16; }
    float* scales(float* row) const { return row + C::saved * H16 + (C::keeps_output ? R16 : 0); }
};

template <class C>
struct PhasedProblem : Problem<C, Single> {
    using Base = Problem<C, Single>;
    const Kept<C> kept;
    const Panels out_panels, x_panels;  // of the output's units; of x
    const int64_t padded, out_padded;

    explicit PhasedProblem(const ostinato_run& r)
        : Base(r), kept(r.H, r.R), out_panels(Panels::of(r.R, COLUMNS, Base::division.by_units && !r.packed ? Base::division.threads : 1)),
          x_panels(Panels::of(r.D, COLUMNS)), padded(columns_of(Base::panels)), out_padded(columns_of(out_panels)) {}

    const float* weight_second() const {
        return C::second_within ? Base::run.weight_hh + C::first * Base::H * Base::R : Base::run.weight_out;
    }
    static constexpr bool second = C::second_within || C::second_apart;
    // Vectors of units that a thread's panels hold.
    static Share vectors(const Panels& panels, Share own) {
        return {panels.begin(static_cast<int>(own.begin)), panels.begin(static_cast<int>(own.end))};
    }
    float* kept_row(int64_t t, int64_t n) const { return Base::run.saved + (Base::schedule.start[t] + n) * kept.size; }
    // A vector of shares that stay; zeros without zoneout.
    static V hold(const float* row, int64_t unit, int64_t units) {
        return row ? load_first(row + unit, within(units - unit)) : broadcast(0.0f);
    }
    static V between(V hold, V before, V after) { return fma(hold, before, (broadcast(1.0f) - hold) * after); }
    V masked(V h, int64_t n, int64_t unit) const {
        return Base::run.recurrent_mask ? h * load_first(Base::mask(n) + unit, within(Base::R - unit)) : h;
    }
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
