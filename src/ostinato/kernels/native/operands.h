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

    static constexpr int64_t words(int64_t numbers) { return numbers; }

    OSTINATO_INLINE V multiply_add(V a, V b, V sum) { return fma(a, b, sum); }
    // W words of a row, from numbers of which n exist.
    OSTINATO_INLINE V row(const float* numbers, int64_t n) {
        return n >= W ? load(numbers) : load_first(numbers, static_cast<int>(n));
    }
    // W words of a line, from as many rows as a word is deep; null for zeros.
    OSTINATO_INLINE V line(const float* const (&rows)[depth], int64_t column, int64_t n) {
        return rows[0] && n > 0 ? row(rows[0] + column, n) : broadcast(0.0f);
    }
    // The numbers k, k + 1, ... k + W - 1 of a row; k is a multiple of W.
    OSTINATO_INLINE void write(Word* row, int64_t k, V numbers) { store(row + k, numbers); }
    // The same numbers of as many rows as a word is deep, null for zeros, as W words of a line.
    OSTINATO_INLINE V line_of(const Word* const (&rows)[depth], int64_t k) {
        return rows[0] ? load(rows[0] + k) : broadcast(0.0f);
    }
};

#if defined(__AVX512BF16__)
// A word is two numbers rounded to bf16, the even one in its lower half; products are exact, sums float32.
struct Pairs {
    static constexpr int depth = 2;
    static constexpr bool converts = true;

    static constexpr int64_t words(int64_t numbers) { return (numbers + 1) / 2; }

    OSTINATO_INLINE V multiply_add(V a, V b, V sum) {
        return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
    }
    OSTINATO_INLINE V row(const float* numbers, int64_t n) {
        return reinterpret_cast<V>(_mm512_cvtne2ps_pbh(Single::row(numbers + W, larger<int64_t>(n - W, 0)), Single::row(numbers, n)));
    }
    OSTINATO_INLINE V line(const float* const (&rows)[depth], int64_t column, int64_t n) {
        return line_of(rounded(Single::line({rows[0]}, column, n)), rounded(Single::line({rows[1]}, column, n)));
    }
    OSTINATO_INLINE void write(Word* row, int64_t k, V numbers) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(row + k / 2), rounded(numbers));
    }
    OSTINATO_INLINE V line_of(const Word* const (&rows)[depth], int64_t k) { return line_of(part(rows[0], k), part(rows[1], k)); }

private:
    OSTINATO_INLINE __m256i rounded(V numbers) { return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(numbers)); }
    OSTINATO_INLINE __m256i part(const Word* row, int64_t k) {
        return row ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + k / 2)) : _mm256_setzero_si256();
    }
    OSTINATO_INLINE V line_of(__m256i even, __m256i odd) {
        const __m512i upper = _mm512_slli_epi32(_mm512_cvtepu16_epi32(odd), 16);
        return reinterpret_cast<V>(_mm512_or_si512(upper, _mm512_cvtepu16_epi32(even)));
    }
};
#endif

// dst[k * stride + l] = word k of row l of src: rows of a weight matrix as columns; those from `rows` on are zero.
template <class P>
static void pack_transposed(const float* src, int64_t rows, int64_t K, Word* dst, int64_t stride) {
    for (int64_t at = 0; at < P::words(K); at += W) {
        const int64_t k = at * P::depth;
        V block[W];
        for (int l = 0; l < W; ++l) block[l] = l < rows ? P::row(src + l * K + k, K - k) : broadcast(0.0f);
        transpose(block);
        const int lines = static_cast<int>(smaller<int64_t>(W, P::words(K) - at));
        for (int i = 0; i < lines; ++i) store(dst + (at + i) * stride, block[i]);
    }
}

// A line of words of `vectors` vectors, from rows in which `n` columns exist.
template <class P>
OSTINATO_INLINE void pack_line(const float* const (&rows)[P::depth], int64_t n, Word* to, int vectors) {
    for (int v = 0; v < vectors; ++v) store(to + v * W, P::line(rows, v * W, n - v * W));
}

}  // namespace OSTINATO_ISA
}  // namespace ostinato
