// A whole sequence forward, of a cell that was compiled from its equations.
#pragma once

#include "general.h"

namespace ostinato {
namespace OSTINATO_ISA {

template <class P>
class GeneralForward : GeneralProblem {
public:
    GeneralForward(const ostinato_program& r, void* workspace) : GeneralProblem(r, P::depth) {
        Carver carver(workspace);
        schedule.carve(plain, carver);
        weights_ = carver.take<Packed>(run.products);
        const int64_t rows = larger<int64_t>(by_units ? N : ceil_div(N, threads), 1);
        const int64_t bytes = 4 * larger<int64_t>(run.forward.chunk_size, 64);
        chunk_steps_ = smaller(larger<int64_t>(larger<int64_t>(second_level_cache() / 8 / bytes, 96) / rows, 1), larger<int64_t>(T, 1));
        const int64_t all = chunk_steps_ * (by_units ? N : N + threads);
        carve_weights(run.packed, carver);
        for (int64_t i = 0; P::converts && i < run.products; ++i) {
            Word* factors = carver.take<Word>((in_step(run, run.product[i].level) ? N : all) * words_stride(words<P>(run, run.product[i])));
            if (workspace) weights_[i].factors = factors;
        }
        for (float*& state : states_) state = carver.take<float>(states_size());
        scratch_ = carver.take<float>(N * run.forward.scratch_size);
        kept_ = carver.take<float>(run.saved ? 0 : N * run.kept_size);
        carve_rows(carver);
        chunk_ = carver.take<float>(all * run.forward.chunk_size);
        from_ = carver.take<const float*>(chunk_steps_ * (by_units ? N * threads : N + threads));
        bytes_ = carver.used();
    }

    int64_t bytes() const { return bytes_; }

    int64_t packed_bytes() const {
        Carver carver(nullptr);
        for (int64_t i = 0; i < run.products; ++i) packed(i, carver);
        carver.take<float>(run.vectors_size);
        return carver.used();
    }

    void pack_all() {
        in_parallel(threads, [this](int thread, int team) { pack(run.packed, thread, team); });
    }

    void compute() {
        schedule.fill();
        for (int64_t f = 0; f < run.fields; ++f) every_ |= run.every_state[f] != nullptr;
        past_caches_ = is_large(run.output_width + (run.saved ? run.kept_size : 0));
        in_parallel(threads, [this](int thread, int team) { work(thread, team); });
    }

private:
    // Of a product: its right factor, what is added, and rows of its left factor, where they are not as they lie.
    struct Packed {
        Word* lines;
        float* bias;
        Word* factors;
        int64_t words;
        Word* factor(int64_t row) const { return factors + row * words_stride(words); }
    };
    static constexpr int64_t MOST_OPERANDS = 64;  // of a product
    struct Part {
        Segment segment;
        int thread, team;
        int64_t slot, first;  // of converted rows, and of rows of a step
        const float** from;
        float* chunk;
    };

    void work(int thread, int team) {
        if (!run.packed) pack(packed_, thread, team);
        begin(thread, team);
        barrier_.wait(team);
        const int64_t slot = chunk_steps_ * (by_units ? N : ceil_div(N, team)) * thread;
        const Part part{segment(thread, team), thread, team, by_units ? 0 : slot, first_row(thread, team), from_ + slot, chunk_ + (by_units ? 0 : slot) * run.forward.chunk_size};
        for (int64_t done = 0; done < schedule.steps; done += chunk_steps_) {
            const int64_t steps = smaller(chunk_steps_, schedule.steps - done);
            if (P::converts) {
                each_input([&](int64_t i) { convert_inputs(i, done, steps, part); });
                meet(part);
            }
            each_input([&](int64_t i) { project(i, done, steps, part); });
            meet(part);
            int64_t row = 0;
            for (int64_t i = 0; i < steps; ++i) {
                const int64_t t = time(done + i), count = part.segment.count(schedule.active(t));
                step(t, static_cast<int>((done + i) & 1), count, part.chunk + row * run.forward.chunk_size, part);
                row += count;
            }
            for (int64_t level = inner() + 1; level <= run.forward.levels; ++level) over_chunk(level, done, steps, row, part);
        }
        leave_tiles();
        end_streams();
        barrier_.wait(team);
        end(thread, team);
    }

    void meet(const Part& part) {
        if (by_units) barrier_.wait(part.team);
    }
    int64_t time(int64_t i) const { return run.reverse ? schedule.steps - 1 - i : i; }
    // The last level of a step.
    int64_t inner() const { return run.forward.levels - run.forward.over_chunk; }

    template <class Body>
    void each_input(const Body& body) const {
        for (int64_t i = 0; i < run.products; ++i)
            if (!run.product[i].level) body(i);
    }

    // The rows of an input in all steps of a chunk, and how many.
    int64_t find_inputs(int64_t i, int64_t done, int64_t steps, const Part& part) const {
        const ostinato_operand& operand = run.operand[run.product[i].first_operand];
        int64_t rows = 0;
        for (int64_t k = 0; k < steps; ++k) {
            const int64_t t = time(done + k), count = part.segment.count(schedule.active(t));
            for (int64_t j = 0; j < count; ++j) part.from[rows++] = input_at(operand.offset, t, part.segment.row(j));
        }
        return rows;
    }
    void convert_inputs(int64_t i, int64_t done, int64_t steps, const Part& part) {
        const int64_t width = run.operand[run.product[i].first_operand].width;
        const Share own = shared(find_inputs(i, done, steps, part), part.thread, part.team);
        for (int64_t r = own.begin; r < own.end; ++r) pack_row<P>(part.from[r], width, weights_[i].factor(part.slot + r));
    }

    // Products of an input with all steps of a chunk.
    void project(int64_t i, int64_t done, int64_t steps, const Part& part) {
        const ostinato_product& product = run.product[i];
        const Packed& weights = weights_[i];
        const int64_t rows = find_inputs(i, done, steps, part);
        for (int64_t r = 0; P::converts && r < rows; ++r) part.from[r] = weights.factor(part.slot + r);
        const Panels panels = Panels::of(columns(run, product), COLUMNS);
        const Share own = shared(panels.count, part.thread, part.team);
        for (int p = static_cast<int>(own.begin); p < own.end; ++p) {
            const int64_t column = static_cast<int64_t>(panels.begin(p)) * W;
            each_tile<P>(rows, panels.width(p), [&](int64_t begin, int64_t height) {
                // the first panel reads them from memory: it asks for rows of the tile after the next
                for (int64_t r = begin + 2 * height; p == own.begin && !P::converts && r < smaller(begin + 3 * height, rows); ++r)
                    for (int64_t k = 0; k < weights.words; k += 16) __builtin_prefetch(part.from[r] + k);
                float* c[P::rows];
                for (int64_t r = 0; r < height; ++r) c[r] = part.chunk + (begin + r) * run.forward.chunk_size + product.result + column;
                run_tile(RowsProduct<P>{part.from + begin, words_stride(weights.words), weights.lines + column * weights.words,
                                        weights.words, weights.bias + column, c}, height, panels.width(p));
            });
        }
    }

    void step(int64_t t, int parity, int64_t count, float* chunk, const Part& part) {
        const Share own = shared(count, part.thread, part.team);
        if (resets_any(t, part.segment, count)) {
            meet(part);
            for (int64_t i = own.begin; i < own.end; ++i) restart(t, part.segment.row(i), states(parity, part.thread));
            meet(part);
        }
        look_ahead(t, part);
        for (int64_t i = own.begin; i < own.end; ++i) place(t, parity, i, chunk + i * run.forward.chunk_size, part);
        for (int64_t level = 0; level <= inner(); ++level) {
            if (level) {
                for (int64_t i = 0; i < run.products; ++i)
                    if (run.product[i].level == level) multiply_planes(i, t, parity, count, part);
                meet(part);
            }
            if (ostinato_stage stage = run.forward.stages[level]) stage(rows_ + part.first + own.begin, own.end - own.begin, run.forward.numbers);
            const bool converts = P::converts && level < inner();
            if (converts) convert(level + 1, t, parity, own, part);
            if (run.forward.stages[level] || converts) meet(part);
        }
        for (int64_t i = own.begin; every_ && i < own.end; ++i) {  // another thread may place the row for the next step by now
            const int64_t n = part.segment.row(i);
            write_state(states(parity ^ 1, part.thread) + n * run.state_size, run.every_state, t * N + schedule.order[n]);
        }
    }

    // A level of the whole chunk, of so many rows: its products, and the stage after them.
    void over_chunk(int64_t level, int64_t done, int64_t steps, int64_t rows, const Part& part) {
        const Share own = shared(rows, part.thread, part.team);
        for (int64_t i = 0; P::converts && i < run.products; ++i)
            for (int64_t r = own.begin; run.product[i].level == level && r < own.end; ++r) convert_in_chunk(i, r, part);
        meet(part);
        for (int64_t i = 0; i < run.products; ++i)
            if (run.product[i].level == level) multiply_chunk(i, rows, part);
        meet(part);
        int64_t row = 0;
        for (int64_t k = 0; run.forward.stages[level] && k < steps; ++k) {
            const int64_t t = time(done + k), count = part.segment.count(schedule.active(t));
            const Share rows_of_step = shared(count, part.thread, part.team);
            look_ahead(t, part);
            for (int64_t i = rows_of_step.begin; i < rows_of_step.end; ++i)
                place(t, 0, i, part.chunk + (row + i) * run.forward.chunk_size, part);
            run.forward.stages[level](rows_ + part.first + rows_of_step.begin, rows_of_step.end - rows_of_step.begin, run.forward.numbers);
            row += count;
            meet(part);  // before another thread places the same row for the next step
        }
    }

    void convert_in_chunk(int64_t i, int64_t row, const Part& part) {
        const ostinato_product& product = run.product[i];
        Word* to = weights_[i].factor(part.slot + row);
        for (int64_t o = 0; o < product.operands; ++o) {
            const ostinato_operand& operand = run.operand[product.first_operand + o];
            pack_row<P>(part.chunk + row * run.forward.chunk_size + operand.offset, operand.width, to);
            to += P::words(operand.width);
        }
    }

    void multiply_chunk(int64_t i, int64_t rows, const Part& part) {
        const ostinato_product& product = run.product[i];
        const int64_t size = run.forward.chunk_size;
        Span spans[MOST_OPERANDS];
        for (int64_t o = 0; !P::converts && o < product.operands; ++o) {
            const ostinato_operand& operand = run.operand[product.first_operand + o];
            spans[o] = {part.chunk + operand.offset, size, operand.width};
        }
        if (P::converts) spans[0] = {weights_[i].factor(part.slot), words_stride(weights_[i].words), weights_[i].words};
        multiply_spans(i, spans, {0, 1, rows}, rows, false, part, [&](int64_t r) { return part.chunk + r * size + product.result; });
    }

    void restart(int64_t t, int64_t n, float* states) const {
        if (resets(t, n)) read_state(run.reset_state, schedule.order[n], states + n * run.state_size);
    }

    void look_ahead(int64_t t, const Part& part) {
        GeneralProblem::look_ahead(t, run.reverse ? t - 1 : t + 1, part.thread, run.output_width, past_caches_);
    }

    // Where everything of a row is at a step.
    void place(int64_t t, int parity, int64_t i, float* chunk, const Part& part) {
        const int64_t n = part.segment.row(i);
        ostinato_row& row = rows_[part.first + i];
        row.before = states(parity, part.thread) + n * run.state_size;
        row.after = states(parity ^ 1, part.thread) + n * run.state_size;
        row.scratch = scratch_ + n * run.forward.scratch_size;
        row.chunk = chunk;
        row.kept = run.saved ? kept(t, n) : kept_ + n * run.kept_size;
        row.vectors = vectors_;
        const float** inputs = inputs_ + (part.first + i) * pointers();
        for (int64_t k = 0; k < run.inputs; ++k) inputs[k] = input(k, t, n);
        row.inputs = inputs;
        float** output = results_ + (part.first + i) * pointers();
        *output = run.output + (t * N + schedule.order[n]) * run.output_width;
        row.results = output;
        row.ahead = ahead_ + part.thread;
    }

    float* states(int parity, int thread) const { return states_[parity] + apart(thread); }

    Span span(const ostinato_operand& operand, int64_t t, int parity, const Part& part) const {
        switch (operand.space) {
            case OSTINATO_BEFORE: return {states(parity, part.thread) + operand.offset, run.state_size, operand.width};
            case OSTINATO_AFTER: return {states(parity ^ 1, part.thread) + operand.offset, run.state_size, operand.width};
            case OSTINATO_KEPT: return {(run.saved ? kept(t, 0) : kept_) + operand.offset, run.kept_size, operand.width};
            default: return {scratch_ + operand.offset, run.forward.scratch_size, operand.width};
        }
    }

    // Left factors of the products of a level, of a thread's own rows.
    void convert(int64_t level, int64_t t, int parity, Share own, const Part& part) {
        for (int64_t i = 0; i < run.products; ++i) {
            const ostinato_product& product = run.product[i];
            if (product.level != level) continue;
            for (int64_t r = own.begin; r < own.end; ++r) {
                const int64_t n = part.segment.row(r);
                Word* to = weights_[i].factor(n);
                for (int64_t o = 0; o < product.operands; ++o) {
                    const ostinato_operand& operand = run.operand[product.first_operand + o];
                    const Span from = span(operand, t, parity, part);
                    pack_row<P>(from.base + n * from.stride, operand.width, to);
                    to += P::words(operand.width);
                }
            }
        }
    }

    void multiply_planes(int64_t i, int64_t t, int parity, int64_t count, const Part& part) {
        const ostinato_product& product = run.product[i];
        const Packed& weights = weights_[i];
        Span spans[MOST_OPERANDS];
        for (int64_t o = 0; !P::converts && o < product.operands; ++o) spans[o] = span(run.operand[product.first_operand + o], t, parity, part);
        if (P::converts) spans[0] = {weights.factors, words_stride(weights.words), weights.words};
        multiply_spans(i, spans, part.segment, count, parity, part, [&](int64_t r) {
            return scratch_ + part.segment.row(r) * run.forward.scratch_size + product.result;
        });
    }

    // The first `count` of some rows of spans, by a product's columns; `to` tells where the i-th goes.
    template <class To>
    void multiply_spans(int64_t i, const Span* spans, Segment rows, int64_t count, bool turned, const Part& part, const To& to) {
        const ostinato_product& product = run.product[i];
        const Packed& weights = weights_[i];
        const Panels panels = panels_of(product, part.team);
        const Share own = shared(panels.count, part.thread, part.team);
        for (int64_t k = own.begin; k < own.end; ++k) {
            // on every other step the other way round: what is in cache of the weights is used first
            const int p = static_cast<int>(turned ? own.begin + own.end - 1 - k : k);
            const int64_t column = static_cast<int64_t>(panels.begin(p)) * W;
            each_tile<P>(count, panels.width(p), [&](int64_t begin, int64_t height) {
                float* c[P::rows];
                for (int64_t r = 0; r < height; ++r) c[r] = to(begin + r) + column;
                run_tile(PlanesProduct<P>{spans, P::converts ? 1 : product.operands, rows.row(begin), rows.step,
                                          weights.lines + column * weights.words, weights.bias + column, c}, height, panels.width(p));
            });
        }
    }

    // Weights in the order in which they are read, one product after the other, then the vectors.
    Packed packed(int64_t i, Carver& carver) const {
        const int64_t width = columns(run, run.product[i]), depth = words<P>(run, run.product[i]);
        return {carver.take<Word>(width * depth), carver.take<float>(width), nullptr, depth};
    }
    void carve_weights(void* elsewhere, Carver& carver) {
        Carver there(elsewhere);
        Carver& from = elsewhere ? there : carver;
        packed_ = from.take<char>(0);
        for (int64_t i = 0; i < run.products; ++i) {
            const Packed one = packed(i, from);
            if (weights_) weights_[i] = one;
        }
        vectors_ = from.take<float>(run.vectors_size);
    }
    // Panels of a product within a step: a piece for each thread, but where the weights are packed for any number of them.
    Panels panels_of(const ostinato_product& product, int team) const {
        return Panels::of(columns(run, product), COLUMNS, by_units && product.level && !run.packed ? team : 1);
    }
    void pack(void* to, int thread, int team) const {
        Carver carver(to);
        for (int64_t i = 0; i < run.products; ++i) {
            const Packed one = packed(i, carver);
            const Panels panels = panels_of(run.product[i], team);
            const Share own = Share::of(panels.count, thread, team);
            for (int p = static_cast<int>(own.begin); p < own.end; ++p)
                for (int u = 0; u < panels.width(p); ++u) pack_columns(i, one, panels, p, u);
        }
        if (thread == 0) pack_vectors(carver.take<float>(run.vectors_size));
    }

    // One vector of columns of a product, of all its operands.
    void pack_columns(int64_t i, const Packed& packed, const Panels& panels, int panel, int u) const {
        const ostinato_product& product = run.product[i];
        int64_t column = static_cast<int64_t>(panels.begin(panel) + u) * W, first = product.first_piece;
        const int64_t at = column;
        while (column >= plane(run.piece[first].rows)) column -= plane(run.piece[first++].rows);
        const ostinato_piece& piece = run.piece[first];
        const int there = within(piece.rows - column);
        const int64_t stride = panels.width(panel) * W, K = run.matrix_shape[2 * piece.matrix + 1];
        Word* to = packed.lines + static_cast<int64_t>(panels.begin(panel)) * W * packed.words + u * W;
        for (int64_t o = 0; o < product.operands; ++o) {
            const ostinato_operand& operand = run.operand[product.first_operand + o];
            pack_transposed<P>(run.matrix[piece.matrix] + (piece.row + column) * K + operand.column, there, operand.width, to, stride, K);
            to += P::words(operand.width) * stride;
        }
        V bias = broadcast(0.0f);
        if (piece.vector >= 0 && run.vector[piece.vector]) bias = load_first(run.vector[piece.vector] + piece.begin + column, there);
        store(packed.bias + at, bias);
    }

    void begin(int thread, int team) {
        const Share share = Share::of(N, thread, team);
        for (int64_t n = share.begin; n < share.end; ++n)
            for (int parity = 0; parity < 2; ++parity)
                read_state(run.state, schedule.order[n], states(parity, thread) + n * run.state_size);
        clear_beyond(run.output, run.output_width, thread, team);
        for (int64_t f = 0; f < run.fields; ++f) clear_beyond(run.every_state[f], run.field_width[f], thread, team);
    }

    // A sequence's last step leaves its state in one of the two copies.
    void end(int thread, int team) {
        const Share share = Share::of(N, thread, team);
        for (int64_t n = share.begin; n < share.end; ++n) {
            const int64_t steps = run.reverse ? schedule.steps : schedule.length(schedule.order[n]);
            write_state(states(steps & 1, thread) + n * run.state_size, run.final_state, schedule.order[n]);
        }
    }

    Packed* weights_;
    void* packed_;  // where they begin
    float *vectors_, *states_[2], *scratch_, *kept_, *chunk_;
    const float** from_;
    int64_t chunk_steps_, bytes_;
    bool every_ = false;  // whether any field is wanted of every step
    bool past_caches_ = false;
    Barrier barrier_;
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
