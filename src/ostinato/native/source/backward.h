// A whole sequence backward, in one parallel region.
//
// Time goes in chunks, from the last step to the first. Within a chunk, step after step: the gradients by the gates,
// then by h before the step, which is their product with W_hh. After a chunk, the gradients of its gates, still in
// cache, give those by the weights and by x: chunk_gradients.h.
#pragma once

#include "cells/cell.h"
#include "chunk_gradients.h"

namespace ostinato {
namespace OSTINATO_ISA {

template <class C, class P>
class BackwardPass : ChunkGradients<C, P> {
    using Base = ChunkGradients<C, P>;
    using Base::D, Base::H, Base::N, Base::division, Base::panels, Base::run, Base::schedule, Base::state_stride;
    using Base::G, Base::planes, Base::side_words, Base::apart_, Base::chunk_steps_, Base::x_columns_, Base::h_columns_;
    using Base::columns, Base::gates, Base::gates_stride, Base::span;
    using typename Base::Chunk;

public:
    BackwardPass(const ostinato_run& r, void* workspace) : Base(r) {
        Carver carver(workspace);
        schedule.carve(r, carver);
        Base::carve_chunks(carver);
        const int64_t padded = columns(panels);
        weight_hh_ = carver.take<Word>(panels.vectors * side_words * columns(h_columns_));
        spans_ = carver.take<Span>(panels.count * division.threads);
        extra_ = carver.take<float>(padded * C::extra);
        grad_extra_ = carver.take<float>(padded * C::extra * division.threads);
        grad_bias_ = carver.take<float>(padded * planes * division.threads);
        grad_h_ = carver.take<float>(N * state_stride);
        grad_c_ = carver.take<float>(C::memory >= 0 ? padded * N : 0);
        c0_ = carver.take<float>(C::memory >= 0 ? padded * N : 0);
        bytes_ = carver.used();
    }

    int64_t bytes() const { return bytes_; }

    void compute() {
        schedule.fill();
        in_parallel(division.threads, [this](int thread, int team) { work(thread, team), leave_tiles(); });
    }

private:
    void work(int thread, int team) {
        const Segment segment = division.segment(run, thread, team);
        const Share own = division.panels(panels, thread, team);
        pack(thread, team);
        begin(thread, team);
        barrier_.wait(team);

        // Units of this thread's panels as columns of the product with W_hh.
        const Share own_columns = division.by_units ? Share::of(h_columns_.count, thread, team) : Share{0, h_columns_.count};
        Span* spans = spans_ + panels.count * thread;
        for (int64_t done = 0; done < schedule.steps; done += chunk_steps_) {
            const Chunk chunk = Base::chunk_at(done, segment, thread, team);
            for (int p = 0; p < panels.count; ++p) spans[p] = span(p, C::apart, chunk);
            for (int64_t i = 0; i < chunk.end - chunk.begin; ++i) {
                const int64_t t = run.reverse ? chunk.begin + i : chunk.end - 1 - i;
                const int64_t count = segment.count(schedule.active(t));
                for (int64_t p = own.begin; p < own.end; ++p)
                    gate_gradients(static_cast<int>(p), t, segment, count, chunk, thread);
                if (run.resets) cut_memory(t, segment, count, own);
                if (division.by_units) barrier_.wait(team);
                for (int64_t j = own_columns.begin; j < own_columns.end; ++j)
                    state_gradients(static_cast<int>(i & 1 ? own_columns.begin + own_columns.end - 1 - j : j), t, segment,
                                    count, chunk, spans);
                if (run.resets) cut_state(t, segment, count, own_columns);
                if (division.by_units) barrier_.wait(team);
            }
            if (run.grad_weight_ih) {
                if (P::converts && !apart_) barrier_.wait(team);  // lines are made of rows of other threads too
                Base::collect(chunk, thread, team);
            }
            if (!apart_) barrier_.wait(team);
            if (run.grad_weight_ih) Base::weight_gradients(chunk, done == 0, thread, team);
            if (run.grad_x) Base::input_gradients(chunk, spans, thread, team);
            if (!apart_) barrier_.wait(team);
        }
        if (apart_) barrier_.wait(team);
        finish(thread, team);
    }

    // Where a thread's i-th row of step t stands in its chunk: at `first + i * step`.
    struct Place {
        int64_t first, step;
    };
    Place place(const Chunk& chunk, const Segment& segment, int64_t t) const {
        const int64_t start = chunk.start[t - chunk.begin];
        return apart_ ? Place{start, 1} : Place{start + segment.first, segment.step};
    }

    float* grad_c(int panel, int64_t n) const { return grad_c_ + (panels.begin(panel) * N + n * panels.width(panel)) * W; }
    float* c0(int panel, int64_t n) const { return c0_ + (panels.begin(panel) * N + n * panels.width(panel)) * W; }

    void pack(int thread, int team) {
        Base::pack_columns(run.weight_hh, H, C::apart, C::recurrent_order, h_columns_, weight_hh_, Share::of(h_columns_.count, thread, team));
        Base::pack_input_weights(thread, team);
        const Share share = Share::of(panels.count, thread, team);
        for (int p = static_cast<int>(share.begin); p < share.end; ++p)
            for (int e = 0; e < C::extra; ++e)
                copy_padded(e < run.E ? run.extra + e * H + Base::unit(p) : nullptr, Base::units(p),
                            extra_ + (panels.begin(p) * C::extra + e * panels.width(p)) * W, panels.width(p));
    }

    void begin(int thread, int team) {
        const int64_t padded = static_cast<int64_t>(panels.vectors) * W;
        zero(grad_extra_ + thread * padded * C::extra, padded * C::extra);
        zero(grad_bias_ + thread * padded * planes, padded * planes);
        const Share share = Share::of(N, thread, team);
        for (int64_t n = share.begin; n < share.end; ++n) {
            const int64_t at = schedule.order[n] * H;
            if (run.grad_reset_h) zero(run.grad_reset_h + at, H);
            if (run.grad_reset_c) zero(run.grad_reset_c + at, H);
            copy_padded(run.grad_final_h ? run.grad_final_h + at : nullptr, H, grad_h_ + n * state_stride,
                        static_cast<int>(state_stride / W));
            if constexpr (C::memory >= 0)
                for (int p = 0; p < panels.count; ++p) {
                    const int64_t unit = at + Base::unit(p);
                    copy_padded(run.grad_final_c ? run.grad_final_c + unit : nullptr, Base::units(p), grad_c(p, n), panels.width(p));
                    copy_padded(run.c0 + unit, Base::units(p), c0(p, n), panels.width(p));
                }
        }
        Base::clear(thread, team);
    }

    void gate_gradients(int panel, int64_t t, const Segment& segment, int64_t count, const Chunk& chunk, int thread) {
        switch (panels.width(panel)) {
            case 1: return gate_gradients<1>(panel, t, segment, count, chunk, thread);
            case 2: if constexpr (C::widest >= 2) gate_gradients<2>(panel, t, segment, count, chunk, thread); return;
            case 3: if constexpr (C::widest >= 3) gate_gradients<3>(panel, t, segment, count, chunk, thread); return;
            case 4: if constexpr (C::widest >= 4) gate_gradients<4>(panel, t, segment, count, chunk, thread); return;
        }
    }

    template <int U>
    void gate_gradients(int panel, int64_t t, const Segment& segment, int64_t count, const Chunk& chunk, int thread) {
        const int64_t unit = Base::unit(panel), before = Base::before(t), rows_before = schedule.active(before);
        const int last = Base::last(panel);
        const Place at = place(chunk, segment, t);
        Word* target = gates(panel, chunk) + at.first * gates_stride(panel);
        const int64_t stride = at.step * gates_stride(panel);
        const float* kept = C::saved ? Base::saved(t, panel) : nullptr;
        const float* kept_before = C::memory >= 0 && rows_before ? Base::saved(before, panel) : nullptr;
        const int64_t kept_vector = Base::saved_vector(t), kept_vector_before = Base::saved_vector(before);
        const int64_t at_extra = panels.begin(panel) * C::extra * W;
        float* grad_extra = grad_extra_ + thread * columns(panels) * C::extra + at_extra;
        float* grad_bias = grad_bias_ + (thread * columns(panels) + unit) * planes;
        for (int u = 0; u < U; ++u) {
            const int there = u < U - 1 ? W : last;
            Backward b;
            for (int e = 0; e < C::extra; ++e) {
                b.extra[e] = load(extra_ + at_extra + (e * U + u) * W);
                b.d_extra[e] = broadcast(0.0f);  // of this step alone, for the same reason as add_tile
            }
            V sums[planes];
            for (int q = 0; q < planes; ++q) sums[q] = broadcast(0.0f);
            for (int64_t i = 0; i < count; ++i) {
                const int64_t n = segment.row(i), column = unit + u * W;
                for (int k = 0; k < C::saved; ++k) b.saved[k] = load(kept + u * kept_vector + (n * C::saved + k) * W);
                if constexpr (C::memory >= 0) {
                    if (Base::resets(t, n))
                        b.saved_before = load_first(run.reset_c + schedule.order[n] * H + column, there);
                    else
                        b.saved_before = n < rows_before ? load(kept_before + u * kept_vector_before + (n * C::saved + C::memory) * W)
                                                         : load(c0(panel, n) + u * W);
                    b.dc = load(grad_c(panel, n) + u * W);
                    if (run.grad_states_c)
                        b.dc = b.dc + load_first(run.grad_states_c + (t * N + schedule.order[n]) * H + column, there);
                }
                if constexpr (C::uses_h) b.h = load_first(Base::output(t, n) + column, there);
                if constexpr (C::uses_h_before) b.h_before = load_first(Base::h_before(t, n) + column, there);
                b.dh = load(grad_h_ + n * state_stride + column);
                if (run.grad_output)
                    b.dh = b.dh + load_first(run.grad_output + (t * N + schedule.order[n]) * H + column, there);
                if constexpr (C::noisy) {
                    const float *hold_h = Base::hold_h(t, n), *hold_c = Base::hold_c(t, n);
                    b.hold_h = hold_h ? load_first(hold_h + column, there) : broadcast(0.0f);
                    b.hold_c = hold_c ? load_first(hold_c + column, there) : broadcast(0.0f);
                }
                C::backward(b);
                for (int q = 0; q < planes; ++q) {
                    P::write(target + i * stride, (q * U + u) * W, b.planes[q]);
                    sums[q] = sums[q] + b.planes[q];
                }
                if constexpr (planes * U * W % P::block) P::write(target + i * stride, planes * U * W, broadcast(0.0f));
                if constexpr (C::memory >= 0) store(grad_c(panel, n) + u * W, b.dc);
                if constexpr (C::carries) store(grad_h_ + n * state_stride + column, b.carried);
            }
            for (int e = 0; e < C::extra; ++e) {
                float* total = grad_extra + (e * U + u) * W;
                store(total, load(total) + b.d_extra[e]);
            }
            for (int q = 0; q < planes; ++q) {
                float* total = grad_bias + (q * U + u) * W;
                store(total, load(total) + sums[q]);
            }
        }
    }

    void state_gradients(int j, int64_t t, const Segment& segment, int64_t count, const Chunk& chunk, const Span* spans) {
        const int width = h_columns_.width(j);
        const int64_t tile_count = tiles(count, tile_rows<P>(width));
        const Place at = place(chunk, segment, t);
        const Word* b = weight_hh_ + h_columns_.begin(j) * W * panels.vectors * side_words;
        for (int64_t i = 0; i < tile_count; ++i) {
            const int64_t begin = tile_begin(count, tile_count, i), height = tile_begin(count, tile_count, i + 1) - begin;
            float* c[P::rows];
            for (int64_t r = 0; r < height; ++r)
                c[r] = grad_h_ + segment.row(begin + r) * state_stride + h_columns_.begin(j) * W;
            SpansProduct<P> product{spans, panels.count, at.first + begin * at.step, at.step, b, c, W, C::carries};
            if (C::noisy && run.recurrent_mask)
                masked_gradients(j, segment, begin, product, height);
            else
                run_tile(product, height, width);
        }
    }

    // The same where the product is a gradient by h as it is fed back: masked, then added to what is carried over.
    void masked_gradients(int j, const Segment& segment, int64_t begin, SpansProduct<P> product, int64_t height) {
        const int width = h_columns_.width(j);
        const int64_t column = static_cast<int64_t>(h_columns_.begin(j)) * W;
        alignas(64) float fed[P::rows][COLUMNS * W];
        float *rows[P::rows], *const* c = product.c;
        for (int r = 0; r < P::rows; ++r) rows[r] = fed[r];
        product.c = rows, product.accumulate = false;
        run_tile(product, height, width);
        for (int64_t r = 0; r < height; ++r) {
            const float* mask = Base::mask(segment.row(begin + r)) + column;
            for (int v = 0; v < width; ++v)
                store(c[r] + v * W, fma(load(fed[r] + v * W), load_first(mask + v * W, within(H - column - v * W)), load(c[r] + v * W)));
        }
    }

    // Rows that started anew before step t: no gradient goes from there to the step before, of a thread's own units.
    void cut_memory(int64_t t, const Segment& segment, int64_t count, Share own) {
        if constexpr (C::memory >= 0)
            for (int64_t i = 0; i < count; ++i) {
                const int64_t n = segment.row(i), at = schedule.order[n] * H;
                if (!Base::resets(t, n)) continue;
                for (int p = static_cast<int>(own.begin); p < own.end; ++p)
                    hand_over(grad_c(p, n), run.grad_reset_c ? run.grad_reset_c + at + Base::unit(p) : nullptr, Base::units(p));
            }
    }
    void cut_state(int64_t t, const Segment& segment, int64_t count, Share own) {
        const int64_t begin = static_cast<int64_t>(h_columns_.begin(static_cast<int>(own.begin))) * W;
        const int64_t end = smaller<int64_t>(static_cast<int64_t>(h_columns_.begin(static_cast<int>(own.end))) * W, H);
        for (int64_t i = 0; i < count; ++i) {
            const int64_t n = segment.row(i);
            if (Base::resets(t, n))
                hand_over(grad_h_ + n * state_stride + begin, run.grad_reset_h ? run.grad_reset_h + schedule.order[n] * H + begin : nullptr,
                          end - begin);
        }
    }

    void finish(int thread, int team) {
        const Share share = Share::of(N, thread, team);
        for (int64_t n = share.begin; n < share.end; ++n) {
            const int64_t at = schedule.order[n] * H;
            if (run.grad_h0) copy(run.grad_h0 + at, grad_h_ + n * state_stride, H);
            if constexpr (C::memory >= 0)
                for (int p = 0; p < panels.count && run.grad_c0; ++p)
                    copy(run.grad_c0 + at + Base::unit(p), grad_c(p, n), Base::units(p));
        }
        const Share own = Share::of(panels.count, thread, team);
        for (int p = static_cast<int>(own.begin); p < own.end; ++p) {
            const int64_t unit = Base::unit(p), width = panels.width(p) * W;
            add_up(grad_bias_, planes, p, team);
            add_up(grad_extra_, C::extra, p, team);
            const float *bias = grad_bias_ + unit * planes, *extra = grad_extra_ + unit * C::extra;
            for (int g = 0; g < G; ++g) {
                if (run.grad_bias_ih) copy(run.grad_bias_ih + C::input_order[g] * H + unit, bias + g * width, Base::units(p));
                if (run.grad_bias_hh)
                    copy(run.grad_bias_hh + C::recurrent_order[g] * H + unit, bias + (g + C::apart) * width, Base::units(p));
            }
            for (int e = 0; e < C::extra && e < run.E && run.grad_extra; ++e)
                copy(run.grad_extra + e * H + unit, extra + e * width, Base::units(p));
        }
        Base::add_up_weights(thread, team);
    }

    // Sums of one panel that the threads of a team collected: into the first thread's.
    void add_up(float* sums, int vectors, int panel, int team) {
        for (int thread = 1; thread < team; ++thread) {
            const int64_t begin = Base::unit(panel) * vectors, end = begin + panels.width(panel) * W * vectors;
            Base::add(sums, sums + thread * columns(panels) * vectors, begin, end);
        }
    }
    Word* weight_hh_;
    float *extra_, *grad_extra_, *grad_bias_, *grad_h_, *grad_c_, *c0_;
    Span* spans_;
    int64_t bytes_;
    Barrier barrier_;
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
