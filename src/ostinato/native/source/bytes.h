// Factors of 8 bits: four whole numbers in a word, from -127 to 127, which stand for that many times a scale.
//
//   left factor     a row of words; behind it its scale, and what its sums begin with
//   right factor    lines of words; behind them a line of scales, one for each column
//
// A scale is the largest magnitude of the row, or of the column, over 127. Of the right factor, the weights, it is found when they
// are packed; of the left one, inputs and states, whenever a row is multiplied. Sums are whole numbers, and exact: the same on
// every instruction set. One number that is none, or infinite, makes the scale none, and so all that comes of it.
#pragma once

#include "operands.h"

namespace ostinato {
namespace OSTINATO_ISA {

typedef int8_t Narrow __attribute__((vector_size(W)));

struct Bytes {
    static constexpr int depth = 4;
    static constexpr bool converts = true, tiled = false, quantised = true;
    static constexpr int block = 4 * W, lines = 1, rows = 4;
    static constexpr float most = 127.0f;

#if defined(__AVX512VNNI__)
    // This machine multiplies without sign by with sign: of the weights 128 more are kept, which each sum begins without.
    static constexpr int more = 128;
#else
    static constexpr int more = 0;
#endif

    static constexpr int64_t words(int64_t numbers) { return (numbers + 3) / 4; }
    static constexpr int64_t number(int64_t word) { return 4 * word; }

    // sum += the products of four whole numbers of `row` with those of `line`, lane by lane.
    OSTINATO_INLINE V multiply_add(V row, V line, V sum) {
#if defined(__AVX512VNNI__)
        return reinterpret_cast<V>(
            _mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sum), reinterpret_cast<__m512i>(line), reinterpret_cast<__m512i>(row)));
#elif defined(__AVX2__) && !defined(__AVX512F__)
        // The row's signs go over to the line, so that no sum of two products leaves 16 bits: 2 * 127 * 127.
        const __m256i x = reinterpret_cast<__m256i>(row);
        const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(x), _mm256_sign_epi8(reinterpret_cast<__m256i>(line), x));
        const __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
        return reinterpret_cast<V>(_mm256_add_epi32(reinterpret_cast<__m256i>(sum), fours));
#elif defined(__x86_64__) && !defined(__AVX512F__)
        const __m128i x = reinterpret_cast<__m128i>(row), w = reinterpret_cast<__m128i>(line);
        const __m128i even = _mm_madd_epi16(_mm_srai_epi16(_mm_slli_epi16(x, 8), 8), _mm_srai_epi16(_mm_slli_epi16(w, 8), 8));
        const __m128i odd = _mm_madd_epi16(_mm_srai_epi16(x, 8), _mm_srai_epi16(w, 8));
        return reinterpret_cast<V>(_mm_add_epi32(reinterpret_cast<__m128i>(sum), _mm_add_epi32(even, odd)));
#elif defined(__aarch64__)
        const int8x16_t x = reinterpret_cast<int8x16_t>(row), w = reinterpret_cast<int8x16_t>(line);
        const int16x8_t lower = vmull_s8(vget_low_s8(x), vget_low_s8(w)), upper = vmull_high_s8(x, w);
        return reinterpret_cast<V>(vpadalq_s16(reinterpret_cast<int32x4_t>(sum), vpaddq_s16(lower, upper)));
#else
        const VI x = reinterpret_cast<VI>(row), w = reinterpret_cast<VI>(line);
        VI found = reinterpret_cast<VI>(sum) + (x >> 24) * (w >> 24) + (x << 8 >> 24) * (w << 8 >> 24);
        return reinterpret_cast<V>(found + (x << 16 >> 24) * (w << 16 >> 24) + (x << 24 >> 24) * (w << 24 >> 24));
#endif
    }

    // W numbers, of which n exist, times `factor`, to the nearest whole number, the even one of two: a sum with 1.5 * 2^23 has
    // no room for more.
    OSTINATO_INLINE VI rounded(const float* numbers, int64_t n, float factor) {
        const V shift = broadcast(12582912.0f);
        const V within_bytes = ostinato::OSTINATO_ISA::within(most, Single::row(numbers, larger<int64_t>(n, 0)) * broadcast(factor));
        return reinterpret_cast<VI>(within_bytes + shift) - reinterpret_cast<VI>(shift);
    }

    struct Scale {
        float value, inverse;
    };
    // Of n numbers.
    OSTINATO_INLINE Scale scale(const float* numbers, int64_t n) {
        V largest = broadcast(0.0f), none = broadcast(0.0f);
        for (int64_t k = 0; k < n; k += W) {
            const V v = Single::row(numbers + k, n - k);
            largest = most_of(most_of(v, -v), largest);
            none = none + v * broadcast(0.0f);
        }
        float each[W], nothing[W], found = 0, nan = 0;
        store(each, largest), store(nothing, none);
        for (int l = 0; l < W; ++l) found = larger(found, each[l]), nan += nothing[l];
        return found > 1e-30f ? Scale{found / most + nan, most / found} : Scale{nan, 0.0f};
    }

    OSTINATO_INLINE V value(V sum) { return __builtin_convertvector(reinterpret_cast<VI>(sum), V); }

    // Words of a row behind those of its numbers.
    static constexpr int behind = W;

    // A row of n numbers, and what stands behind it.
    OSTINATO_INLINE void quantise(const float* numbers, int64_t n, Word* to) {
        const Scale found = scale(numbers, n);
        VI sum = {};
        char* bytes = reinterpret_cast<char*>(to);
        for (int64_t k = 0; k < 4 * words(n); k += W) {
            const VI whole = rounded(numbers + k, n - k, found.inverse);
            sum += whole;
            const Narrow narrow = __builtin_convertvector(whole, Narrow);
            std::memcpy(bytes + k, &narrow, sizeof narrow);
        }
        int32_t each[W], begin = 0;
        std::memcpy(each, &sum, sizeof each);
        for (int l = 0; l < W; ++l) begin -= more * each[l];
        to[words(n)] = found.value;
        std::memcpy(to + words(n) + 1, &begin, sizeof begin);
    }

    // Of row l of W: the words from k on, W of them.
    OSTINATO_INLINE V line_part(const float* numbers, int64_t n, float factor) {
        char bytes[4 * W];
        for (int part = 0; part < 4; ++part) {
            const Narrow narrow = __builtin_convertvector(rounded(numbers + part * W, n - part * W, factor) + more, Narrow);
            std::memcpy(bytes + part * W, &narrow, sizeof narrow);
        }
        V found;
        std::memcpy(&found, bytes, sizeof found);
        return found;
    }

    // As pack_transposed, with the columns' scales as one more line.
    static void pack(const float* src, int64_t rows, int64_t K, Word* dst, int64_t stride) {
        Scale scales[W];
        float values[W];
        for (int l = 0; l < W; ++l) {
            scales[l] = l < rows ? scale(src + l * K, K) : Scale{0.0f, 0.0f};
            values[l] = scales[l].value;
        }
        const int64_t all = words(K);
        for (int64_t at = 0; at < all; at += W) {
            const int64_t k = number(at);
            V block[W];
            for (int l = 0; l < W; ++l) block[l] = l < rows ? line_part(src + l * K + k, K - k, scales[l].inverse) : broadcast(0.0f);
            transpose(block);
            const int lines = static_cast<int>(smaller<int64_t>(W, all - at));
            for (int i = 0; i < lines; ++i) store(dst + (at + i) * stride, block[i]);
        }
        store(dst + all * stride, load(values));
    }
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
