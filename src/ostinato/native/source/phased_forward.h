// A whole sequence forward, of a cell whose step takes phases.
#pragma once

#include "phases.h"

namespace ostinato {
namespace OSTINATO_ISA {

template <class C>
class PhasedForwardPass : PhasedProblem<C> {
    using Base = PhasedProblem<C>;
    using Base::D, Base::H, Base::N, Base::R, Base::division, Base::kept, Base::out_padded, Base::out_panels, Base::padded,
        Base::panels, Base::run, Base::schedule, Base::state_stride;
    static constexpr int G = C::gates, F = C::first;

public:
    PhasedForwardPass(const ostinato_run& r, void* workspace) : Base(r) {
        Carver carver(workspace);
        schedule.carve(r, carver);
        Carver packed(run.packed);
        carve_weights(run.packed ? packed : carver);
        h_ = carver.take<float>(N * state_stride);
        fed_ = run.recurrent_mask ? carver.take<float>(N * state_stride) : h_;
        c_ = carver.take<float>(N * padded);
        sums_ = carver.take<float>(N * F * padded);
        operand_ = carver.take<float>(N * padded);
        second_ = carver.take<float>(Base::second ? N * out_padded : 0);
        kept_ = carver.take<float>(run.saved ? 0 : N * kept.size);
        const int team = division.threads;
        const int64_t rows = larger<int64_t>(division.by_units ? N : ceil_div(N, team), 1);
        chunk_steps_ = smaller(larger<int64_t>(larger<int64_t>(second_level_cache() / 8 / (4 * G * padded), 96) / rows, 1),
                               larger<int64_t>(run.T, 1));
        const int64_t all = chunk_steps_ * (division.by_units ? N : N + team);
        chunk_ = carver.take<float>(all * G * padded);
        slots_ = chunk_steps_ * N + N;
        from_ = carver.take<const float*>(slots_ * team);
        to_ = carver.take<float*>(slots_ * team);
        bytes_ = carver.used();
    }

    int64_t bytes() const { return bytes_; }

    int64_t packed_bytes() {
        Carver carver(nullptr);
        carve_weights(carver);
        return carver.used();
    }

    void pack_all() {
        in_parallel(division.threads, [this](int thread, int team) { pack(thread, team); });
    }

    void compute() {
        schedule.fill();
        in_parallel(division.threads, [this](int thread, int team) { work(thread, team); });
    }

private:
    // What a thread works on.
    struct Part {
        Segment segment;
        Share own, own_out;  // panels of the gates' units and of the output's
        const float** from;  // room for addresses of rows
        float** to;
        int team;
    };

    void carve_weights(Carver& carver) {
        weight_ih_ = carver.take<float>(G * padded * D);
        weight_hh_ = carver.take<float>(F * padded * R);
        weight_second_ = carver.take<float>(Base::second ? out_padded * H : 0);
        bias_ = carver.take<float>(G * padded);
        bias_out_ = carver.take<float>(out_padded);
        extra_ = carver.take<float>(C::extra * padded);
    }

    void work(int thread, int team) {
        if (!run.packed) pack(thread, team);
        begin(Share::of(N, thread, team));
        const Share times = Share::of(run.T, thread, team);
        for (int64_t t = times.begin; t < times.end; ++t)
            for (int64_t n = schedule.active(t); n < N; ++n) {
                zero(Base::output(t, n), R);
                if (run.states_c) zero(run.states_c + (t * N + schedule.order[n]) * H, H);
            }
        barrier_.wait(team);

        const Part part{division.segment(run, thread, team), division.panels(panels, thread, team),
                        division.panels(out_panels, thread, team), from_ + slots_ * thread, to_ + slots_ * thread, team};
        const int64_t slot = division.by_units ? 0 : chunk_steps_ * ceil_div(N, team) * thread;
        const Rows<float> inputs{chunk_ + slot * G * padded, G * padded};
        for (int64_t done = 0; done < schedule.steps; done += chunk_steps_) {
            const int64_t steps = smaller(chunk_steps_, schedule.steps - done);
            int64_t rows = 0;
            for (int64_t i = 0; i < steps; ++i) {
                const int64_t t = time(done + i), count = part.segment.count(schedule.active(t));
                for (int64_t j = 0; j < count; ++j, ++rows) {
                    part.from[rows] = Base::x(t, part.segment.row(j));
                    part.to[rows] = inputs[rows];
                }
            }
            multiply_rows(part.from, rows, {weight_ih_, D}, G, panels, part.own, C::normalised ? nullptr : bias_, part.to);
            if (C::normalised) meet(part);
            int64_t row = 0;
            for (int64_t i = 0; i < steps; ++i) {
                const int64_t t = time(done + i), count = part.segment.count(schedule.active(t));
                step(t, count, {inputs[row], inputs.stride}, part);
                row += count;
            }
        }
        barrier_.wait(team);
        end(Share::of(N, thread, team));
    }

    void meet(const Part& part) {
        if (division.by_units) barrier_.wait(part.team);
    }
    int64_t time(int64_t i) const { return run.reverse ? schedule.steps - 1 - i : i; }
    float* kept_at(int64_t t, int64_t n) const { return run.saved ? Base::kept_row(t, n) : kept_ + n * kept.size; }

    void step(int64_t t, int64_t count, Rows<float> inputs, const Part& part) {
        for (int64_t i = 0; i < count; ++i) {
            part.from[i] = fed_ + part.segment.row(i) * state_stride;
            part.to[i] = sums_ + part.segment.row(i) * F * padded;
        }
        multiply_rows(part.from, count, {weight_hh_, R}, F, panels, part.own, nullptr, part.to);
        if (C::normalised) meet(part);
        const Share own = Base::vectors(panels, part.own);
        for (int64_t i = 0; i < count; ++i) gates(t, part.segment.row(i), inputs[i], own);
        meet(part);
        if constexpr (Base::second) {
            for (int64_t i = 0; i < count; ++i) {
                part.from[i] = operand_ + part.segment.row(i) * padded;
                part.to[i] = second_ + part.segment.row(i) * out_padded;
            }
            multiply_rows(part.from, count, {weight_second_, H}, 1, out_panels, part.own_out, bias_out_, part.to);
        }
        const Share own_out = Base::vectors(out_panels, part.own_out);
        for (int64_t i = 0; i < count; ++i) finish(t, part.segment.row(i), inputs[i], own_out);
        if (run.resets) restart(run.reverse ? t - 1 : t + 1, own, own_out, part);
        meet(part);
    }

    void gates(int64_t t, int64_t n, const float* inputs, Share own) {
        const float *sums = sums_ + n * F * padded, *hold_c = Base::hold_c(t, n);
        float *row = kept_at(t, n), *c = c_ + n * padded;
        Moments of_x{}, of_h{};
        if constexpr (C::normalised) {
            of_x = moments(inputs, G, padded, H), of_h = moments(sums, F, padded, H);
            if (own.begin == 0) {
                zero(kept.scales(row), 16);
                kept.scales(row)[0] = of_x.scale, kept.scales(row)[1] = of_h.scale;
            }
        }
        for (int64_t at = own.begin * W; at < own.end * W; at += W) {
            PhasedForward f;
            for (int g = 0; g < G; ++g) f.input[g] = load(inputs + g * padded + at);
            for (int g = 0; g < F; ++g) f.sum[g] = load(sums + g * padded + at);
            if constexpr (C::normalised)
                for (int g = 0; g < G; ++g) {
                    f.input[g] = of_x.normal(f.input[g]), f.sum[g] = of_h.normal(f.sum[g]);
                    f.bias[g] = load(bias_ + g * padded + at);
                }
            for (int e = 0; e < C::extra; ++e) f.extra[e] = load(extra_ + e * padded + at);
            if constexpr (C::uses_fed) f.fed_before = load(fed_ + n * state_stride + at);
            if constexpr (C::memory >= 0) f.c_before = load(c + at);
            C::forward(f);
            store(operand_ + n * padded + at, f.operand);
            if constexpr (C::memory >= 0) {
                f.c = f.saved[C::memory] = Base::between(Base::hold(hold_c, at, H), f.c_before, f.c);
                store(c + at, f.c);
                if (run.states_c) store_first(run.states_c + (t * N + schedule.order[n]) * H + at, f.c, within(H - at));
            }
            for (int k = 0; k < C::saved; ++k)
                if (k != C::late) store(row + k * kept.H16 + at, f.saved[k]);
        }
    }

    void finish(int64_t t, int64_t n, const float* inputs, Share own) {
        const float* hold_h = Base::hold_h(t, n);
        float *row = kept_at(t, n), *h = h_ + n * state_stride;
        Moments of_c{};
        if constexpr (C::normalised) {
            of_c = moments(operand_ + n * padded, 1, padded, H);
            if (own.begin == 0) kept.scales(row)[2] = of_c.scale;
        }
        for (int64_t at = own.begin * W; at < own.end * W; at += W) {
            PhasedForward f;
            f.h_before = load(h + at);
            if constexpr (C::second_within) f.input[G - 1] = load(inputs + (G - 1) * padded + at);
            if constexpr (Base::second)
                f.second = load(second_ + n * out_padded + at);
            else
                f.second = of_c.normal(load(operand_ + n * padded + at));
            if constexpr (!C::second_apart)  // the units are those of the gates
                for (int k = 0; k < C::saved; ++k)
                    if (k != C::late) f.saved[k] = load(row + k * kept.H16 + at);
            for (int e = 0; e < C::extra; ++e) f.extra[e] = load(extra_ + e * padded + at);
            C::finish(f);
            if constexpr (C::late >= 0) store(row + C::late * kept.H16 + at, f.late);
            if constexpr (C::keeps_output) store(kept.output(row) + at, f.h);
            f.h = Base::between(Base::hold(hold_h, at, R), f.h_before, f.h);
            store(h + at, f.h);
            if (run.recurrent_mask) store(fed_ + n * state_stride + at, Base::masked(f.h, n, at));
            store_first(Base::output(t, n) + at, f.h, within(R - at));
        }
    }

    void pack(int thread, int team) {
        const Share own = Share::of(panels.count, thread, team), own_out = Share::of(out_panels.count, thread, team);
        pack_rows(run.weight_ih, H, D, G, panels, own, weight_ih_);
        pack_rows(run.weight_hh, H, R, F, panels, own, weight_hh_);
        if (Base::second) pack_rows(Base::weight_second(), R, H, 1, out_panels, own_out, weight_second_);
        if (thread > 0) return;
        for (int64_t at = 0; at < padded; at += W) {
            const int n = within(H - at);
            for (int g = 0; g < G; ++g) {
                V bias = run.bias_ih ? load_first(run.bias_ih + g * H + at, n) : broadcast(0.0f);
                if (run.bias_hh) bias = bias + load_first(run.bias_hh + g * H + at, n);
                store(bias_ + g * padded + at, bias);
            }
            for (int e = 0; e < C::extra; ++e)
                store(extra_ + e * padded + at, e < run.E ? load_first(run.extra + e * H + at, n) : broadcast(0.0f));
        }
        for (int64_t at = 0; at < out_padded; at += W)
            store(bias_out_ + at, run.bias_out ? load_first(run.bias_out + at, within(R - at)) : broadcast(0.0f));
    }

    void begin(Share share) {
        for (int64_t n = share.begin; n < share.end; ++n) {
            const bool anew = Base::begins_anew(n);
            put_h(anew ? run.reset_h : run.h0, n, {0, state_stride / W});
            if constexpr (C::memory >= 0) put_c(anew ? run.reset_c : run.c0, n, {0, panels.vectors});
        }
    }

    // The same for rows that start anew before step t, of a thread's own vectors of units.
    void restart(int64_t t, Share own, Share own_out, const Part& part) {
        const int64_t count = part.segment.count(schedule.active(t));
        for (int64_t i = 0; i < count; ++i) {
            const int64_t n = part.segment.row(i);
            if (!Base::resets(t, n)) continue;
            put_h(run.reset_h, n, own_out);
            if constexpr (C::memory >= 0) put_c(run.reset_c, n, own);
        }
    }

    void put_h(const float* from, int64_t n, Share vectors) {
        float* h = h_ + n * state_stride;
        const int64_t begin = vectors.begin * W, end = vectors.end * W;
        copy_padded(from + schedule.order[n] * R + begin, R - begin, h + begin, static_cast<int>(vectors.end - vectors.begin));
        for (int64_t at = begin; at < end && run.recurrent_mask; at += W)
            store(fed_ + n * state_stride + at, Base::masked(load(h + at), n, at));
    }
    void put_c(const float* from, int64_t n, Share vectors) {
        const int64_t begin = vectors.begin * W;
        copy_padded(from + schedule.order[n] * H + begin, H - begin, c_ + n * padded + begin, static_cast<int>(vectors.end - vectors.begin));
    }

    void end(Share share) {
        for (int64_t n = share.begin; n < share.end; ++n) {
            copy(run.final_h + schedule.order[n] * R, h_ + n * state_stride, R);
            if constexpr (C::memory >= 0) copy(run.final_c + schedule.order[n] * H, c_ + n * padded, H);
        }
    }

    float *weight_ih_, *weight_hh_, *weight_second_, *bias_, *bias_out_, *extra_, *h_, *fed_, *c_, *sums_, *operand_, *second_;
    float *kept_, *chunk_;
    const float** from_;
    float** to_;
    int64_t chunk_steps_, slots_, bytes_;
    Barrier barrier_;
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
