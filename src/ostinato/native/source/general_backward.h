// A whole sequence backward, of a cell that was compiled from its equations.
#pragma once

#include "general_gradients.h"

namespace ostinato {
namespace OSTINATO_ISA {

template <class P>
class GeneralBackward : GeneralGradients {
public:
    GeneralBackward(const ostinato_program& r, void* workspace) : GeneralGradients(r, workspace, Operands<P>()) {}

    using GeneralGradients::bytes;

    void compute() {
        schedule.fill();
        int64_t width = 0;
        for (int64_t i = 0; i < run.inputs; ++i) width += run.grad_input[i] ? run.input_width[i] : 0;
        past_caches_ = is_large(width);
        in_parallel(threads, [this](int thread, int team) { work(thread, team); });
    }

private:
    void work(int thread, int team) {
        const int64_t rows = chunk_steps_ * ceil_div(N, team), slot = by_units ? 0 : rows * thread, line = by_units ? 0 : P::words(rows) * thread;
        const Part part{segment(thread, team), thread, team, slot, first_row(thread, team), chunk_ + slot * run.backward.chunk_size,
                        gradients_ + line * run.backward.chunk_size, operand_ + line * widest_operand(), sums_ + sums_size_ * thread, start_ + (chunk_steps_ + 1) * thread};
        pack(thread, team);
        begin(part);
        barrier_.wait(team);
        for (int64_t done = 0; done < schedule.steps; done += chunk_steps_) {
            const Chunk chunk = chunk_at(done, part);
            for (int64_t level = 1; level <= run.backward.over_chunk; ++level) over_chunk(level, chunk, part);
            for (int64_t i = 0; i < chunk.steps; ++i) step(done + i, part.start[i], part.start[i + 1] - part.start[i], part);
            meet(part);
            weight_gradients<P>(chunk, part);
            vector_gradients(chunk, part);
            for (int64_t i = 0; i < run.backs; ++i)
                if (!run.back[i].level && run.grad_input[run.back[i].result]) input_gradients(i, chunk, part);
            meet(part);
        }
        leave_tiles();
        end_streams();
        barrier_.wait(team);
        finish(thread, team);
    }

    void step(int64_t index, int64_t first, int64_t count, const Part& part) {
        const int64_t t = time(index);
        const Share own = shared(count, part.thread, part.team);
        look_ahead(t, before(t), part.thread, 0, past_caches_);
        for (int64_t i = own.begin; i < own.end; ++i)
            place(t, static_cast<int>(index & 1), i, part.chunk + (first + i) * run.backward.chunk_size, part);
        for (int64_t level = run.backward.over_chunk; level <= run.backward.levels; ++level) {
            if (of_a_step(level)) {
                for (int64_t i = 0; i < run.backs; ++i)
                    if (run.back[i].level == level) multiply_back(i, static_cast<int>(index & 1), first, count, part);
                meet(part);
            }
            if (ostinato_stage stage = run.backward.stages[level]) stage(rows_ + part.first + own.begin, own.end - own.begin, run.backward.numbers);
            const bool converts = P::converts && level < run.backward.levels;
            for (int64_t i = 0; converts && i < run.backs; ++i)
                for (int64_t r = own.begin; run.back[i].level == level + 1 && r < own.end; ++r)
                    convert(i, part.chunk + (first + r) * run.backward.chunk_size, part.segment.row(r));
            if (run.backward.stages[level] || converts) meet(part);
        }
        if (resets_any(t, part.segment, count)) {
            for (int64_t i = own.begin; i < own.end; ++i) cut(t, i, part);
            meet(part);
        }
    }

    // A level of the whole chunk: the stage before its products, and their way back.
    void over_chunk(int64_t level, const Chunk& chunk, const Part& part) {
        for (int64_t k = 0; run.backward.stages[level - 1] && k < chunk.steps; ++k) {
            const Share own = shared(part.start[k + 1] - part.start[k], part.thread, part.team);
            const int64_t t = time(chunk.done + k);
            look_ahead(t, before(t), part.thread, 0, past_caches_);
            for (int64_t i = own.begin; i < own.end; ++i)
                place_chunk(t, i, part.chunk + (part.start[k] + i) * run.backward.chunk_size, part);
            run.backward.stages[level - 1](rows_ + part.first + own.begin, own.end - own.begin, run.backward.numbers);
            meet(part);  // before another thread places the same row for the next step
        }
        const Share own = shared(chunk.count, part.thread, part.team);
        for (int64_t i = 0; P::converts && i < run.backs; ++i)
            for (int64_t r = own.begin; run.back[i].level == level && r < own.end; ++r)
                convert(i, part.chunk + r * run.backward.chunk_size, part.slot + r);
        meet(part);
        for (int64_t i = 0; i < run.backs; ++i)
            if (run.back[i].level == level) multiply_chunk(i, chunk, part);
        meet(part);
    }

    void multiply_chunk(int64_t i, const Chunk& chunk, const Part& part) {
        const ostinato_back& back = run.back[i];
        const Panels panels = Panels::of(plane(back.width), COLUMNS, by_units ? part.team : 1);
        const Share own = shared(panels.count, part.thread, part.team);
        for (int p = static_cast<int>(own.begin); p < own.end; ++p) {
            float* to = part.chunk + back.result + static_cast<int64_t>(panels.begin(p)) * W;
            run_back(i, panels, p, 0, {part.slot, 1, part.slot + chunk.count}, chunk.count, W, part,
                     [&](int64_t r) { return to + r * run.backward.chunk_size; });
        }
    }

    // Of a row that started anew before a step: no gradient goes from there to the step before.
    void cut(int64_t t, int64_t i, const Part& part) const {
        const int64_t n = part.segment.row(i);
        if (resets(t, n)) hand_over(rows_[part.first + i].after, grad_reset_ + n * run.state_size, run.state_size);
    }

    // Where everything of a row is at a step.
    void place(int64_t t, int parity, int64_t i, float* chunk, const Part& part) {
        place_chunk(t, i, chunk, part);
        const int64_t n = part.segment.row(i), at = t * N + schedule.order[n];
        ostinato_row& row = rows_[part.first + i];
        row.after = states(parity ^ 1, part.thread) + n * run.state_size;
        float* upstream = states(parity, part.thread) + n * run.state_size;
        for (int64_t s = 0; s < run.state_parts; ++s) {
            const ostinato_state_part& state = run.state_part[s];
            if (const float* more = run.grad_every[state.field]) {
                more += at * run.field_width[state.field] + state.begin;
                for (int64_t k = 0; k < state.width; k += W) {
                    float* to = upstream + state.plane + k;
                    store(to, load(to) + load_first(more + k, within(state.width - k)));
                }
            }
        }
        row.upstream = upstream;
    }

    // But for the gradients by the states, of which only a step knows.
    void place_chunk(int64_t t, int64_t i, float* chunk, const Part& part) {
        const int64_t n = part.segment.row(i), at = t * N + schedule.order[n];
        ostinato_row& row = rows_[part.first + i];
        row.before = kept_before(t, n);
        row.scratch = scratch_ + n * run.backward.scratch_size;
        row.chunk = chunk;
        row.kept = kept(t, n);
        row.vectors = vectors_;
        row.output_gradient = run.grad_output ? run.grad_output + at * run.output_width : none_;
        row.output = run.output + at * run.output_width;
        row.output_before = output_before(t, n);
        row.ahead = ahead_ + part.thread;
        const float** inputs = inputs_ + (part.first + i) * pointers();
        float** results = results_ + (part.first + i) * pointers();
        for (int64_t k = 0; k < run.inputs; ++k) {
            inputs[k] = input(k, t, n);
            results[k] = run.grad_input[k] ? run.grad_input[k] + at * run.input_width[k] : nullptr;
        }
        row.inputs = inputs, row.results = results;
    }

    // A row of the left factor.
    void convert(int64_t i, const float* chunk, int64_t row) {
        const ostinato_back& back = run.back[i];
        Word* to = weights_[i].factor(row);
        for (int64_t s = 0; s < back.sources; ++s) {
            const ostinato_source& source = run.source[back.first_source + s];
            pack_row<P>(chunk + source.plane, source.rows, to);
            to += P::words(source.rows);
        }
    }

    void multiply_back(int64_t i, int parity, int64_t first, int64_t count, const Part& part) {
        const ostinato_back& back = run.back[i];
        const Panels panels = Panels::of(plane(back.width), COLUMNS, by_units ? part.team : 1);
        const Share own = shared(panels.count, part.thread, part.team);
        for (int64_t k = own.begin; k < own.end; ++k) {
            const int p = static_cast<int>(parity ? own.begin + own.end - 1 - k : k);
            const int64_t column = static_cast<int64_t>(panels.begin(p)) * W;
            run_back(i, panels, p, first, part.segment, count, W, part, [&](int64_t r) {
                return scratch_ + part.segment.row(r) * run.backward.scratch_size + back.result + column;
            });
        }
    }

    // Rows `first` to `first + count` of the chunk, whose converted factors are `converted`, through one panel of columns; `to`
    // tells where the i-th goes.
    template <class To>
    void run_back(int64_t i, const Panels& panels, int p, int64_t first, Segment converted, int64_t count, int last, const Part& part, const To& to) {
        const ostinato_back& back = run.back[i];
        const Packed& weights = weights_[i];
        constexpr int64_t MOST = 256;
        Span spans[MOST];
        for (int64_t s = 0; !P::converts && s < back.sources; ++s) {
            const ostinato_source& source = run.source[back.first_source + s];
            spans[s] = {part.chunk + source.plane, run.backward.chunk_size, source.rows};
        }
        if (P::converts) spans[0] = {weights.factors, words_stride(weights.words), weights.words};
        const Segment rows = P::converts ? converted : Segment{first, 1, first + count};
        const Word* lines = weights.lines + static_cast<int64_t>(panels.begin(p)) * W * weights.words;
        each_tile<P>(count, panels.width(p), [&](int64_t begin, int64_t height) {
            float* c[P::rows];
            for (int64_t r = 0; r < height; ++r) c[r] = to(begin + r);
            run_tile(SpansProduct<P>{spans, P::converts ? 1 : back.sources, rows.row(begin), rows.step, lines, c, last, !back.level && back.add},
                     height, panels.width(p));
        });
    }

    void input_gradients(int64_t i, const Chunk& chunk, const Part& part) {
        const ostinato_back& back = run.back[i];
        const Share share = shared(chunk.count, part.thread, part.team);
        for (int64_t r = share.begin; P::converts && r < share.end; ++r) convert(i, part.chunk + r * run.backward.chunk_size, part.slot + r);
        const Segment converted{part.slot + share.begin, 1, part.slot + share.end};
        const Panels panels = Panels::of(back.width, COLUMNS);
        for (int p = 0; p < panels.count; ++p) {
            const int64_t column = static_cast<int64_t>(panels.begin(p)) * W;
            const int last = within(back.width - column - (panels.width(p) - 1) * W);
            int64_t step = 0;
            run_back(i, panels, p, share.begin, converted, share.end - share.begin, last, part, [&](int64_t r) {
                r += share.begin;
                while (r >= part.start[step + 1]) ++step;
                const int64_t n = part.segment.row(r - part.start[step]);
                return run.grad_input[back.result] + (time(chunk.done + step) * N + schedule.order[n]) * run.input_width[back.result] +
                       back.column + column;
            });
        }
    }

    void pack(int thread, int team) {
        if (thread == 0) pack_vectors(vectors_);
        for (int64_t i = 0; i < run.backs; ++i) {
            const ostinato_back& back = run.back[i];
            const Panels panels = Panels::of(back.level ? plane(back.width) : back.width, COLUMNS, by_units && back.level ? team : 1);
            const Share own = Share::of(panels.count, thread, team);
            for (int p = static_cast<int>(own.begin); p < own.end; ++p) {
                const int64_t column = static_cast<int64_t>(panels.begin(p)) * W;
                Word* to = weights_[i].lines + column * weights_[i].words;
                for (int64_t s = 0; s < back.sources; ++s) {
                    const ostinato_source& source = run.source[back.first_source + s];
                    const int64_t K = run.matrix_shape[2 * source.matrix + 1];
                    const float* from = run.matrix[source.matrix] + source.row * K + source.column + column;
                    for (int64_t w = 0; w < P::words(source.rows); ++w, to += panels.width(p) * W) {
                        const float* rows[P::depth];
                        for (int64_t d = 0, u = P::number(w); d < P::depth; ++d, ++u) rows[d] = u < source.rows ? from + u * K : nullptr;
                        pack_line<P>(rows, back.width - column, to, panels.width(p), w);
                    }
                }
            }
        }
    }

    void begin(const Part& part) {
        zero(part.sums, sums_size_);
        for (int64_t m = 0; m < run.matrices; ++m) {
            if (!run.grad_matrix[m] || (by_units && part.thread)) continue;
            zero(matrix_gradient(m, part.thread), run.matrix_shape[2 * m] * run.matrix_shape[2 * m + 1]);
        }
        if (part.thread == 0) zero(none_, plane(run.output_width));
        const Share share = Share::of(N, part.thread, part.team);
        for (int64_t n = share.begin; n < share.end; ++n) {
            for (int parity = 0; parity < 2; ++parity)
                read_state(run.grad_final, schedule.order[n], states(parity, part.thread) + n * run.state_size);
            for (int64_t i = 0; i < run.state_parts; ++i) {
                const ostinato_state_part& state = run.state_part[i];
                keep(run.state, state, n, initial_, initial_output_);
                if (run.resets) keep(run.reset_state, state, n, reset_, reset_output_);
            }
            if (run.resets) zero(grad_reset_ + n * run.state_size, run.state_size);
        }
        for (int64_t i = 0; i < run.inputs; ++i) {
            if (!run.grad_input[i]) continue;
            if (!run.clear_inputs) clear_beyond(run.grad_input[i], run.input_width[i], part.thread, part.team);
            const Share rows = Share::of(run.clear_inputs ? T * N : 0, part.thread, part.team);
            zero(run.grad_input[i] + rows.begin * run.input_width[i], (rows.end - rows.begin) * run.input_width[i]);
        }
    }

    // Part of a state, where a step before would have kept it or put it out.
    void keep(const float* const* fields, const ostinato_state_part& part, int64_t n, float* kept, float* outputs) const {
        const float* from = fields[part.field] + schedule.order[n] * run.field_width[part.field] + part.begin;
        if (part.kept >= 0) copy_padded(from, part.width, kept + n * run.kept_size + part.kept, static_cast<int>(plane(part.width) / W));
        if (part.output >= 0) copy(outputs + n * run.output_width + part.output, from, part.width);
    }

    void finish(int thread, int team) {
        const Share share = Share::of(N, thread, team);
        for (int64_t n = share.begin; n < share.end; ++n) {
            const int64_t steps = run.reverse ? schedule.length(schedule.order[n]) : schedule.steps;
            write_state(states(steps & 1, thread) + n * run.state_size, run.grad_state, schedule.order[n]);
            if (run.resets)
                write_state(grad_reset_ + n * run.state_size, run.grad_reset_state, schedule.order[n]);
            else
                no_reset(n);
        }
        if (thread == 0) finish_vectors(by_units ? 1 : team);
        if (by_units) return;
        for (int64_t m = 0; m < run.matrices; ++m) {
            if (!run.grad_matrix[m]) continue;
            const Share own = Share::of(run.matrix_shape[2 * m] * run.matrix_shape[2 * m + 1], thread, team);
            for (int other = 1; other < team; ++other) add(run.grad_matrix[m], matrix_gradient(m, other), own);
        }
    }

    // Resets of no step have no address.
    void no_reset(int64_t n) const {
        for (int64_t f = 0; run.grad_reset_state && f < run.fields; ++f)
            if (run.grad_reset_state[f]) zero(run.grad_reset_state[f] + n * run.field_width[f], run.field_width[f]);
    }

    bool past_caches_ = false;
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
