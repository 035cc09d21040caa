// What both passes of compiled cells share (program.h): rows and their planes, products of planes, who does what.
#pragma once

#include "program.h"
#include "schedule.h"
#if defined(OSTINATO_TILES)
#include "tiles.h"
#endif

namespace ostinato {
namespace OSTINATO_ISA {

// Planes are padded alike in every build.
OSTINATO_INLINE int64_t plane(int64_t width) { return ceil_div(width, 16) * 16; }

// c = bias + the sum of products of spans; as SpansProduct, with other factors in each.
template <class P>
struct PlanesProduct {
    using Precision = P;
    const Span* spans;
    int64_t count, row, row_step;
    const Word* b;      // lines of all spans
    const float* bias;  // or null
    float* const* c;

    template <int R, int NV>
    static void tile(const PlanesProduct& p) {
        V acc[R][NV];
        fill_tile(acc, p.bias);
        const Word* b = p.b;
        for (int64_t i = 0; i < p.count; ++i) {
            const Span& span = p.spans[i];
            const Word* a[R];
            for (int r = 0; r < R; ++r) a[r] = span.base + (p.row + r * p.row_step) * span.stride;
            multiply<P>(acc, a, b, span.words);
            b += span.words * NV * W;
        }
        store_tile(acc, p.c, W);
    }
};

#if defined(OSTINATO_TILES)
// Rows that are converted are one span.
template <class P>
static void in_tiles(const PlanesProduct<P>& p, int rows, int vectors) {
    Sums<P> sums;
    sums.fill(p.bias, rows, vectors);
    const Span& span = *p.spans;
    const amx::Factor a{span.base + p.row * span.stride, p.row_step * span.stride, amx::SIDE, span.words / amx::SIDE};
    amx::multiply<P>(sums.at, rows, vectors, &a, 1, p.b);
    sums.write(p.c, rows, vectors, W);
}
#endif

// Rows begin .. begin + height of a tile of `count` rows.
template <class P, class Body>
OSTINATO_INLINE void each_tile(int64_t count, int width, const Body& body) {
    const int64_t all = tiles(count, tile_rows<P>(width));
    for (int64_t i = 0; i < all; ++i) {
        const int64_t begin = tile_begin(count, all, i);
        body(begin, tile_begin(count, all, i + 1) - begin);
    }
}

// From one row of words to the next: parts of it are written W words at a time, the last from any word on.
OSTINATO_INLINE int64_t words_stride(int64_t words) { return ceil_div(words + W - 1, W) * W; }

struct GeneralProblem {
    const ostinato_program& run;
    const int64_t N, T;
    const bool by_units;
    const int threads;
    Schedule schedule;
    ostinato_run plain;  // what the schedule asks for
    ostinato_row* rows_;
    const float** inputs_;
    float** results_;
    ostinato_ahead* ahead_;
    int64_t* distances_;

    // `depth`: numbers in a word of the products' factors.
    GeneralProblem(const ostinato_program& r, int depth)
        : run(r), N(r.N), T(r.T), by_units(split_by_units(r, depth)), threads(team_of(r, by_units)), plain{} {
        plain.N = N, plain.T = T, plain.lengths = r.lengths;
    }

    // Whether products of a level forward belong to each step: those of inputs and of the last levels are of the whole chunk.
    static bool in_step(const ostinato_program& run, int64_t level) {
        return level && level <= run.forward.levels - run.forward.over_chunk;
    }
    // Factors of the products of a step.
    static int64_t weights(const ostinato_program& run) {
        int64_t sum = 0;
        for (int64_t m = 0; m < run.matrices; ++m) sum += run.matrix_shape[2 * m] * run.matrix_shape[2 * m + 1];
        return sum;
    }
    static int64_t asked(const ostinato_program& run) {
        const double work = static_cast<double>(run.N) * run.T * (weights(run) + 4 * run.state_size);
        return smaller<int64_t>(larger<int64_t>(run.threads, 1), 1 + static_cast<int64_t>(work / 5e4));
    }
    static bool split_by_units(const ostinato_program& run, int depth) {
        if (run.split != OSTINATO_SPLIT_AUTO) return run.split == OSTINATO_SPLIT_UNITS;
        int64_t within_step = 0;
        for (int64_t i = 0; i < run.products; ++i)
            if (in_step(run, run.product[i].level)) within_step += factors(run, run.product[i]);
        return within_step && (run.N < asked(run) || within_step * 4 / depth > second_level_cache() * 3 / 4);
    }
    static int team_of(const ostinato_program& run, bool by_units) {
        return static_cast<int>(by_units ? asked(run) : larger<int64_t>(smaller(asked(run), run.N), 1));
    }

    static int64_t columns(const ostinato_program& run, const ostinato_product& product) {
        int64_t sum = 0;
        for (int64_t p = 0; p < product.pieces; ++p) sum += plane(run.piece[product.first_piece + p].rows);
        return sum;
    }
    // Words of a row of the left factor, as many as lines of the right one.
    template <class P>
    static int64_t words(const ostinato_program& run, const ostinato_product& product) {
        int64_t sum = 0;
        for (int64_t o = 0; o < product.operands; ++o) sum += P::words(run.operand[product.first_operand + o].width);
        return sum;
    }
    template <class P>
    static int64_t words(const ostinato_program& run, const ostinato_back& back) {
        int64_t sum = 0;
        for (int64_t s = 0; s < back.sources; ++s) sum += P::words(run.source[back.first_source + s].rows);
        return sum;
    }
    static int64_t factors(const ostinato_program& run, const ostinato_product& product) {
        return columns(run, product) * words<Single>(run, product);
    }

    Segment segment(int thread, int team) const {
        if (by_units) return {0, 1, N};
        if (run.lengths) return {thread, team, N};
        const Share rows = Share::of(N, thread, team);
        return {rows.begin, 1, rows.end};
    }
    // Of `count` things that a step needs: all, or a thread's own.
    Share shared(int64_t count, int thread, int team) const {
        return by_units ? Share::of(count, thread, team) : Share{0, count};
    }

    const float* input(int64_t i, int64_t t, int64_t n) const {
        return run.input[i] + t * run.input_stride[2 * i] + schedule.order[n] * run.input_stride[2 * i + 1];
    }
    // Of an operand: which input, and its first number.
    const float* input_at(int64_t offset, int64_t t, int64_t n) const { return input(offset >> 32, t, n) + (offset & 0xffffffff); }
    int64_t before(int64_t t) const { return run.reverse ? t + 1 : t - 1; }
    // Whether a row starts anew before step t; and whether one of a thread's does.
    bool resets(int64_t t, int64_t n) const { return run.resets && run.resets[t * N + schedule.order[n]]; }
    bool resets_any(int64_t t, const Segment& rows, int64_t count) const {
        for (int64_t i = 0; run.resets && i < count; ++i)
            if (resets(t, rows.row(i))) return true;
        return false;
    }
    // From a row of step t to one that its thread needs soon, in rows: to that of the same sequence at step `next`, or, where a
    // step's rows fill the nearest caches, to another of the same step. Memory is asked for that much ahead.
    int64_t rows_ahead(int64_t t, int64_t next) const {
        constexpr int64_t most = 16 << 10, little = 2 << 10;
        const int64_t floats = larger<int64_t>(run.kept_size + run.output_width, 1);
        const int64_t step = next < 0 || next >= schedule.steps ? 0 : schedule.start[next] - schedule.start[t];
        if ((step < 0 ? -step : step) * floats <= most * threads) return step;
        return ceil_div(little, floats) * (run.lengths ? threads : 1);
    }
    // What a thread writes at every step lies so far from what another does that neither's processor fetches it ahead.
    static constexpr int64_t APART = 4 << 10, GAP = APART / sizeof(ostinato_row);
    // Floats between the states of a thread and where they would be without that; none where threads read those of others.
    int64_t apart(int thread) const { return by_units || run.lengths ? 0 : thread * (APART / 4); }
    int64_t states_size() const { return N * run.state_size + apart(threads); }
    // Rows of a step, one after the other for each thread, and what they point to: lines of cache of their own.
    int64_t pointers() const { return ceil_div(run.inputs, 8) * 8; }
    int64_t first_row(int thread, int team) const { return (by_units ? 0 : ceil_div(N, team) * thread) + thread * GAP; }
    void carve_rows(Carver& carver) {
        const int64_t rows = N + threads + threads * GAP;
        rows_ = carver.take<ostinato_row>(rows);
        inputs_ = carver.take<const float*>(rows * pointers());
        results_ = carver.take<float*>(rows * pointers());
        ahead_ = carver.take<ostinato_ahead>(threads);
        distances_ = carver.take<int64_t>(2 * threads * pointers());
    }
    // Whether so many floats of every row and step are more than caches hold until they are read. What a system says of its
    // last cache may be the sum of several, of which a core has one.
    bool is_large(int64_t floats) const { return 4 * schedule.rows() * floats > 16 << 20; }
    // What a thread's rows of step t are told; `result`: floats of the only result, or 0 where they are the inputs' gradients.
    void look_ahead(int64_t t, int64_t next, int thread, int64_t result, bool past_caches) {
        const int64_t rows = rows_ahead(t, next);
        int64_t *inputs = distances_ + 2 * thread * pointers(), *results = inputs + pointers();
        for (int64_t i = 0; i < run.inputs; ++i) {
            inputs[i] = rows * run.input_stride[2 * i + 1];
            results[i] = rows * run.input_width[i];
        }
        if (result) results[0] = rows * result;
        ahead_[thread] = {rows * run.kept_size, rows * run.output_width, inputs, results, past_caches};
    }
    float* kept(int64_t t, int64_t n) const { return run.saved + (schedule.start[t] + n) * run.kept_size; }

    void pack_vectors(float* to) const {
        for (int64_t i = 0; i < run.vector_parts; ++i) {
            const ostinato_vector_part& part = run.vector_part[i];
            const float* from = run.vector[part.vector];
            copy_padded(from ? from + part.begin : nullptr, part.width, to + part.plane, static_cast<int>(plane(part.width) / W));
        }
    }
    // A dense row of a state field from, or to, a row of planes.
    void read_state(const float* const* fields, int64_t at, float* row) const {
        for (int64_t i = 0; i < run.state_parts; ++i) {
            const ostinato_state_part& part = run.state_part[i];
            const float* from = fields[part.field];
            copy_padded(from ? from + at * run.field_width[part.field] + part.begin : nullptr, part.width, row + part.plane,
                        static_cast<int>(plane(part.width) / W));
        }
    }
    void write_state(const float* row, float* const* fields, int64_t at) const {
        for (int64_t i = 0; i < run.state_parts; ++i) {
            const ostinato_state_part& part = run.state_part[i];
            if (float* to = fields[part.field])
                copy(to + at * run.field_width[part.field] + part.begin, row + part.plane, part.width);
        }
    }
    // What lies beyond the lengths.
    void clear_beyond(float* array, int64_t width, int thread, int team) const {
        if (!array || !run.lengths) return;
        const Share times = Share::of(T, thread, team);
        for (int64_t t = times.begin; t < times.end; ++t)
            for (int64_t n = schedule.active(t); n < N; ++n) zero(array + (t * N + schedule.order[n]) * width, width);
    }
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
