// A whole sequence forward, in one parallel region.
//
// Time goes in chunks. For each chunk a thread first multiplies the inputs of all its steps by W_ih, into a buffer that
// stays in its second-level cache; then step after step the recurrent product is added, tile by tile, and as a tile
// holds all gates of its units, the equations follow while the sums are still in registers.
#pragma once

#include "schedule.h"
#include "step.h"

namespace ostinato {
namespace OSTINATO_ISA {

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
        quantised_ = carver.take<Word>(P::quantised ? N * h_stride() * (division.by_units ? division.threads : 1) : 0);
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
        weight_ih_ = carver.take<Word>(padded * G * (x_words_ + P::quantised));
        weight_hh_ = carver.take<Word>(padded * G * (h_words_ + P::quantised));
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
                Word* factor = P::quantised ? quantise(segment, count, parity, thread) : factor_[parity];
                // On every other step the other way round: what is in cache of the weights is used first.
                for (int64_t p = own.begin; p < own.end; ++p) {
                    const int panel = static_cast<int>(parity ? own.begin + own.end - 1 - p : p);
                    step(panel, t, segment, count, chunk + panels.begin(panel) * rows * G * W, row, parity, factor);
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
        if constexpr (P::quantised)
            P::quantise(x, D, buffer);
        else
            pack_row<P>(x, D, buffer);
        return buffer;
    }
    int64_t x_stride() const { return row_words(x_words_); }
    int64_t h_stride() const { return row_words(h_words_); }
    // From one row of words to the next.
    static int64_t row_words(int64_t words) {
        if constexpr (P::quantised) words += P::behind;
        return ceil_div(words, W) * W;
    }

    // Rows of h as they are fed back, as left factors: of all units, by each thread for itself.
    Word* quantise(const Segment& segment, int64_t count, int parity, int thread) const {
        Word* rows = quantised_ + (division.by_units ? thread * N * h_stride() : 0);
        if constexpr (P::quantised)
            for (int64_t i = 0; i < count; ++i) {
                const int64_t n = segment.row(i);
                P::quantise(h_[parity] + n * state_stride, H, rows + n * h_stride());
            }
        return rows;
    }
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
                    pack_columns(run.weight_ih + in * D, there, D, weight_ih(first) + lane, line);
                    pack_columns(run.weight_hh + rec * H, there, H, weight_hh(first) + lane, line);
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

    static void pack_columns(const float* src, int64_t rows, int64_t K, Word* dst, int64_t stride) {
        if constexpr (P::quantised)
            P::pack(src, rows, K, dst, stride);
        else
            pack_transposed<P>(src, rows, K, dst, stride);
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

    Word* weight_ih(int vector) const { return weight_ih_ + vector * G * W * (x_words_ + P::quantised); }
    Word* weight_hh(int vector) const { return weight_hh_ + vector * G * W * (h_words_ + P::quantised); }
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

    void step(int panel, int64_t t, const Segment& segment, int64_t count, const float* input, int64_t row, int parity, Word* factor) const {
        const int width = panels.width(panel), first = panels.begin(panel), NV = G * width;
        const int64_t tile_count = tiles(count, tile_rows<P>(NV));
        StepTile s;
        const int64_t factor_stride = P::quantised ? h_stride() : state_stride;
        s.h_stride = state_stride * segment.step, s.factor_stride = factor_stride * segment.step;
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
            s.factor = factor + n * factor_stride;
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
    Word *weight_ih_, *weight_hh_, *factor_[2], *quantised_, *x_factor_;
    float *bias_, *bias_apart_, *extra_, *h_[2], *c_, *chunk_;
    const Word** x_rows_;
    int64_t chunk_steps_, bytes_;
    Barrier barrier_;
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
