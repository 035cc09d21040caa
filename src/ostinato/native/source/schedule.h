// What both passes share: which rows run at which step, who does what, memory.
#pragma once

#include "kernels.h"
#include "ostinato.h"
#include "products.h"
#include "threads.h"

namespace ostinato {
namespace OSTINATO_ISA {

// Hands out pieces of the workspace, or only measures where there is none.
class Carver {
public:
    explicit Carver(void* base) : base_(static_cast<char*>(base)) {}
    template <class A>
    A* take(int64_t n) {
        char* piece = base_ ? base_ + used_ : nullptr;
        used_ += ceil_div(n * static_cast<int64_t>(sizeof(A)), 64) * 64;
        return reinterpret_cast<A*>(piece);
    }
    int64_t used() const { return used_; }

private:
    char* base_;
    int64_t used_ = 0;
};

// Rows in the order of falling length, so that those that run at step t are always the first active(t).
struct Schedule {
    int64_t N, T;
    const int64_t* lengths;
    int64_t steps = 0;  // the longest length
    int32_t* order;     // [N] row of the caller's arrays
    int64_t* start;     // [T + 1] rows of all steps before t

    void carve(const ostinato_run& run, Carver& carver) {
        N = run.N, T = run.T, lengths = run.lengths;
        order = carver.take<int32_t>(N);
        start = carver.take<int64_t>(T + 2);
    }

    // Counting sort: sequences of equal length keep their order.
    void fill() {
        for (int64_t t = 0; t <= T + 1; ++t) start[t] = 0;
        for (int64_t n = 0; n < N; ++n) ++start[T - length(n) + 1];
        for (int64_t t = 0; t <= T; ++t) start[t + 1] += start[t];  // start[i]: rows longer than T - i
        for (int64_t n = 0; n < N; ++n) order[start[T - length(n)]++] = static_cast<int32_t>(n);
        // Now start[i] is the number of rows of length T - i or more; turn it into rows before each step.
        for (int64_t i = 0, j = T; i < j; ++i, --j) {
            int64_t other = start[i];
            start[i] = start[j], start[j] = other;
        }
        // start[L]: rows of length L or more, so step t runs start[t + 1] rows.
        steps = 0;
        int64_t before = 0;
        for (int64_t t = 0; t < T; ++t) {
            int64_t rows = start[t + 1];
            if (rows) steps = t + 1;
            start[t] = before;
            before += rows;
        }
        start[T] = before;
    }

    int64_t length(int64_t n) const { return lengths ? lengths[n] : T; }
    int64_t active(int64_t t) const { return t < 0 || t >= steps ? 0 : start[t + 1] - start[t]; }
    int64_t rows() const { return start[T]; }
};

// Rows n = first, first + step, ... below `end`, the same thread's at every step.
struct Segment {
    int64_t first, step, end;
    int64_t count(int64_t active) const {
        int64_t stop = smaller(active, end);
        return stop > first ? ceil_div(stop - first, step) : 0;
    }
    int64_t row(int64_t i) const { return first + i * step; }
};

OSTINATO_INLINE int64_t second_level_cache() {
    static int64_t bytes = 0;  // asking the processor is slow on a virtual machine
    int64_t known = __atomic_load_n(&bytes, __ATOMIC_RELAXED);
    if (known) return known;
#if defined(_SC_LEVEL2_CACHE_SIZE)
    known = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
    if (known <= 0) known = 1 << 20;
    __atomic_store_n(&bytes, known, __ATOMIC_RELAXED);
    return known;
}

// Who does what.
struct Division {
    bool by_units;
    int threads;  // at most; a team may turn out smaller

    template <class P>
    OSTINATO_INLINE Division of(const ostinato_run& run, int gates) {
        const int64_t vectors = ceil_div(run.H, W);
        const int64_t weights = sizeof(Word) * gates * vectors * W * P::words(run.H);
        const double work = static_cast<double>(run.N) * run.T * gates * run.H * (run.D + run.H);
        int64_t threads = smaller<int64_t>(larger<int64_t>(run.threads, 1), 1 + static_cast<int64_t>(work / 5e4));
        bool by_units = run.N < threads || weights > second_level_cache() * 3 / 4;
        if (run.split != OSTINATO_SPLIT_AUTO) by_units = run.split == OSTINATO_SPLIT_UNITS;
        threads = smaller(threads, larger<int64_t>(by_units ? vectors : run.N, 1));
        return {by_units && threads > 1, static_cast<int>(threads)};
    }

    Segment segment(const ostinato_run& run, int thread, int team) const {
        if (by_units) return {0, 1, run.N};
        if (run.lengths) return {thread, team, run.N};
        Share rows = Share::of(run.N, thread, team);
        return {rows.begin, 1, rows.end};
    }
    Share panels(const Panels& panels, int thread, int team) const {
        return by_units ? Share::of(panels.count, thread, team) : Share{0, panels.count};
    }
};

// `vectors` vectors of which `n` floats exist at src, zeros after them; null for zeros.
OSTINATO_INLINE void copy_padded(const float* src, int64_t n, float* dst, int vectors) {
    for (int v = 0; v < vectors; ++v, n -= W) {
        if (!src || n <= 0)
            store(dst + v * W, broadcast(0.0f));
        else
            store(dst + v * W, n >= W ? load(src + v * W) : load_first(src + v * W, static_cast<int>(n)));
    }
}

OSTINATO_INLINE void zero(float* p, int64_t n) {
    if (n > 0) std::memset(p, 0, sizeof(float) * n);
}
OSTINATO_INLINE void copy(float* to, const float* from, int64_t n) {
    if (n > 0) std::memcpy(to, from, sizeof(float) * n);
}
// Of the gradient by a state that a reset has put aside: added to that by the reset's, where it is wanted, and zero then.
OSTINATO_INLINE void hand_over(float* from, float* to, int64_t n) {
    for (int64_t i = 0; to && i < n; i += W) {
        const int there = static_cast<int>(smaller<int64_t>(W, n - i));
        store_first(to + i, load_first(to + i, there) + load_first(from + i, there), there);
    }
    zero(from, n);
}

// What both passes know of a run of cell C in precision P.
template <class C, class P>
struct Problem {
    const ostinato_run& run;
    const int64_t N, D, H, R;
    const Division division;
    const Panels panels;         // of units
    const int64_t state_stride;  // of a row of h; not a power of two, which would crowd a few sets of the cache
    Schedule schedule;

    explicit Problem(const ostinato_run& r)
        : run(r), N(r.N), D(r.D), H(r.H), R(r.R), division(Division::of<P>(r, C::gates)),
          // Packed weights keep one order for any number of threads.
          panels(Panels::of(r.H, C::widest, division.by_units && !r.packed ? division.threads : 1)),
          state_stride(ceil_div(r.R, 16) * 16 + 16) {
    }

    int64_t unit(int panel) const { return static_cast<int64_t>(panels.begin(panel)) * W; }
    int64_t units(int panel) const { return smaller<int64_t>(panels.width(panel) * W, H - unit(panel)); }
    // Floats of a panel's last vector that exist in memory.
    int last(int panel) const { return static_cast<int>(units(panel) - (panels.width(panel) - 1) * W); }
    int64_t before(int64_t t) const { return run.reverse ? t + 1 : t - 1; }
    // What a step keeps for one panel: [width][active(t)][saved][W], which does not depend on how wide panels are.
    float* saved(int64_t t, int panel) const {
        return run.saved + (schedule.start[t] * panels.vectors + schedule.active(t) * panels.begin(panel)) * C::saved * W;
    }
    int64_t saved_vector(int64_t t) const { return schedule.active(t) * C::saved * W; }
    float* output(int64_t t, int64_t row) const { return run.output + (t * N + schedule.order[row]) * R; }
    const float* x(int64_t t, int64_t row) const {
        return run.x + t * run.x_stride_t + schedule.order[row] * run.x_stride_n;
    }
    // Noise of a row, each null where there is none: the mask on what is fed back, and shares of the state that stay.
    const float* mask(int64_t row) const { return run.recurrent_mask ? run.recurrent_mask + schedule.order[row] * R : nullptr; }
    const float* hold_h(int64_t t, int64_t row) const {
        return run.zoneout_h ? run.zoneout_h + t * run.zoneout_h_stride_t + schedule.order[row] * run.zoneout_h_stride_n : nullptr;
    }
    const float* hold_c(int64_t t, int64_t row) const {
        return run.zoneout_c ? run.zoneout_c + t * run.zoneout_c_stride_t + schedule.order[row] * run.zoneout_c_stride_n : nullptr;
    }
    // Whether a row starts anew before step t; and before the first that it runs.
    bool resets(int64_t t, int64_t row) const { return run.resets && run.resets[t * N + schedule.order[row]]; }
    bool begins_anew(int64_t row) const {
        const int64_t length = schedule.length(schedule.order[row]);
        return length && resets(run.reverse ? length - 1 : 0, row);
    }
    const float* h_before(int64_t t, int64_t row) const {
        if (resets(t, row)) return run.reset_h + schedule.order[row] * R;
        const int64_t previous = before(t);
        return row < schedule.active(previous) ? output(previous, row) : run.h0 + schedule.order[row] * R;
    }
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
