// A whole sequence forward, in one parallel region.
//
// Time goes in chunks. For each chunk a thread first multiplies the inputs of all its steps by W_ih, into a buffer that
// stays in its second-level cache; then step after step the recurrent product is added, tile by tile, and as a tile
// holds all gates of its units, the equations follow while the sums are still in registers.
#pragma once

#include "cells/cell.h"
#include "schedule.h"
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

// Whether h as it is fed back is written apart from h itself.
template <class C, class P>
constexpr bool separate_factor = P::converts || C::noisy;

OSTINATO_INLINE V load_or(V otherwise, const float* row, int offset, int n) {
    if (!row) return otherwise;
    return n == W ? load(row + offset) : load_first(row + offset, n);
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
        factor[r] = separate_factor<C, P> ? s.factor + r * s.factor_stride : s.h + r * s.h_stride;
        begin_row<C, U>(s, r, acc[r]);
    }
    multiply<P>(acc, factor, s.weights, s.words);
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

template <class C, class P>
class ForwardPass : Problem<C, P> {
    using Base = Problem<C, P>;
    using Base::D, Base::H, Base::N, Base::division, Base::panels, Base::run, Base::schedule, Base::state_stride;
    static constexpr int G = C::gates;

public:
    ForwardPass(const ostinato_run& r, void* workspace) : Base(r), x_words_(P::words(r.D)), h_words_(P::words(r.H)) {
        Carver carver(workspace);
        schedule.carve(r, carver);
        const int64_t padded = static_cast<int64_t>(panels.vectors) * W;
        Carver packed(run.packed);
        carve_weights(run.packed ? packed : carver);
        for (float*& h : h_) h = carver.take<float>(N * state_stride);
        for (Word*& factor : factor_) factor = carver.take<Word>(separate_factor<C, P> ? N * state_stride : 0);
        c_ = carver.take<float>(C::memory >= 0 ? padded * N : 0);
        plan_chunks();
        // Split by sequences, each thread of a team has a slot of its own; a team may be smaller than asked for.
        const int64_t all = chunk_steps_ * (division.by_units ? N : N + division.threads);
        chunk_ = carver.take<float>(all * padded * G);
        const int64_t x_all = all * (division.by_units ? division.threads : 1);
        x_rows_ = carver.take<const Word*>(x_all);
        x_factor_ = carver.take<Word>(P::converts ? x_all * x_stride() : 0);
        bytes_ = carver.used();
    }

    int64_t bytes() const { return bytes_; }

    int64_t packed_bytes() {
        Carver carver(nullptr);
        carve_weights(carver);
        return carver.used();
    }

    void pack_all() {
        in_parallel(division.threads, [this](int thread, int team) { pack(Share::of(panels.count, thread, team)); });
    }

    void compute() {
        schedule.fill();
        in_parallel(division.threads, [this](int thread, int team) { work(thread, team), leave_tiles(); });
    }

private:
    void carve_weights(Carver& carver) {
        const int64_t padded = static_cast<int64_t>(panels.vectors) * W;
        weight_ih_ = carver.take<Word>(padded * G * x_words_);
        weight_hh_ = carver.take<Word>(padded * G * h_words_);
        bias_ = carver.take<float>(padded * G);
        bias_apart_ = carver.take<float>(padded * C::apart);
        extra_ = carver.take<float>(padded * C::extra);
    }

    // Rows of a chunk: as many as keep the projected input in cache, but enough that reading W_ih pays.
    void plan_chunks() {
        const int team = division.threads;
        const int64_t rows = division.by_units ? N : ceil_div(N, team);
        const int64_t row_bytes = 4 * G * W * ceil_div(panels.vectors, division.by_units ? team : 1);
        const int64_t wanted = larger<int64_t>(second_level_cache() / 8 / row_bytes, 128);
        chunk_steps_ = smaller(larger<int64_t>(wanted / larger<int64_t>(rows, 1), 1), larger<int64_t>(run.T, 1));
    }
    int64_t slot_rows(int team) const { return chunk_steps_ * (division.by_units ? N : ceil_div(N, team)); }

    void work(int thread, int team) {
        if (!run.packed) pack(Share::of(panels.count, thread, team));
        const Segment segment = division.segment(run, thread, team);
        begin_state(Share::of(N, thread, team));
        clear_padding(thread, team);
        barrier_.wait(team);

        const Share own = division.panels(panels, thread, team);
        const Word** x_rows = x_rows_ + slot_rows(team) * thread;
        Word* x_factor = x_factor_ + slot_rows(team) * thread * x_stride();
        float* chunk = chunk_ + (division.by_units ? 0 : slot_rows(team) * thread * panels.vectors * W * G);
        int parity = 0;
        for (int64_t done = 0; done < schedule.steps; done += chunk_steps_) {
            const int64_t steps = smaller(chunk_steps_, schedule.steps - done);
            int64_t rows = 0;
            for (int64_t i = 0; i < steps; ++i) {
                const int64_t t = time(done + i), count = segment.count(schedule.active(t));
                for (int64_t j = 0; j < count; ++j, ++rows)
                    x_rows[rows] = x_row(Base::x(t, segment.row(j)), x_factor + rows * x_stride());
            }
            for (int64_t p = own.begin; p < own.end; ++p) project(static_cast<int>(p), x_rows, rows, chunk);
            int64_t row = 0;
            for (int64_t i = 0; i < steps; ++i, parity ^= 1) {
                const int64_t t = time(done + i), count = segment.count(schedule.active(t));
                // On every other step the other way round: what is in cache of the weights is used first.
                for (int64_t p = own.begin; p < own.end; ++p) {
                    const int panel = static_cast<int>(parity ? own.begin + own.end - 1 - p : p);
                    step(panel, t, segment, count, chunk + panels.begin(panel) * rows * G * W, row, parity);
                }
                row += count;
                if (run.resets) restart(run.reverse ? t - 1 : t + 1, segment, own, parity ^ 1);
                if (division.by_units) barrier_.wait(team);
            }
        }
        barrier_.wait(team);
        end_state(Share::of(N, thread, team));
        if constexpr (C::memory >= 0)
            if (run.states_c) every_c(Share::of(run.T, thread, team));
    }

    // The left factor of a product from a row of x; a buffer takes it where it is not the row itself.
    const Word* x_row(const float* x, Word* buffer) const {
        if (!P::converts) return x;
        for (int64_t at = 0; at < x_words_; at += W) store(buffer + at, P::row(x + P::number(at), D - P::number(at), at));
        return buffer;
    }
    int64_t x_stride() const { return ceil_div(x_words_, W) * W; }

    int64_t time(int64_t i) const { return run.reverse ? schedule.steps - 1 - i : i; }

    // Weights of a panel: [k][gate][unit], so that one tile ends with all gates of its units.
    void pack(Share share) {
        for (int p = static_cast<int>(share.begin); p < share.end; ++p) {
            const int width = panels.width(p), first = panels.begin(p);
            const int64_t line = static_cast<int64_t>(G) * width * W;
            for (int g = 0; g < G; ++g) {
                for (int u = 0; u < width; ++u) {
                    const int64_t unit = static_cast<int64_t>(first + u) * W, lane = (g * width + u) * W;
                    const int64_t there = smaller<int64_t>(W, H - unit);
                    const int64_t in = C::input_order[g] * H + unit, rec = C::recurrent_order[g] * H + unit;
                    pack_transposed<P>(run.weight_ih + in * D, there, D, weight_ih(first) + lane, line);
                    pack_transposed<P>(run.weight_hh + rec * H, there, H, weight_hh(first) + lane, line);
                    const int n = static_cast<int>(there);
                    V bias = run.bias_ih ? load_first(run.bias_ih + in, n) : broadcast(0.0f);
                    if (g >= C::apart && run.bias_hh) bias = bias + load_first(run.bias_hh + in, n);
                    store(bias_ + first * G * W + lane, bias);
                    const int apart = g - (G - C::apart);
                    if (apart >= 0)
                        copy_padded(run.bias_hh ? run.bias_hh + rec : nullptr, there,
                                    bias_apart_ + first * C::apart * W + (apart * width + u) * W, 1);
                }
            }
            for (int e = 0; e < C::extra; ++e)
                copy_padded(e < run.E ? run.extra + e * H + Base::unit(p) : nullptr, Base::units(p),
                            extra_ + (first * C::extra + e * width) * W, width);
        }
    }

    // Both copies of h, as a row may begin at any step; c by panels.
    void begin_state(Share share) {
        for (int64_t n = share.begin; n < share.end; ++n) {
            const bool anew = Base::begins_anew(n);
            for (int parity = 0; parity < 2; ++parity) put_h(anew ? run.reset_h : run.h0, n, parity, 0, state_stride);
            if constexpr (C::memory >= 0)
                for (int p = 0; p < panels.count; ++p) put_c(anew ? run.reset_c : run.c0, n, p);
        }
    }

    // The same for rows that start anew before step t, of a thread's own units.
    void restart(int64_t t, const Segment& segment, Share own, int parity) {
        const int64_t count = segment.count(schedule.active(t));
        for (int64_t i = 0; i < count; ++i) {
            const int64_t n = segment.row(i);
            if (!Base::resets(t, n)) continue;
            for (int p = static_cast<int>(own.begin); p < own.end; ++p) {
                put_h(run.reset_h, n, parity, Base::unit(p), panels.width(p) * W);
                if constexpr (C::memory >= 0) put_c(run.reset_c, n, p);
            }
        }
    }

    // `count` units of h as a step finds them, the `unit`-th first.
    void put_h(const float* from, int64_t n, int parity, int64_t unit, int64_t count) {
        float* h = h_[parity] + n * state_stride;
        copy_padded(from + schedule.order[n] * H + unit, H - unit, h + unit, static_cast<int>(count / W));
        if constexpr (separate_factor<C, P>)
            for (int64_t k = unit; k < smaller(unit + count, ceil_div(H, P::block) * P::block); k += W) {
                V fed = load(h + k);
                if (run.recurrent_mask) fed = fed * load_first(Base::mask(n) + k, within(H - k));
                P::write(factor_[parity] + n * state_stride, k, fed);
            }
    }
    void put_c(const float* from, int64_t n, int panel) {
        copy_padded(from + schedule.order[n] * H + Base::unit(panel), Base::units(panel), c(panel, n), panels.width(panel));
    }

    void end_state(Share share) {
        for (int64_t n = share.begin; n < share.end; ++n) {
            const int64_t row = schedule.order[n], length = schedule.length(row);
            copy(run.final_h + row * H, length ? Base::output(run.reverse ? 0 : length - 1, n) : run.h0 + row * H, H);
            if constexpr (C::memory >= 0)
                for (int p = 0; p < panels.count; ++p)
                    copy(run.final_c + row * H + Base::unit(p), c(p, n), Base::units(p));
        }
    }

    // c after every step, from what is kept of it; zero beyond a length.
    void every_c(Share times) const {
        for (int64_t t = times.begin; t < times.end; ++t)
            for (int64_t n = 0; n < N; ++n) {
                float* to = run.states_c + (t * N + schedule.order[n]) * H;
                if (n >= schedule.active(t)) zero(to, H);
                for (int64_t v = 0; n < schedule.active(t) && v * W < H; ++v) {
                    const float* kept = run.saved + (schedule.start[t] * panels.vectors + schedule.active(t) * v + n) * C::saved * W;
                    copy(to + v * W, kept + C::memory * W, smaller<int64_t>(W, H - v * W));
                }
            }
    }

    void clear_padding(int thread, int team) {
        if (!run.lengths) return;
        const Share times = Share::of(run.T, thread, team);
        for (int64_t t = times.begin; t < times.end; ++t)
            for (int64_t n = schedule.active(t); n < N; ++n) zero(Base::output(t, n), H);
    }

    Word* weight_ih(int vector) const { return weight_ih_ + vector * G * W * x_words_; }
    Word* weight_hh(int vector) const { return weight_hh_ + vector * G * W * h_words_; }
    static const float* at_unit(const float* row, int64_t unit) { return row ? row + unit : nullptr; }
    float* c(int panel, int64_t n) const { return c_ + (panels.begin(panel) * N + n * panels.width(panel)) * W; }

    void project(int panel, const Word* const* x_rows, int64_t rows, float* chunk) const {
        const int width = panels.width(panel), first = panels.begin(panel), NV = G * width;
        float* target = chunk + first * rows * G * W;
        const int64_t count = tiles(rows, tile_rows<P>(NV));
        for (int64_t i = 0; i < count; ++i) {
            const int64_t begin = tile_begin(rows, count, i), height = tile_begin(rows, count, i + 1) - begin;
            float* c[P::rows];
            for (int64_t r = 0; r < height; ++r) c[r] = target + (begin + r) * NV * W;
            run_tile(RowsProduct<P>{x_rows + begin, x_stride(), weight_ih(first), x_words_, bias_ + first * G * W, c}, height, NV);
        }
    }

    void step(int panel, int64_t t, const Segment& segment, int64_t count, const float* input, int64_t row, int parity) const {
        const int width = panels.width(panel), first = panels.begin(panel), NV = G * width;
        const int64_t tile_count = tiles(count, tile_rows<P>(NV));
        StepTile s;
        s.h_stride = s.factor_stride = state_stride * segment.step;
        s.unit = Base::unit(panel);
        s.weights = weight_hh(first), s.words = h_words_;
        s.bias = bias_apart_ + first * C::apart * W;
        s.extra = extra_ + first * C::extra * W;
        s.c_stride = width * W * segment.step;
        s.saved_stride = C::saved * W * segment.step;
        s.saved_vector = Base::saved_vector(t);
        s.last = Base::last(panel);
        float* output[P::rows];
        s.output = output;
        const float *mask[P::rows], *hold_h[P::rows], *hold_c[P::rows];
        s.mask = mask, s.hold_h = hold_h, s.hold_c = hold_c;
        for (int64_t i = 0; i < tile_count; ++i) {
            const int64_t begin = tile_begin(count, tile_count, i), height = tile_begin(count, tile_count, i + 1) - begin;
            const int64_t n = segment.row(begin);
            s.h = h_[parity] + n * state_stride;
            s.h_after = h_[parity ^ 1] + n * state_stride;
            s.factor = factor_[parity] + n * state_stride;
            s.factor_after = factor_[parity ^ 1] + n * state_stride;
            s.input = input + (row + begin) * NV * W;
            s.c = C::memory >= 0 ? c(panel, n) : nullptr;
            s.saved = C::saved && run.saved ? Base::saved(t, panel) + n * C::saved * W : nullptr;
            for (int64_t r = 0; r < height; ++r) output[r] = Base::output(t, segment.row(begin + r)) + s.unit;
            if constexpr (C::noisy) {
                for (int64_t r = 0; r < height; ++r) {
                    const int64_t row = segment.row(begin + r);
                    mask[r] = at_unit(Base::mask(row), s.unit);
                    hold_h[r] = at_unit(Base::hold_h(t, row), s.unit);
                    hold_c[r] = at_unit(Base::hold_c(t, row), s.unit);
                }
            }
            if constexpr (C::widest == 1) {
                step_rows<C, P, 1>(s, height);
            } else {
                switch (width) {
                    case 1: step_rows<C, P, 1>(s, height); break;
                    case 2: step_rows<C, P, 2>(s, height); break;
                    case 3: step_rows<C, P, 3>(s, height); break;
                    case 4: step_rows<C, P, 4>(s, height); break;
                }
            }
        }
    }

    const int64_t x_words_, h_words_;  // of a row of x and of h, as left factors
    Word *weight_ih_, *weight_hh_, *factor_[2], *x_factor_;
    float *bias_, *bias_apart_, *extra_, *h_[2], *c_, *chunk_;
    const Word** x_rows_;
    int64_t chunk_steps_, bytes_;
    Barrier barrier_;
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
