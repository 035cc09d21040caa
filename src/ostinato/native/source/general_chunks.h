// What a pass backward of compiled cells holds: its memory, and chunks of consecutive steps, whose gradients stay in cache until
// those of the weights are computed from them.
#pragma once

#include "general.h"

namespace ostinato {
namespace OSTINATO_ISA {

// The precision of a pass's products, for functions that are templates of it; what is not stands once for all.
template <class P>
struct Operands {};

class GeneralChunks : protected GeneralProblem {
protected:
    // Of a product the way back: its right factor, and rows of its left one, where they are not as they lie.
    struct Packed {
        Word *lines, *factors;
        int64_t words;
        Word* factor(int64_t row) const { return factors + row * words_stride(words); }
    };
    struct Part {
        Segment segment;
        int thread, team;
        int64_t slot, first;  // of converted rows, and of rows of a step
        float* chunk;
        Word *gradients, *operand;  // lines of words
        float* sums;
        int64_t* start;
    };
    // Consecutive steps in the order in which they are computed, and the rows before each.
    struct Chunk {
        int64_t done, steps, count;
    };

    template <class P>
    GeneralChunks(const ostinato_program& r, void* workspace, Operands<P>) : GeneralProblem(r, P::depth) {
        Carver carver(workspace);
        schedule.carve(plain, carver);
        const int64_t chunk_size = run.backward.chunk_size;
        plan_chunks();
        const int64_t all = chunk_steps_ * (by_units ? N : N + threads);
        weights_ = carver.take<Packed>(run.backs);
        for (int64_t i = 0; i < run.backs; ++i) {
            const int64_t depth = words<P>(run, run.back[i]);
            Packed packed{carver.take<Word>(plane(run.back[i].width) * depth), nullptr, depth};
            if (P::converts) packed.factors = carver.take<Word>((of_a_step(run.back[i].level) ? N : all) * words_stride(depth));
            if (workspace) weights_[i] = packed;
        }
        vectors_ = carver.take<float>(run.vectors_size);
        for (float*& state : states_) state = carver.take<float>(states_size());
        initial_ = carver.take<float>(N * run.kept_size);
        reset_ = carver.take<float>(run.resets ? N * run.kept_size : 0);
        initial_output_ = carver.take<float>(N * run.output_width);
        reset_output_ = carver.take<float>(run.resets ? N * run.output_width : 0);
        grad_reset_ = carver.take<float>(run.resets ? N * run.state_size : 0);
        scratch_ = carver.take<float>(N * run.backward.scratch_size);
        none_ = carver.take<float>(plane(run.output_width));
        carve_rows(carver);
        const int64_t lines = P::words(all) + threads * P::words(1);
        chunk_ = carver.take<float>(all * chunk_size);
        gradients_ = carver.take<Word>(P::converts ? lines * chunk_size : 0);
        operand_ = carver.take<Word>(lines * widest_operand());
        start_ = carver.take<int64_t>((chunk_steps_ + 1) * threads);
        sums_size_ = 0;
        for (int64_t i = 0; i < run.vector_gradients; ++i) sums_size_ += plane(run.vector_gradient[i].width);
        sums_ = carver.take<float>(sums_size_ * threads);
        matrices_size_ = weights(run);
        matrices_ = carver.take<float>(by_units ? 0 : matrices_size_ * (threads - 1));
        bytes_ = carver.used();
    }

    int64_t bytes() const { return bytes_; }

    // Whether the way back of a product belongs to each step.
    bool of_a_step(int64_t level) const { return level > run.backward.over_chunk; }
    int64_t widest_operand() const {
        int64_t widest = 16;
        for (int64_t i = 0; i < run.weight_gradients; ++i) widest = larger(widest, plane(run.weight_gradient[i].width));
        return widest;
    }
    // Rows of a chunk: few, so that its gradients stay in cache, but enough that passing over those of the weights pays.
    void plan_chunks() {
        const int64_t cache = second_level_cache(), rows = larger<int64_t>(by_units ? N : ceil_div(N, threads), 1);
        const int64_t wanted = weights(run) * 4 <= cache / 2 ? 256 : 768;
        const int64_t most = larger<int64_t>(cache / (4 * larger<int64_t>(run.backward.chunk_size, 16)), 96);
        chunk_steps_ = smaller(larger<int64_t>(smaller(wanted, most) / rows, 1), larger<int64_t>(T, 1));
    }

    void meet(const Part& part) {
        if (by_units) barrier_.wait(part.team);
    }
    int64_t time(int64_t i) const { return run.reverse ? i : schedule.steps - 1 - i; }

    Chunk chunk_at(int64_t done, const Part& part) const {
        const int64_t steps = smaller(chunk_steps_, schedule.steps - done);
        part.start[0] = 0;
        for (int64_t i = 0; i < steps; ++i) part.start[i + 1] = part.start[i] + part.segment.count(schedule.active(time(done + i)));
        return {done, steps, part.start[steps]};
    }

    float* states(int parity, int thread) const { return states_[parity] + apart(thread); }

    // What was kept of the state before a step.
    const float* kept_before(int64_t t, int64_t n) const {
        if (resets(t, n)) return reset_ + n * run.kept_size;
        const int64_t previous = before(t);
        return n < schedule.active(previous) ? kept(previous, n) : initial_ + n * run.kept_size;
    }

    // The same of its output.
    const float* output_before(int64_t t, int64_t n) const {
        if (resets(t, n)) return reset_output_ + n * run.output_width;
        const int64_t previous = before(t);
        if (n >= schedule.active(previous)) return initial_output_ + n * run.output_width;
        return run.output + (previous * N + schedule.order[n]) * run.output_width;
    }

    Packed* weights_;
    Word *gradients_, *operand_;
    float *vectors_, *states_[2], *initial_, *reset_, *initial_output_, *reset_output_, *grad_reset_, *scratch_, *none_, *chunk_, *sums_, *matrices_;
    int64_t* start_;
    int64_t chunk_steps_, sums_size_, matrices_size_, bytes_;
    Barrier barrier_;
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
