// Products of matrices, tile by tile: R rows by NV vectors of columns, all sums of a tile in registers.
//
// Each sum is one chain of multiply-adds in the order of k, whatever R and NV are: that is why a result has the same
// bits however its rows are grouped into tiles. P is the precision: see operands.h.
#pragma once

#include "operands.h"

namespace ostinato {
namespace OSTINATO_ISA {

constexpr int COLUMNS = 4;  // vectors of columns in a tile, at most

// Rows of a tile of NV vectors; those of registers keep its sums there.
template <class P>
constexpr int tile_rows(int NV) {
    return P::tiled || ACCUMULATORS / NV >= P::rows ? P::rows : ACCUMULATORS / NV;
}

// How many tiles n rows take, and where the i-th begins; all are equally high, give or take a row.
OSTINATO_INLINE int64_t tiles(int64_t n, int rows) { return ceil_div(n, rows); }
OSTINATO_INLINE int64_t tile_begin(int64_t n, int64_t count, int64_t i) { return n * i / count; }

// Columns in panels of nearly equal width, at most `widest` vectors each.
struct Panels {
    int vectors;  // in all
    int count;
    OSTINATO_INLINE Panels of(int64_t columns, int widest, int at_least = 1) {
        int vectors = static_cast<int>(ceil_div(columns, W));
        int count = static_cast<int>(ceil_div(vectors, widest));
        return {vectors, smaller(vectors, larger(count, at_least))};
    }
    int begin(int i) const { return static_cast<int>(static_cast<int64_t>(vectors) * i / count); }
    int width(int i) const { return begin(i + 1) - begin(i); }
};

// acc[r][v] += x(r) * b[v]. Of the two factors the one with fewer vectors waits in registers: with 12 sums of 3 rows by 4
// vectors that is just what a machine of 16 registers has, and none of the sums is written to memory in between.
template <class P, int R, int NV, class Row>
OSTINATO_INLINE void add_line(V (&acc)[R][NV], const Row& x, const Word* b) {
    if constexpr (R < NV) {
        V rows[R];
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) rows[r] = x(r);
#pragma GCC unroll 4
        for (int v = 0; v < NV; ++v) {
            const V w = load(b + v * W);
#pragma GCC unroll 16
            for (int r = 0; r < R; ++r) acc[r][v] = P::multiply_add(rows[r], w, acc[r][v]);
        }
    } else {
        V w[NV];
#pragma GCC unroll 4
        for (int v = 0; v < NV; ++v) w[v] = load(b + v * W);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
            const V row = x(r);
#pragma GCC unroll 4
            for (int v = 0; v < NV; ++v) acc[r][v] = P::multiply_add(row, w[v], acc[r][v]);
        }
    }
}

// acc[r][v] += a[r][k] * b[k][v], for k from 0 to `words`; lines of b follow one another.
template <class P, int R, int NV>
OSTINATO_INLINE void multiply(V (&acc)[R][NV], const Word* const (&a)[R], const Word* b, int64_t words) {
#pragma GCC unroll 2
    for (int64_t k = 0; k < words; ++k, b += NV * W) add_line<P>(acc, [&](int r) __attribute__((always_inline)) { return broadcast(a[r][k]); }, b);
}

// The same where a is transposed: a(r, k) = a[k * stride + r].
template <class P, int R, int NV>
OSTINATO_INLINE void multiply_transposed(V (&acc)[R][NV], const Word* a, int64_t stride, const Word* b, int64_t words) {
#pragma GCC unroll 2
    for (int64_t k = 0; k < words; ++k, a += stride, b += NV * W) add_line<P>(acc, [&](int r) __attribute__((always_inline)) { return broadcast(a[r]); }, b);
}

// acc = a b, of factors with scales behind them: see bytes.h.
template <class P, int R, int NV>
OSTINATO_INLINE void multiply_quantised(V (&acc)[R][NV], const Word* const (&a)[R], const Word* b, int64_t words) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < NV; ++v) acc[r][v] = broadcast(a[r][words + 1]);
    }
    multiply<P>(acc, a, b, words);
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
        const V scales = load(b + (words * NV + v) * W);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) acc[r][v] = P::value(acc[r][v]) * (scales * broadcast(a[r][words]));
    }
}

// Adds what rows of a result hold already. Added last: the sums of one block are a chain of their own, and a long sum of
// short chains loses far less to rounding than one long chain. `last` floats of the last vector exist in memory.
template <int R, int NV>
OSTINATO_INLINE void add_tile(V (&acc)[R][NV], float* const* c, int last) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < NV - 1; ++v) acc[r][v] = acc[r][v] + load(c[r] + v * W);
        const float* end = c[r] + (NV - 1) * W;
        acc[r][NV - 1] = acc[r][NV - 1] + (last == W ? load(end) : load_first(end, last));
    }
}

template <int R, int NV>
OSTINATO_INLINE void store_tile(const V (&acc)[R][NV], float* const* c, int last) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < NV - 1; ++v) store(c[r] + v * W, acc[r][v]);
        if (last == W)
            store(c[r] + (NV - 1) * W, acc[r][NV - 1]);
        else
            store_first(c[r] + (NV - 1) * W, acc[r][NV - 1], last);
    }
}

// Begins every row with the same vectors; null for zeros.
template <int R, int NV>
OSTINATO_INLINE void fill_tile(V (&acc)[R][NV], const float* row) {
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
        V value = row ? load(row + v * W) : broadcast(0.0f);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) acc[r][v] = value;
    }
}

// Adds the same vectors to every row.
template <int R, int NV>
OSTINATO_INLINE void add_row(V (&acc)[R][NV], const float* row) {
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
        const V value = load(row + v * W);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) acc[r][v] = acc[r][v] + value;
    }
}

// c = bias + a b, one row of a by pointer each; `stride` lies between them where rows are converted.
template <class P>
struct RowsProduct {
    using Precision = P;
    const Word* const* a;
    int64_t stride;
    const Word* b;
    int64_t words;
    const float* bias;
    float* const* c;

    template <int R, int NV>
    static void tile(const RowsProduct& p) {
        V acc[R][NV];
        const Word* a[R];
        for (int r = 0; r < R; ++r) a[r] = p.a[r];
        if constexpr (P::quantised) {
            multiply_quantised<P>(acc, a, p.b, p.words);
            add_row(acc, p.bias);
        } else {
            fill_tile(acc, p.bias);
            multiply<P>(acc, a, p.b, p.words);
        }
        store_tile(acc, p.c, W);
    }
};

// A block of memory that holds some words of every row; several make up a row.
struct Span {
    const Word* base;
    int64_t stride, words;
};

// c (+)= a b over spans; row r of the tile is row `row + r * row_step` of each span, b continues from span to span.
template <class P>
struct SpansProduct {
    using Precision = P;
    const Span* spans;
    int64_t count, row, row_step;
    const Word* b;
    float* const* c;
    int last;
    bool accumulate;

    template <int R, int NV>
    static void tile(const SpansProduct& p) {
        V acc[R][NV];
        fill_tile(acc, nullptr);
        const Word* b = p.b;
        for (int64_t i = 0; i < p.count; ++i) {
            const Span& span = p.spans[i];
            const Word* a[R];
            for (int r = 0; r < R; ++r) a[r] = span.base + (p.row + r * p.row_step) * span.stride;
            multiply<P>(acc, a, b, span.words);
            b += span.words * NV * W;
        }
        if (p.accumulate) add_tile(acc, p.c, p.last);
        store_tile(acc, p.c, p.last);
    }
};

// c (+)= a^T b: a(r, k) = a[k * stride + r].
template <class P>
struct TransposedProduct {
    using Precision = P;
    const Word* a;
    int64_t stride;
    const Word* b;
    int64_t words;
    float* const* c;
    int last;
    bool accumulate;

    template <int R, int NV>
    static void tile(const TransposedProduct& p) {
        V acc[R][NV];
        fill_tile(acc, nullptr);
        multiply_transposed<P>(acc, p.a, p.stride, p.b, p.words);
        if (p.accumulate) add_tile(acc, p.c, p.last);
        store_tile(acc, p.c, p.last);
    }
};

#if defined(OSTINATO_TILES)
// The same three by tiles.h.
template <class P>
static void in_tiles(const RowsProduct<P>&, int rows, int vectors);
template <class P>
static void in_tiles(const SpansProduct<P>&, int rows, int vectors);
template <class P>
static void in_tiles(const TransposedProduct<P>&, int rows, int vectors);
#endif

template <class Product, int NV>
static void run_rows(const Product& p, int64_t rows) {
    switch (rows) {
        case 1: return Product::template tile<1, NV>(p);
        case 2: return Product::template tile<2, NV>(p);
        case 3: return Product::template tile<3, NV>(p);
        case 4:
            if constexpr (tile_rows<typename Product::Precision>(NV) >= 4) return Product::template tile<4, NV>(p);
            return;
        case 5:
            if constexpr (tile_rows<typename Product::Precision>(NV) >= 5) return Product::template tile<5, NV>(p);
            return;
        case 6:
            if constexpr (tile_rows<typename Product::Precision>(NV) >= 6) return Product::template tile<6, NV>(p);
    }
}

// Gives the tile registers back, where there are any.
#if defined(OSTINATO_TILES)
static void leave_tiles();
#else
[[maybe_unused]] static void leave_tiles() {}
#endif

// One tile; rows from 1 to tile_rows(vectors).
template <class Product>
static void run_tile(const Product& p, int64_t rows, int vectors) {
    if constexpr (Product::Precision::tiled) {
        in_tiles(p, static_cast<int>(rows), vectors);
    } else {
        switch (vectors) {
            case 1: return run_rows<Product, 1>(p, rows);
            case 2: return run_rows<Product, 2>(p, rows);
            case 3: return run_rows<Product, 3>(p, rows);
            case 4: return run_rows<Product, 4>(p, rows);
        }
    }
}

}  // namespace OSTINATO_ISA
}  // namespace ostinato
