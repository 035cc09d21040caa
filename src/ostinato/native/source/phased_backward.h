// A whole sequence backward, of a cell whose step takes phases: chunk after chunk of time, as in backward.h.
#pragma once

#include "phases.h"

namespace ostinato {
namespace OSTINATO_ISA {

template <class C>
class PhasedBackwardPass : PhasedProblem<C> {
    using Base = PhasedProblem<C>;
    using Base::D, Base::H, Base::N, Base::R, Base::division, Base::kept, Base::out_padded, Base::out_panels, Base::padded,
        Base::panels, Base::run, Base::schedule, Base::state_stride, Base::x_panels;
    static constexpr int G = C::gates, F = C::first;

public:
    PhasedBackwardPass(const ostinato_run& r, void* workspace) : Base(r) {
        Carver carver(workspace);
        schedule.carve(r, carver);
        const int64_t team = division.threads;
        weight_ih_ = carver.take<float>(run.grad_x ? columns_of(x_panels) * G * padded : 0);
        weight_hh_ = carver.take<float>(out_padded * F * padded);
        weight_second_ = carver.take<float>(Base::second ? padded * out_padded : 0);
        extra_ = carver.take<float>(C::extra * padded);
        grad_h_ = carver.take<float>(N * state_stride);
        grad_c_ = carver.take<float>(N * padded);
        product_ = {carver.take<float>(N * larger(out_padded, padded)), larger(out_padded, padded)};
        fed_ = carver.take<float>(state_stride * team);
        // Threads that share the units share a chunk; else each has its own, and gradients of its own to add up.
        const int64_t rows = larger<int64_t>(division.by_units ? N : ceil_div(N, team), 1);
        chunk_steps_ = smaller(larger<int64_t>(384 / rows, 1), larger<int64_t>(run.T, 1));
        const int64_t all = chunk_steps_ * (division.by_units ? N : N + team);
        gates_ = carver.take<float>(all * G * padded);
        sums_ = C::normalised ? carver.take<float>(all * F * padded) : gates_;
        second_ = carver.take<float>(all * out_padded);
        operand_ = carver.take<float>(all * padded);
        x_ = carver.take<float>(all * columns_of(x_panels));
        h_ = carver.take<float>(all * out_padded);
        row_start_ = carver.take<int64_t>((chunk_steps_ + 1) * team);
        slots_ = N;
        from_ = carver.take<const float*>(slots_ * team);
        to_ = carver.take<float*>(slots_ * team);
        norms_ = carver.take<NormGradient>(C::normalised ? 2 * slots_ * team : 0);
        bias_size_ = G * padded + out_padded + C::extra * padded;
        biases_ = carver.take<float>(bias_size_ * team);
        weights_size_ = run.grad_weight_ih ? G * H * D + G * H * R + (C::second_apart ? R * H : 0) : 0;
        weights_ = carver.take<float>(weights_size_ * (division.by_units ? 1 : team));
        bytes_ = carver.used();
    }

    int64_t bytes() const { return bytes_; }

    void compute() {
        schedule.fill();
        in_parallel(division.threads, [this](int thread, int team) { work(thread, team); });
    }

private:
    // Consecutive steps, and of each the rows that are worked on together.
    struct Chunk {
        Segment rows;
        int64_t begin, end, count;
        const int64_t* start;  // rows of the chunk's steps before each
        Rows<float> gates, sums, second;
        float *operand, *x, *h;  // in panels of columns
    };
    // What a thread works on.
    struct Part {
        Segment segment;
        Share own, own_out;  // panels of the gates' units and of the output's
        const float** from;
        float** to;
        NormGradient* norms;
        float *bias, *bias_out, *extra;  // sums of gradients
        float *weight_ih, *weight_hh, *weight_out;
        int thread, team;
    };

    void work(int thread, int team) {
        pack(thread, team);
        const int slot = division.by_units ? 0 : thread;
        float *bias = biases_ + thread * bias_size_, *weights = weights_ + slot * weights_size_;
        const Part part{division.segment(run, thread, team), division.panels(panels, thread, team),
                        division.panels(out_panels, thread, team), from_ + slots_ * thread, to_ + slots_ * thread,
                        norms_ + 2 * slots_ * thread, bias, bias + G * padded, bias + G * padded + out_padded,
                        weights, weights + G * H * D, weights + G * H * (D + R), thread, team};
        begin(part);
        barrier_.wait(team);
        for (int64_t done = 0; done < schedule.steps; done += chunk_steps_) {
            const Chunk chunk = chunk_at(done, part);
            for (int64_t i = 0; i < chunk.end - chunk.begin; ++i)
                step(run.reverse ? chunk.begin + i : chunk.end - 1 - i, chunk, part);
            if (weights_size_) collect(chunk, part);
            meet(part);
            if (weights_size_) weight_gradients(chunk, part);
            if (run.grad_x) input_gradients(chunk, part);
            meet(part);
        }
        barrier_.wait(team);
        finish(thread, team);
    }

    void meet(const Part& part) {
        if (division.by_units) barrier_.wait(part.team);
    }
    Share shared(int64_t n, const Part& part) const {
        return division.by_units ? Share::of(n, part.thread, part.team) : Share{0, n};
    }

    Chunk chunk_at(int64_t done, const Part& part) {
        const int64_t steps = smaller(chunk_steps_, schedule.steps - done);
        const int64_t begin = run.reverse ? done : schedule.steps - done - steps;
        int64_t* start = row_start_ + (chunk_steps_ + 1) * part.thread;
        start[0] = 0;
        for (int64_t i = 0; i < steps; ++i) start[i + 1] = start[i] + part.segment.count(schedule.active(begin + i));
        const int64_t at = division.by_units ? 0 : chunk_steps_ * ceil_div(N, part.team) * part.thread;
        return {part.segment, begin, begin + steps, start[steps], start, {gates_ + at * G * padded, G * padded},
                {sums_ + at * (C::normalised ? F : G) * padded, (C::normalised ? F : G) * padded},
                {second_ + at * out_padded, out_padded}, operand_ + at * padded, x_ + at * columns_of(x_panels),
                h_ + at * out_padded};
    }

    void step(int64_t t, const Chunk& chunk, const Part& part) {
        const int64_t first = chunk.start[t - chunk.begin], count = chunk.start[t - chunk.begin + 1] - first;
        const Segment& rows = part.segment;
        output_gradients(t, first, count, chunk, part);
        meet(part);
        if constexpr (Base::second) {
            for (int64_t i = 0; i < count; ++i)
                part.from[i] = chunk.second[first + i], part.to[i] = product_[rows.row(i)];
            multiply_rows(part.from, count, {weight_second_, out_padded}, 1, panels, part.own, nullptr, part.to);
        } else {
            for (int64_t i = 0; i < count; ++i) {
                float* row = Base::kept_row(t, rows.row(i));
                part.norms[i] = norm_gradient(chunk.second[first + i], padded, row + C::late * kept.H16, kept.H16, 1, H, kept.scales(row)[2]);
            }
        }
        gate_gradients(t, first, count, chunk, part);
        meet(part);
        if constexpr (C::normalised) normalise(t, first, count, chunk, part);
        for (int64_t i = 0; i < count; ++i)
            part.from[i] = chunk.sums[first + i], part.to[i] = product_[rows.row(i)];
        multiply_rows(part.from, count, {weight_hh_, F * padded}, 1, out_panels, part.own_out, nullptr, part.to);
        const Share own = Base::vectors(out_panels, part.own_out);
        for (int64_t i = 0; i < count; ++i) {
            const int64_t n = rows.row(i);
            float* grad_h = grad_h_ + n * state_stride;
            for (int64_t at = own.begin * W; at < own.end * W; at += W)
                store(grad_h + at, load(grad_h + at) + Base::masked(load(part.to[i] + at), n, at));
            if (Base::resets(t, n)) cut(n, Base::vectors(panels, part.own), own);
        }
        meet(part);
    }

    // Of a row that started anew before a step: no gradient goes from there to the step before, of a thread's own units.
    void cut(int64_t n, Share own, Share own_out) {
        const int64_t row = schedule.order[n], begin = own.begin * W, begin_out = own_out.begin * W;
        if constexpr (C::memory >= 0)
            hand_over(grad_c_ + n * padded + begin, run.grad_reset_c ? run.grad_reset_c + row * H + begin : nullptr,
                      smaller<int64_t>(own.end * W, H) - begin);
        hand_over(grad_h_ + n * state_stride + begin_out, run.grad_reset_h ? run.grad_reset_h + row * R + begin_out : nullptr,
                  smaller<int64_t>(own_out.end * W, R) - begin_out);
    }

    // From the gradient by the output to that by what it was made of.
    void output_gradients(int64_t t, int64_t first, int64_t count, const Chunk& chunk, const Part& part) {
        const Share own = Base::vectors(out_panels, part.own_out);
        for (int64_t at = own.begin * W; at < own.end * W; at += W) {
            const int there = within(R - at);
            PhasedBackward b;
            load_extra(b, at);
            V sum = broadcast(0.0f);  // of this step alone, for the same reason as add_tile
            for (int64_t i = 0; i < count; ++i) {
                const int64_t n = part.segment.row(i);
                float *row = Base::kept_row(t, n), *grad_h = grad_h_ + n * state_stride + at;
                b.dh = load(grad_h);
                if (run.grad_output)
                    b.dh = b.dh + load_first(run.grad_output + (t * N + schedule.order[n]) * R + at, there);
                const V held = Base::hold(Base::hold_h(t, n), at, R) * b.dh;
                b.dh = b.dh - held;
                if constexpr (!C::second_apart)
                    for (int k = 0; k < C::saved; ++k) b.saved[k] = load(row + k * kept.H16 + at);
                if constexpr (C::keeps_output) b.own_output = load(kept.output(row) + at);
                if constexpr (C::carries) b.h_before = load_first(Base::h_before(t, n) + at, there);
                C::finish_backward(b);
                for (int g = C::early; g < G; ++g) store(chunk.gates[first + i] + g * padded + at, b.gates[g]);
                store(chunk.second[first + i] + at, b.second);
                sum = sum + b.second;
                if constexpr (C::carries)
                    store(grad_h, b.carried + held);
                else
                    store(grad_h, held);
            }
            add_to(part.bias_out + at, sum);
            store_extra(b, at, part);
        }
    }

    void gate_gradients(int64_t t, int64_t first, int64_t count, const Chunk& chunk, const Part& part) {
        const Share own = Base::vectors(panels, part.own);
        const int64_t before = Base::before(t), rows_before = schedule.active(before);
        for (int64_t at = own.begin * W; at < own.end * W; at += W) {
            const int there = within(H - at);
            PhasedBackward b;
            load_extra(b, at);
            V sums[G];
            for (int g = 0; g < G; ++g) sums[g] = broadcast(0.0f);
            float* operand = operand_line(chunk, at);
            for (int64_t i = 0; i < count; ++i) {
                const int64_t n = part.segment.row(i);
                const float* row = Base::kept_row(t, n);
                float* grad_c = grad_c_ + n * padded + at;
                for (int k = 0; k < C::saved; ++k) b.saved[k] = load(row + k * kept.H16 + at);
                for (int g = C::early; g < G; ++g) b.gates[g] = load(chunk.gates[first + i] + g * padded + at);
                if constexpr (Base::second)
                    b.d_operand = load(product_[n] + at);
                else
                    b.d_operand = part.norms[i](load(chunk.second[first + i] + at), b.saved[C::late]);
                if constexpr (C::uses_fed) b.fed_before = Base::masked(load_first(Base::h_before(t, n) + at, there), n, at);
                V held;
                if constexpr (C::memory >= 0) {
                    const bool anew = Base::resets(t, n);
                    b.c_before = n < rows_before && !anew ? load(Base::kept_row(before, n) + C::memory * kept.H16 + at)
                                                          : load_first((anew ? run.reset_c : run.c0) + schedule.order[n] * H + at, there);
                    b.dc = load(grad_c);
                    if (run.grad_states_c)
                        b.dc = b.dc + load_first(run.grad_states_c + (t * N + schedule.order[n]) * H + at, there);
                    held = Base::hold(Base::hold_c(t, n), at, H) * b.dc;
                    b.dc = b.dc - held;
                }
                C::backward(b);
                if constexpr (C::memory >= 0) store(grad_c, b.dc + held);
                for (int g = 0; g < G; ++g) {
                    sums[g] = sums[g] + b.gates[g];
                    store(chunk.gates[first + i] + g * padded + at, C::normalised ? b.d_input[g] : b.gates[g]);
                    if constexpr (C::normalised) store(chunk.sums[first + i] + g * padded + at, b.d_sum[g]);
                }
                if constexpr (Base::second) store(operand + (first + i) * operand_width(at), b.operand);
                if constexpr (C::uses_fed) {
                    float* grad_h = grad_h_ + n * state_stride + at;
                    store(grad_h, load(grad_h) + Base::masked(b.fed, n, at));
                }
            }
            for (int g = 0; g < G; ++g) add_to(part.bias + g * padded + at, sums[g]);
            store_extra(b, at, part);
        }
    }

    // Where a vector of units stands among the panels of operands.
    float* operand_line(const Chunk& chunk, int64_t at) const {
        const int panel = panel_of(at);
        const int64_t begin = static_cast<int64_t>(panels.begin(panel)) * W;
        return chunk.operand + begin * chunk.count + (at - begin);
    }
    int64_t operand_width(int64_t at) const { return panels.width(panel_of(at)) * W; }
    int panel_of(int64_t at) const {
        int panel = 0;
        while (panels.begin(panel + 1) * W <= at) ++panel;
        return panel;
    }

    // Gradients by normalised products become gradients by the products themselves.
    void normalise(int64_t t, int64_t first, int64_t count, const Chunk& chunk, const Part& part) {
        constexpr int at_x = C::late + 1, at_h = at_x + G;  // among what is kept
        for (int64_t i = 0; i < count; ++i) {
            float* row = Base::kept_row(t, part.segment.row(i));
            part.norms[2 * i] = norm_gradient(chunk.gates[first + i], padded, row + at_x * kept.H16, kept.H16, G, H, kept.scales(row)[0]);
            part.norms[2 * i + 1] = norm_gradient(chunk.sums[first + i], padded, row + at_h * kept.H16, kept.H16, F, H, kept.scales(row)[1]);
        }
        meet(part);
        const Share own = Base::vectors(panels, part.own);
        for (int64_t i = 0; i < count; ++i) {
            const float* row = Base::kept_row(t, part.segment.row(i));
            for (int g = 0; g < G; ++g)
                for (int64_t at = own.begin * W; at < own.end * W; at += W) {
                    float *x = chunk.gates[first + i] + g * padded + at, *h = chunk.sums[first + i] + g * padded + at;
                    store(x, part.norms[2 * i](load(x), load(row + (at_x + g) * kept.H16 + at)));
                    store(h, part.norms[2 * i + 1](load(h), load(row + (at_h + g) * kept.H16 + at)));
                }
        }
        meet(part);
    }

    void load_extra(PhasedBackward& b, int64_t at) const {
        for (int e = 0; e < C::extra; ++e) {
            b.extra[e] = load(extra_ + e * padded + at);
            b.d_extra[e] = broadcast(0.0f);
        }
    }
    void store_extra(const PhasedBackward& b, int64_t at, const Part& part) const {
        for (int e = 0; e < C::extra; ++e) add_to(part.extra + e * padded + at, b.d_extra[e]);
    }
    static void add_to(float* total, V sum) { store(total, load(total) + sum); }

    // x and h before the step as it was fed back, of the rows of a chunk, in panels of columns.
    void collect(const Chunk& chunk, const Part& part) {
        const Share share = shared(chunk.count, part);
        float* fed = fed_ + state_stride * part.thread;
        int64_t step = 0;
        for (int64_t i = share.begin; i < share.end; ++i) {
            while (i >= chunk.start[step + 1]) ++step;
            const int64_t t = chunk.begin + step, n = chunk.rows.row(i - chunk.start[step]);
            const float* h = Base::h_before(t, n);
            if (run.recurrent_mask) {
                for (int64_t at = 0; at < R; at += W) store(fed + at, Base::masked(load_first(h + at, within(R - at)), n, at));
                h = fed;
            }
            collect(Base::x(t, n), D, x_panels, chunk.x, chunk.count, i);
            collect(h, R, out_panels, chunk.h, chunk.count, i);
        }
    }
    static void collect(const float* from, int64_t K, const Panels& into, float* to, int64_t count, int64_t i) {
        for (int j = 0; j < into.count; ++j) {
            const int64_t column = static_cast<int64_t>(into.begin(j)) * W;
            copy_padded(from + column, K - column, to + column * count + i * into.width(j) * W, into.width(j));
        }
    }

    void weight_gradients(const Chunk& chunk, const Part& part) {
        weight_gradients(chunk.gates, padded, H, G, x_panels, chunk.x, D, part.weight_ih, chunk.count, part);
        weight_gradients(chunk.sums, padded, H, F, out_panels, chunk.h, R, part.weight_hh, chunk.count, part);
        if constexpr (Base::second)
            weight_gradients(chunk.second, out_padded, R, 1, panels, chunk.operand, H,
                             C::second_within ? part.weight_hh + F * H * R : part.weight_out, chunk.count, part);
    }

    // grad [gates * units, K] += gradients [rows][gates][units, padded], transposed, times an operand in panels of K columns.
    void weight_gradients(Rows<float> rows, int64_t padded, int64_t units, int gates, const Panels& into, const float* operand,
                          int64_t K, float* grad, int64_t count, const Part& part) {
        const Share share = shared(gates * units, part);
        for (int j = 0; j < into.count; ++j) {
            const int width = into.width(j);
            const int64_t column = static_cast<int64_t>(into.begin(j)) * W;
            TransposedProduct<Single> product{};
            product.stride = rows.stride, product.accumulate = true;
            product.last = within(K - column - (width - 1) * W);
            const int64_t block = (32 << 10) / (4 * width * W);  // lines that stay in first-level cache
            for (int64_t line = 0; line < count; line += block) {
                product.b = operand + column * count + line * width * W;
                product.words = smaller(block, count - line);
                for (int64_t lane = share.begin, n; lane < share.end; lane += n) {
                    const int64_t g = lane / units, unit = lane % units;
                    n = smaller(units - unit, share.end - lane);
                    const int64_t tile_count = tiles(n, tile_rows<Single>(width));
                    for (int64_t i = 0; i < tile_count; ++i) {
                        const int64_t begin = tile_begin(n, tile_count, i), height = tile_begin(n, tile_count, i + 1) - begin;
                        float* c[Single::rows];
                        for (int64_t r = 0; r < height; ++r) c[r] = grad + (lane + begin + r) * K + column;
                        product.a = rows[line] + g * padded + unit + begin;
                        product.c = c;
                        run_tile(product, height, width);
                    }
                }
            }
        }
    }

    void input_gradients(const Chunk& chunk, const Part& part) {
        const Share share = shared(chunk.count, part);
        const Span span{chunk.gates.base, chunk.gates.stride, G * padded};
        for (int j = 0; j < x_panels.count; ++j) {
            const int width = x_panels.width(j);
            const int64_t column = static_cast<int64_t>(x_panels.begin(j)) * W;
            const float* b = weight_ih_ + column * G * padded;
            const int64_t n = share.end - share.begin, tile_count = tiles(n, tile_rows<Single>(width));
            int64_t step = 0;
            for (int64_t i = 0; i < tile_count; ++i) {
                const int64_t begin = share.begin + tile_begin(n, tile_count, i);
                const int64_t height = share.begin + tile_begin(n, tile_count, i + 1) - begin;
                float* c[Single::rows];
                for (int64_t r = 0; r < height; ++r) {
                    while (begin + r >= chunk.start[step + 1]) ++step;
                    c[r] = grad_x(chunk.begin + step, chunk.rows.row(begin + r - chunk.start[step])) + column;
                }
                run_tile(SpansProduct<Single>{&span, 1, begin, 1, b, c, within(D - column - (width - 1) * W), false}, height, width);
            }
        }
    }

    float* grad_x(int64_t t, int64_t n) const { return run.grad_x + (t * N + schedule.order[n]) * D; }

    void pack(int thread, int team) {
        const Share own = Share::of(panels.count, thread, team), own_out = Share::of(out_panels.count, thread, team);
        if (run.grad_x) pack_back(run.weight_ih, H, padded, D, G, x_panels, Share::of(x_panels.count, thread, team), weight_ih_);
        pack_back(run.weight_hh, H, padded, R, F, out_panels, own_out, weight_hh_);
        if (Base::second) pack_back(Base::weight_second(), R, out_padded, H, 1, panels, own, weight_second_);
        for (int64_t at = own.begin ? panels.begin(static_cast<int>(own.begin)) * W : 0; at < Base::vectors(panels, own).end * W; at += W)
            for (int e = 0; e < C::extra; ++e)
                store(extra_ + e * padded + at,
                      e < run.E ? load_first(run.extra + e * H + at, within(H - at)) : broadcast(0.0f));
    }

    void begin(const Part& part) {
        zero(part.bias, bias_size_);
        if (!division.by_units || part.thread == 0) zero(part.weight_ih, weights_size_);
        const Share share = Share::of(N, part.thread, part.team);
        for (int64_t n = share.begin; n < share.end; ++n) {
            const int64_t row = schedule.order[n];
            if (run.grad_reset_h) zero(run.grad_reset_h + row * R, R);
            if (run.grad_reset_c) zero(run.grad_reset_c + row * H, H);
            copy_padded(run.grad_final_h ? run.grad_final_h + row * R : nullptr, R, grad_h_ + n * state_stride,
                        static_cast<int>(state_stride / W));
            if constexpr (C::memory >= 0)
                copy_padded(run.grad_final_c ? run.grad_final_c + row * H : nullptr, H, grad_c_ + n * padded, panels.vectors);
        }
        const Share times = Share::of(run.grad_x ? run.T : 0, part.thread, part.team);
        for (int64_t t = times.begin; t < times.end; ++t)
            for (int64_t n = schedule.active(t); n < N; ++n) zero(grad_x(t, n), D);
    }

    void finish(int thread, int team) {
        const Share share = Share::of(N, thread, team);
        for (int64_t n = share.begin; n < share.end; ++n) {
            if (run.grad_h0) copy(run.grad_h0 + schedule.order[n] * R, grad_h_ + n * state_stride, R);
            if (C::memory >= 0 && run.grad_c0) copy(run.grad_c0 + schedule.order[n] * H, grad_c_ + n * padded, H);
        }
        if (thread == 0) {
            for (int g = 0; g < G; ++g) {
                add_up(run.grad_bias_ih ? run.grad_bias_ih + g * H : nullptr, biases_ + g * padded, bias_size_, H, team);
                add_up(run.grad_bias_hh ? run.grad_bias_hh + g * H : nullptr, biases_ + g * padded, bias_size_, H, team);
            }
            add_up(run.grad_bias_out, biases_ + G * padded, bias_size_, R, team);
            for (int64_t e = 0; e < C::extra && e < run.E && run.grad_extra; ++e)
                add_up(run.grad_extra + e * H, biases_ + (G + e) * padded + out_padded, bias_size_, H, team);
        }
        if (!weights_size_) return;
        const int copies = division.by_units ? 1 : team;
        add_up_share(run.grad_weight_ih, weights_, G * H * D, copies, thread, team);
        add_up_share(run.grad_weight_hh, weights_ + G * H * D, G * H * R, copies, thread, team);
        if (C::second_apart) add_up_share(run.grad_weight_out, weights_ + G * H * (D + R), R * H, copies, thread, team);
    }
    void add_up_share(float* to, const float* parts, int64_t n, int copies, int thread, int team) const {
        const Share share = Share::of(n, thread, team);
        add_up(to + share.begin, parts + share.begin, weights_size_, share.end - share.begin, copies);
    }
    static void add_up(float* to, const float* parts, int64_t stride, int64_t n, int copies) {
        for (int64_t at = 0; to && at < n; at += W) {
            const int there = within(n - at);
            V sum = load_first(parts + at, there);
            for (int copy = 1; copy < copies; ++copy) sum = sum + load_first(parts + copy * stride + at, there);
            store_first(to + at, sum, there);
        }
    }

    float *weight_ih_, *weight_hh_, *weight_second_, *extra_, *grad_h_, *grad_c_, *fed_;
    Rows<float> product_;
    float *gates_, *sums_, *second_, *operand_, *x_, *h_, *biases_, *weights_;
    int64_t* row_start_;
    const float** from_;
    float** to_;
    NormGradient* norms_;
    int64_t chunk_steps_, slots_, bias_size_, weights_size_, bytes_;
    Barrier barrier_;
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
