// How the factors of a product lie in memory, and what one step of it is: the only place that knows the precision.
//
// Factors are made of words of 32 bits, so that tiles, panels and loops are the same for every precision:
//
//   left factor     rows of words: as many numbers of a row as a word holds, side by side
//   right factor    lines of words, a word for each column: as many numbers of a column as a word holds, one above another
//
// Sums, and whatever is not the factor of a product, are float32 always.
#pragma once

#include "vectors.h"

namespace ostinato {
namespace OSTINATO_ISA {

using Word = float;  // 32 bits

// Words are the numbers themselves.
struct Single {
    static constexpr int depth = 1;           // numbers in a word
    static constexpr bool converts = false;   // whether a row of numbers has to be made a row of words
    static constexpr bool tiled = false;      // whether the products are those of tiles.h
    static constexpr bool quantised = false;  // whether factors are whole numbers with scales: see bytes.h
    static constexpr int block = W;           // rows of words are padded to as many numbers
    static constexpr int lines = 1;           // and lines to a multiple of this
    static constexpr int rows = 6;            // of a tile of sums, at most

    static constexpr int64_t words(int64_t numbers) { return numbers; }
    static constexpr int64_t number(int64_t word) { return word; }  // the first number in a word

    OSTINATO_INLINE V multiply_add(V a, V b, V sum) { return fma(a, b, sum); }
    // W words of a row, from the `word`-th on, from numbers of which n exist.
    OSTINATO_INLINE V row(const float* numbers, int64_t n, int64_t = 0) {
        return n >= W ? load(numbers) : load_first(numbers, static_cast<int>(n));
    }
    // W words of the `word`-th line, from as many rows as a word is deep; null for zeros.
    OSTINATO_INLINE V line(const float* const (&rows)[depth], int64_t column, int64_t n, int64_t = 0) {
        return rows[0] && n > 0 ? row(rows[0] + column, n) : broadcast(0.0f);
    }
    // The numbers k, k + 1, ... k + W - 1 of a row; k is a multiple of W.
    OSTINATO_INLINE void write(Word* row, int64_t k, V numbers) { store(row + k, numbers); }
    // The same numbers of as many rows as a word is deep, null for zeros, as W words of a line.
    OSTINATO_INLINE V line_of(const Word* const (&rows)[depth], int64_t k, int64_t = 0) {
        return rows[0] ? load(rows[0] + k) : broadcast(0.0f);
    }
};

#if defined(__AVX512BF16__)
// A word is two numbers rounded to bf16, the even one in its lower half; their products are exact.
struct Bf16 {
    OSTINATO_INLINE __m256i rounded(V numbers) { return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(numbers)); }
    OSTINATO_INLINE V value(__m256i numbers) {
        return reinterpret_cast<V>(_mm512_slli_epi32(_mm512_cvtepu16_epi32(numbers), 16));
    }
    // What rounding leaves out.
    OSTINATO_INLINE V rest(V numbers) { return numbers - value(rounded(numbers)); }
    OSTINATO_INLINE V side_by_side(V first, V second) { return reinterpret_cast<V>(_mm512_cvtne2ps_pbh(second, first)); }
    OSTINATO_INLINE V interleaved(__m256i even, __m256i odd) {
        const __m512i upper = _mm512_slli_epi32(_mm512_cvtepu16_epi32(odd), 16);
        return reinterpret_cast<V>(_mm512_or_si512(upper, _mm512_cvtepu16_epi32(even)));
    }
    OSTINATO_INLINE __m256i read(const Word* at) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)); }
    OSTINATO_INLINE void write(Word* at, __m256i numbers) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), numbers); }
};

struct Pairs {
    static constexpr int depth = 2;
    static constexpr bool converts = true, tiled = false, quantised = false;
    static constexpr int block = W, lines = 1, rows = 6;

    static constexpr int64_t words(int64_t numbers) { return (numbers + 1) / 2; }
    static constexpr int64_t number(int64_t word) { return 2 * word; }

    OSTINATO_INLINE V multiply_add(V a, V b, V sum) {
        return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
    }
    OSTINATO_INLINE V row(const float* numbers, int64_t n, int64_t = 0) {
        return Bf16::side_by_side(Single::row(numbers, n), Single::row(numbers + W, larger<int64_t>(n - W, 0)));
    }
    OSTINATO_INLINE V line(const float* const (&rows)[depth], int64_t column, int64_t n, int64_t = 0) {
        return Bf16::interleaved(Bf16::rounded(Single::line({rows[0]}, column, n)), Bf16::rounded(Single::line({rows[1]}, column, n)));
    }
    OSTINATO_INLINE void write(Word* row, int64_t k, V numbers) { Bf16::write(row + k / 2, Bf16::rounded(numbers)); }
    OSTINATO_INLINE V line_of(const Word* const (&rows)[depth], int64_t k, int64_t = 0) {
        return Bf16::interleaved(Bf16::read(rows[0] + k / 2), rows[1] ? Bf16::read(rows[1] + k / 2) : _mm256_setzero_si256());
    }
};

// The same for tiles.h: in blocks of 16 words. Of two parts, each number is the sum of two bf16: a block of the larger
// ones is followed by the block of the smaller ones, in rows as in lines.
template <int parts>
struct Blocks {
    static constexpr int depth = 2;
    static constexpr bool converts = true, tiled = true, quantised = false;
    static constexpr int block = 32, lines = 16 * parts, rows = 32;

    static constexpr int64_t words(int64_t numbers) { return (numbers + block - 1) / block * lines; }
    static constexpr int64_t number(int64_t word) { return word / lines * block + word % 16 * 2; }
    static constexpr bool smaller_part(int64_t word) { return word / 16 % parts; }

    OSTINATO_INLINE V row(const float* numbers, int64_t n, int64_t word) {
        V first = Single::row(numbers, n), second = Single::row(numbers + W, larger<int64_t>(n - W, 0));
        return smaller_part(word) ? Bf16::side_by_side(Bf16::rest(first), Bf16::rest(second)) : Bf16::side_by_side(first, second);
    }
    OSTINATO_INLINE V line(const float* const (&rows)[depth], int64_t column, int64_t n, int64_t word) {
        V even = Single::line({rows[0]}, column, n), odd = Single::line({rows[1]}, column, n);
        if (smaller_part(word)) even = Bf16::rest(even), odd = Bf16::rest(odd);
        return Bf16::interleaved(Bf16::rounded(even), Bf16::rounded(odd));
    }
    OSTINATO_INLINE void write(Word* row, int64_t k, V numbers) {
        row += k / block * lines + k % block / 2;
        Bf16::write(row, Bf16::rounded(numbers));
        if constexpr (parts == 2) Bf16::write(row + 16, Bf16::rounded(Bf16::rest(numbers)));
    }
    OSTINATO_INLINE V line_of(const Word* const (&rows)[depth], int64_t k, int64_t word) {
        const int64_t at = k / block * lines + k % block / 2 + 16 * smaller_part(word);
        const __m256i none = _mm256_setzero_si256();
        return Bf16::interleaved(rows[0] ? Bf16::read(rows[0] + at) : none, rows[1] ? Bf16::read(rows[1] + at) : none);
    }
};
using Tiles = Blocks<1>;
using SplitTiles = Blocks<2>;
#endif

// A row of n numbers as words, W of them at a time.
template <class P>
OSTINATO_INLINE void pack_row(const float* numbers, int64_t n, Word* to) {
    for (int64_t at = 0; at < P::words(n); at += W) store(to + at, P::row(numbers + P::number(at), n - P::number(at), at));
}

// dst[k * stride + l] = word k of row l of src: rows of a weight matrix as columns; those from `rows` on are zero. Rows of K
// numbers may be part of longer ones, `between` from one to the next.
template <class P>
static void pack_transposed(const float* src, int64_t rows, int64_t K, Word* dst, int64_t stride, int64_t between = 0) {
    between = between ? between : K;
    for (int64_t at = 0; at < P::words(K); at += W) {
        const int64_t k = P::number(at);
        V block[W];
        for (int l = 0; l < W; ++l) block[l] = l < rows ? P::row(src + l * between + k, K - k, at) : broadcast(0.0f);
        transpose(block);
        const int lines = static_cast<int>(smaller<int64_t>(W, P::words(K) - at));
        for (int i = 0; i < lines; ++i) store(dst + (at + i) * stride, block[i]);
    }
}

// The `word`-th line, `vectors` vectors of words, from rows in which `n` columns exist.
template <class P>
OSTINATO_INLINE void pack_line(const float* const (&rows)[P::depth], int64_t n, Word* to, int vectors, int64_t word) {
    for (int v = 0; v < vectors; ++v) store(to + v * W, P::line(rows, v * W, n - v * W, word));
}

}  // namespace OSTINATO_ISA
}  // namespace ostinato
