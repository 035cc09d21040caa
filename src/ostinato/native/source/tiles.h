// Products in the tile registers of AMX: up to 32 rows by 2 vectors of columns at a time, sums in 4 tiles.
//
// A row of a tile is a row of 16 words of the left factor, or a line of 16 words of the right one, as operands.h lays
// them out. The sums of a whole tile of the recurrence meet the equations through a buffer in first-level cache.
//
// The instructions stand behind the functions of `amx`. Compiled with OSTINATO_EMULATE_AMX these are plain loops over
// plain memory, for tests on machines without.
#pragma once

#include "products.h"

namespace ostinato {
namespace OSTINATO_ISA {
namespace amx {

constexpr int SIDE = 16;  // rows of a tile, words of its rows

struct alignas(64) Shape {
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {};
    uint8_t rows[16] = {};
};

#if defined(OSTINATO_EMULATE_AMX)
static thread_local Shape shape;
static thread_local float registers[8][SIDE][SIDE];

OSTINATO_INLINE void configure(const Shape& wanted) { shape = wanted; }
OSTINATO_INLINE void release() { shape = Shape(); }
template <int t>
static void load(const float* from, int64_t stride) {
    for (int r = 0; r < shape.rows[t]; ++r) std::memcpy(registers[t][r], from + r * stride, sizeof registers[t][r]);
}
template <int t>
static void store(float* to, int64_t stride) {
    for (int r = 0; r < shape.rows[t]; ++r) std::memcpy(to + r * stride, registers[t][r], sizeof registers[t][r]);
}
OSTINATO_INLINE float half(float pair, int which) {
    uint32_t bits;
    std::memcpy(&bits, &pair, sizeof bits);
    bits = which ? bits & 0xffff0000u : bits << 16;
    std::memcpy(&pair, &bits, sizeof bits);
    return pair;
}
template <int sum, int a, int b>
static void multiply_add() {
    for (int r = 0; r < shape.rows[sum]; ++r)
        for (int k = 0; k < SIDE; ++k)
            for (int which = 0; which < 2; ++which)
                for (int c = 0; c < SIDE; ++c)
                    registers[sum][r][c] += half(registers[a][r][k], which) * half(registers[b][k][c], which);
}
#else
OSTINATO_INLINE void configure(const Shape& wanted) { __asm__ volatile("ldtilecfg %0" : : "m"(wanted)); }
OSTINATO_INLINE void release() { __asm__ volatile("tilerelease"); }
template <int t>
OSTINATO_INLINE void load(const float* from, int64_t stride) {
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride * 4), "i"(t) : "memory");
}
template <int t>
OSTINATO_INLINE void store(float* to, int64_t stride) {
    __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride * 4), "i"(t) : "memory");
}
template <int sum, int a, int b>
OSTINATO_INLINE void multiply_add() {
    __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(sum), "i"(a), "i"(b));
}
#endif

// Tiles 0 to 3: sums of the upper rows, then of the lower ones; 4, 5: left factor, upper and lower; 6, 7: right factor.
static void shape_for(int upper, int lower) {
    static thread_local int known_upper = -1, known_lower = -1;
    if (upper == known_upper && lower == known_lower) return;
    known_upper = upper, known_lower = lower;
    if (upper == 0) return release();
    Shape wanted;
    for (int t = 0; t < 8; ++t) {
        wanted.row_bytes[t] = 4 * SIDE;
        wanted.rows[t] = static_cast<uint8_t>(t >= 6 ? SIDE : t == 2 || t == 3 || t == 5 ? (lower ? lower : upper) : upper);
    }
    configure(wanted);
}

// A left factor: rows of blocks of 16 words.
struct Factor {
    const Word* base;
    int64_t row_stride, block_stride, blocks;
};

// sums[r][v] += a b for `upper` + `lower` rows and `columns` vectors; both strides count words.
template <class P, int heights, int columns>
static void multiply(float* sums, int64_t stride, int upper, const Factor* factors, int64_t count, const Word* b, int64_t b_stride) {
    float* low = sums + upper * stride;
    load<0>(sums, stride);
    if (columns == 2) load<1>(sums + W, stride);
    if (heights == 2) load<2>(low, stride);
    if (heights == 2 && columns == 2) load<3>(low + W, stride);
    const auto products = [] {
        multiply_add<0, 4, 6>();
        if (columns == 2) multiply_add<1, 4, 7>();
        if (heights == 2) multiply_add<2, 5, 6>();
        if (heights == 2 && columns == 2) multiply_add<3, 5, 7>();
    };
    const auto left = [upper](const Factor& f, int64_t block) {
        const Word* a = f.base + block * f.block_stride;
        load<4>(a, f.row_stride);
        if (heights == 2) load<5>(a + upper * f.row_stride, f.row_stride);
    };
    const auto right = [b_stride](const Word* lines) {
        load<6>(lines, b_stride);
        if (columns == 2) load<7>(lines + W, b_stride);
    };
    for (int64_t i = 0; i < count; ++i)
        for (int64_t block = 0; block < factors[i].blocks; block += P::lines / SIDE, b += P::lines * b_stride) {
            // Of two parts: smaller by larger, larger by larger, larger by smaller; the right factor is read once.
            right(b);
            if (P::lines > SIDE) left(factors[i], block + 1), products();
            left(factors[i], block), products();
            if (P::lines > SIDE) right(b + SIDE * b_stride), products();
        }
    store<0>(sums, stride);
    if (columns == 2) store<1>(sums + W, stride);
    if (heights == 2) store<2>(low, stride);
    if (heights == 2 && columns == 2) store<3>(low + W, stride);
}

// sums += a b; sums are `rows` rows of `vectors` vectors.
template <class P>
static void multiply(float* sums, int rows, int vectors, const Factor* factors, int64_t count, const Word* b) {
    const int upper = rows > SIDE ? (rows + 1) / 2 : rows, lower = rows - upper;
    shape_for(upper, lower);
    const int64_t stride = vectors * W;
    for (int v = 0; v < vectors; v += 2) {
        const int form = 2 * (lower > 0) + (v + 1 < vectors);
        float* s = sums + v * W;
        switch (form) {
            case 0: multiply<P, 1, 1>(s, stride, upper, factors, count, b + v * W, stride); break;
            case 1: multiply<P, 1, 2>(s, stride, upper, factors, count, b + v * W, stride); break;
            case 2: multiply<P, 2, 1>(s, stride, upper, factors, count, b + v * W, stride); break;
            case 3: multiply<P, 2, 2>(s, stride, upper, factors, count, b + v * W, stride); break;
        }
    }
}

}  // namespace amx

static void leave_tiles() { amx::shape_for(0, 0); }

// A tile of sums in first-level cache, on its way from and to the rows of a result.
template <class P>
struct Sums {
    alignas(64) float at[P::rows * COLUMNS * W];

    void fill(const float* row, int rows, int vectors) {
        for (int r = 0; r < rows; ++r)
            for (int v = 0; v < vectors; ++v) store(at + (r * vectors + v) * W, row ? load(row + v * W) : broadcast(0.0f));
    }
    void read(float* const* c, int rows, int vectors, int last) {
        for (int r = 0; r < rows; ++r)
            for (int v = 0; v < vectors; ++v)
                store(at + (r * vectors + v) * W, load_first(c[r] + v * W, v < vectors - 1 ? W : last));
    }
    void write(float* const* c, int rows, int vectors, int last) const {
        for (int r = 0; r < rows; ++r)
            for (int v = 0; v < vectors; ++v)
                store_first(c[r] + v * W, load(at + (r * vectors + v) * W), v < vectors - 1 ? W : last);
    }
};

template <class P>
static void in_tiles(const RowsProduct<P>& p, int rows, int vectors) {
    Sums<P> sums;
    sums.fill(p.bias, rows, vectors);
    const amx::Factor a{p.a[0], p.stride, amx::SIDE, p.words / amx::SIDE};
    amx::multiply<P>(sums.at, rows, vectors, &a, 1, p.b);
    sums.write(p.c, rows, vectors, W);
}

template <class P>
static void in_tiles(const SpansProduct<P>& p, int rows, int vectors) {
    Sums<P> sums;
    if (p.accumulate)
        sums.read(p.c, rows, vectors, p.last);
    else
        sums.fill(nullptr, rows, vectors);
    constexpr int most = 16;  // spans at a time
    amx::Factor factors[most];
    const Word* b = p.b;
    for (int64_t begin = 0; begin < p.count; begin += most) {
        const int64_t count = smaller<int64_t>(most, p.count - begin);
        int64_t words = 0;
        for (int64_t i = 0; i < count; ++i) {
            const Span& span = p.spans[begin + i];
            factors[i] = {span.base + p.row * span.stride, p.row_step * span.stride, amx::SIDE, span.words / amx::SIDE};
            words += span.words;
        }
        amx::multiply<P>(sums.at, rows, vectors, factors, count, b);
        b += words * vectors * W;
    }
    sums.write(p.c, rows, vectors, p.last);
}

template <class P>
static void in_tiles(const TransposedProduct<P>& p, int rows, int vectors) {
    Sums<P> sums;
    if (p.accumulate)
        sums.read(p.c, rows, vectors, p.last);
    else
        sums.fill(nullptr, rows, vectors);
    const amx::Factor a{p.a, amx::SIDE, amx::SIDE * p.stride, p.words / amx::SIDE};
    amx::multiply<P>(sums.at, rows, vectors, &a, 1, p.b);
    sums.write(p.c, rows, vectors, p.last);
}

}  // namespace OSTINATO_ISA
}  // namespace ostinato
