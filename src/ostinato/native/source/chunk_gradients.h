// What follows a chunk of steps backward: the gradients of its gates, still in cache, are multiplied with x and h before the
// step for the gradients by the weights, and with W_ih for those by x.
//
// That is shared by the team, which meets before and after it; or, where sequences are split among threads and the weights
// are small, each thread does it for its own sequences, into gradients of its own that are added up in the end. Then no
// thread waits for another, and none reads what another has in its cache.
#pragma once

#include "cells/cell.h"
#include "schedule.h"
#if defined(OSTINATO_TILES)
#include "tiles.h"
#endif

namespace ostinato {
namespace OSTINATO_ISA {

template <class C, class P>
class ChunkGradients : protected Problem<C, P> {
    using Base = Problem<C, P>;

protected:
    using Base::D, Base::H, Base::N, Base::division, Base::panels, Base::run, Base::schedule, Base::state_stride;
    static constexpr int G = C::gates;
    static constexpr int planes = C::gates + C::apart;
    // Factors of tiles are read in whole blocks: there a side is all planes, those of the other side times zero.
    static constexpr int lane_words = P::tiled ? W : 1;  // of a lane of the gate gradients' lines
    static constexpr int64_t LANES = 96;                 // whose gradients are summed up together
    static constexpr bool whole = P::block > W;
    static constexpr int side = whole ? planes : G;
    // Words of a vector of units: of all planes, of one side of them
    static constexpr int64_t unit_words = P::words(planes * W), side_words = P::words(side * W);

    // Consecutive steps, and of each the rows that are worked on together after it: all, or a thread's own.
    struct Chunk {
        Segment rows;            // which
        int64_t begin, end;      // steps
        int64_t count;           // rows of all steps
        const int64_t* start;    // rows of the chunk's steps before each
        Word* gates;             // gradients by the gates as rows of words, in panels of units
        Word *lines, *x, *h;     // the same, x and h before the step as lines of words, in panels of columns
        Share shared(int64_t n, int thread, int team, bool apart) const {
            return apart ? Share{0, n} : Share::of(n, thread, team);
        }
    };

    static int64_t columns(const Panels& panels) { return static_cast<int64_t>(panels.vectors) * W; }

    explicit ChunkGradients(const ostinato_run& r)
        : Base(r), x_columns_(Panels::of(r.D, COLUMNS)), h_columns_(Panels::of(r.H, COLUMNS, Base::division.by_units ? Base::division.threads : 1)) {
    }

    void carve_chunks(Carver& carver) {
        plan_chunks();
        // Where each thread has a slot of its own: a team may be smaller than asked for, its slots larger.
        const int64_t rows = chunk_steps_ * (apart_ ? N + division.threads : N);
        const int64_t lines = P::words(rows) + (apart_ ? division.threads * P::words(1) : 0);
        weight_ih_ = carver.take<Word>(run.grad_x ? panels.vectors * side_words * columns(x_columns_) : 0);
        gates_ = carver.take<Word>(rows * panels.vectors * unit_words);
        gate_lines_ = carver.take<Word>(P::converts ? lines * columns(panels) * planes : 0);
        x_ = carver.take<Word>(lines * columns(x_columns_));
        h_ = carver.take<Word>(lines * columns(h_columns_));
        gathered_ = carver.take<Word>(run.grad_weight_ih ? P::words(chunk_rows()) * LANES * division.threads : 0);
        fed_ = carver.take<float>(run.recurrent_mask ? P::depth * state_stride * division.threads : 0);
        row_start_ = carver.take<int64_t>((chunk_steps_ + 1) * division.threads);
        // The first thread's are the caller's.
        const int64_t others = apart_ && run.grad_weight_ih ? division.threads - 1 : 0;
        grad_weights_ = carver.take<float>(others * G * H * (D + H));
    }

    // Rows of a chunk: few, so that its gates stay in cache, but enough that passing over the weights' gradients pays.
    void plan_chunks() {
        const int64_t cache = second_level_cache(), weights = 4 * G * H * (D + H);
        apart_ = !division.by_units && division.threads > 1 && weights <= cache / 3;
        const int64_t rows = apart_ ? ceil_div(N, division.threads) : N;
        const int64_t wanted = weights <= cache / 2 || !P::converts ? 256 : 768;
        chunk_steps_ = smaller(larger<int64_t>(wanted / larger<int64_t>(rows, 1), 1), larger<int64_t>(run.T, 1));
    }

    // Of all sequences, which bound those of a thread's own.
    int64_t chunk_rows() const { return chunk_steps_ * N; }

    Chunk chunk_at(int64_t done, const Segment& segment, int thread, int team) {
        const int64_t steps = smaller(chunk_steps_, schedule.steps - done);
        const int64_t begin = run.reverse ? done : schedule.steps - done - steps;
        const Segment rows = apart_ ? segment : Segment{0, 1, N};
        int64_t* start = row_start_ + (chunk_steps_ + 1) * thread;
        start[0] = 0;
        for (int64_t i = 0; i < steps; ++i) start[i + 1] = start[i] + rows.count(schedule.active(begin + i));
        const int64_t slot = apart_ ? chunk_steps_ * ceil_div(N, team) : 0, row = slot * thread, line = P::words(slot) * thread;
        return {rows, begin, begin + steps, start[steps], start, gates_ + row * panels.vectors * unit_words,
                gate_lines_ + line * columns(panels) * planes, x_ + line * columns(x_columns_), h_ + line * columns(h_columns_)};
    }

    // Gate gradients of a chunk, by panels: rows of [planes][width][W] numbers.
    Word* gates(int panel, const Chunk& chunk) const {
        return chunk.gates + panels.begin(panel) * chunk.count * unit_words;
    }
    int64_t gates_stride(int panel) const { return panels.width(panel) * unit_words; }
    Span span(int panel, int plane, const Chunk& chunk) const {
        const int width = panels.width(panel);
        return {gates(panel, chunk) + (whole ? 0 : P::words(plane * width * W)), gates_stride(panel), P::words(side * width * W)};
    }
    // The same as lines: [words of the rows][planes][width][W].
    Word* lines(int panel, const Chunk& chunk) const {
        if (!P::converts) return gates(panel, chunk);
        return chunk.lines + panels.begin(panel) * P::words(chunk.count) * planes * W;
    }
    int64_t lines_stride(int panel) const { return static_cast<int64_t>(planes) * panels.width(panel) * W; }
    float* grad_x(int64_t t, int64_t n) const { return run.grad_x + (t * N + schedule.order[n]) * D; }

    // Weights in panels of columns; rows in the order of the gate gradients: panel, gate, unit.
    void pack_columns(const float* weights, int64_t K, int plane, const int (&order)[G], const Panels& into, Word* packed, Share share) {
        for (int j = static_cast<int>(share.begin); j < share.end; ++j) {
            const int64_t column = static_cast<int64_t>(into.begin(j)) * W;
            const int width = into.width(j);
            Word* target = packed + into.begin(j) * W * panels.vectors * side_words;
            for (int p = 0; p < panels.count; ++p) {
                const int lanes = panels.width(p) * W;
                int g = whole ? -plane : 0, u = 0;  // where the numbers of a line come from
                for (int64_t i = 0; i < P::words(side * lanes); ++i, target += width * W) {
                    if constexpr (whole) g = static_cast<int>(P::number(i)) / lanes - plane, u = static_cast<int>(P::number(i)) % lanes;
                    const float* rows[P::depth];
                    for (int d = 0; d < P::depth; ++d) {
                        const int64_t unit = Base::unit(p) + u + d;
                        rows[d] = g >= 0 && g < G && unit < H ? weights + (order[g] * H + unit) * K + column : nullptr;
                    }
                    pack_line<P>(rows, K - column, target, width, i);
                    if constexpr (!whole)
                        if ((u += P::depth) == lanes) u = 0, ++g;
                }
            }
        }
    }

    void pack_input_weights(int thread, int team) {
        if (run.grad_x)
            pack_columns(run.weight_ih, D, 0, C::input_order, x_columns_, weight_ih_, Share::of(x_columns_.count, thread, team));
    }

    // What no chunk writes.
    void clear(int thread, int team) {
        if (run.grad_x) {
            const Share times = Share::of(run.T, thread, team);
            for (int64_t t = times.begin; t < times.end; ++t)
                for (int64_t n = schedule.active(t); n < N; ++n) zero(grad_x(t, n), D);
        }
        if (run.grad_weight_ih && schedule.steps == 0) {
            const Share rows = Share::of(G * H, thread, team);
            zero(run.grad_weight_ih + rows.begin * D, (rows.end - rows.begin) * D);
            zero(run.grad_weight_hh + rows.begin * H, (rows.end - rows.begin) * H);
        }
    }

    // The factors of the gradients by the weights: x and h before the step, of the rows of a chunk, as lines of words.
    void collect(const Chunk& chunk, int thread, int team) {
        const int64_t words = P::words(chunk.count);
        const Share share = chunk.shared(words / P::lines, thread, team, apart_);
        float* fed = fed_ + P::depth * state_stride * thread;
        int64_t step = 0;
        for (int64_t i = share.begin * P::lines; i < share.end * P::lines; ++i) {
            const float *x[P::depth], *h[P::depth];
            for (int64_t d = 0, row = P::number(i); d < P::depth; ++d, ++row) {
                while (row < chunk.count && row >= chunk.start[step + 1]) ++step;
                while (row < chunk.count && row < chunk.start[step]) --step;  // a block's smaller parts follow the larger
                const int64_t t = chunk.begin + step, n = chunk.rows.row(row - chunk.start[step]);
                x[d] = row < chunk.count ? Base::x(t, n) : nullptr;
                h[d] = row < chunk.count ? fed_back(t, n, fed + d * state_stride) : nullptr;
            }
            collect_line(x, D, x_columns_, chunk.x, words, i);
            collect_line(h, H, h_columns_, chunk.h, words, i);
            if constexpr (P::converts && !P::tiled) collect_gates(chunk, i);
            if constexpr (P::tiled)
                if (i % W == 0) collect_gates(chunk, i);
        }
    }
    // The gate gradients' line i; for tiles, W lines from there on as columns: [lanes][W].
    void collect_gates(const Chunk& chunk, int64_t i) const {
        constexpr int count = P::tiled ? W : 1;
        for (int p = 0; p < panels.count; ++p) {
            Word* to = lines(p, chunk) + i * lines_stride(p);
            for (int64_t k = 0; k < lines_stride(p); k += W) {
                V block[count];
                for (int l = 0; l < count; ++l) {
                    const Word* rows[P::depth];
                    for (int64_t d = 0, row = P::number(i + l); d < P::depth; ++d, ++row)
                        rows[d] = row < chunk.count ? gates(p, chunk) + row * gates_stride(p) : nullptr;
                    block[l] = P::line_of(rows, k, i + l);
                }
                if constexpr (P::tiled) transpose(block);
                for (int l = 0; l < count; ++l) store(to + (k + l) * lane_words, block[l]);
            }
        }
    }
    // h before a step as it was fed back; a buffer takes it where that is masked.
    const float* fed_back(int64_t t, int64_t n, float* buffer) const {
        const float *h = Base::h_before(t, n), *mask = C::noisy ? Base::mask(n) : nullptr;
        if (!mask) return h;
        for (int64_t k = 0; k < H; k += W)
            store(buffer + k, load_first(h + k, within(H - k)) * load_first(mask + k, within(H - k)));
        return buffer;
    }
    static void collect_line(const float* const (&from)[P::depth], int64_t K, const Panels& into, Word* to, int64_t words, int64_t i) {
        for (int j = 0; j < into.count; ++j) {
            const int64_t column = static_cast<int64_t>(into.begin(j)) * W;
            const float* rows[P::depth];
            for (int d = 0; d < P::depth; ++d) rows[d] = from[d] ? from[d] + column : nullptr;
            pack_line<P>(rows, K - column, to + column * words + i * into.width(j) * W, into.width(j), i);
        }
    }

    // Shared, each thread has its own rows of the weights, so that a sum has one order whatever the number of threads.
    void weight_gradients(const Chunk& chunk, bool first, int thread, int team) {
        const Share share = chunk.shared(G * H, thread, team, apart_);
        float *grad_ih = run.grad_weight_ih, *grad_hh = run.grad_weight_hh;
        if (apart_ && thread > 0) grad_ih = grad_weights(thread), grad_hh = grad_ih + G * H * D;
        if (first && chunk.count == 0) {
            zero(grad_ih + share.begin * D, (share.end - share.begin) * D);
            zero(grad_hh + share.begin * H, (share.end - share.begin) * H);
        }
        for (int64_t lane = share.begin, end; lane < share.end; lane = end) {
            end = smaller(lane + LANES, share.end);
            Word* gathered = gathered_ + P::words(chunk_rows()) * LANES * thread;
            gather(chunk, 0, lane, end, gathered);
            weight_gradients(chunk, first, {lane, end}, gathered, x_columns_, chunk.x, D, C::input_order, grad_ih);
            if (C::apart) gather(chunk, C::apart, lane, end, gathered);
            weight_gradients(chunk, first, {lane, end}, gathered, h_columns_, chunk.h, H, C::recurrent_order, grad_hh);
        }
    }

    float* grad_weights(int thread) const { return grad_weights_ + (thread - 1) * G * H * (D + H); }

    void weight_gradients(const Chunk& chunk, bool first, Share lanes, const Word* gathered, const Panels& into, const Word* lines_of,
                          int64_t K, const int (&order)[G], float* grad) const {
        const int64_t words = P::words(chunk.count), height_in_all = lanes.end - lanes.begin;
        for (int j = 0; j < into.count; ++j) {
            const int width = into.width(j);
            const int64_t column = static_cast<int64_t>(into.begin(j)) * W;
            const int64_t block = (32 << 10) / (4 * width * W) / P::lines * P::lines;  // lines that stay in first-level cache
            const int64_t count = tiles(height_in_all, tile_rows<P>(width));
            for (int64_t line = 0; line < words; line += block) {
                TransposedProduct<P> product{};
                product.stride = LANES;
                product.b = lines_of + column * words + line * width * W;
                product.words = smaller(block, words - line);
                product.last = static_cast<int>(smaller<int64_t>(W, K - column - (width - 1) * W));
                product.accumulate = !first || line > 0;
                int64_t g = lanes.begin / H, unit = lanes.begin % H;
                for (int64_t i = 0; i < count; ++i) {
                    const int64_t begin = tile_begin(height_in_all, count, i), height = tile_begin(height_in_all, count, i + 1) - begin;
                    float* c[P::rows];
                    for (int64_t r = 0; r < height; ++r) {
                        c[r] = grad + (order[g] * H + unit) * K + column;
                        if (++unit == H) unit = 0, ++g;
                    }
                    product.a = gathered + line * LANES + begin * lane_words;
                    product.c = c;
                    run_tile(product, height, width);
                }
            }
        }
    }

    // Lines of some lanes side by side: of a panel there are fewer than a tile is high, and they lie so far apart, by powers of
    // two, that the nearest cache holds few of them.
    void gather(const Chunk& chunk, int plane, int64_t lane, int64_t end, Word* to) const {
        for (int64_t n; lane < end; lane += n, to += n * lane_words) {
            const int64_t g = lane / H, unit = lane % H;
            const int panel = panel_of(unit);
            const int64_t inside = unit - Base::unit(panel), stride = lines_stride(panel);
            n = smaller(Base::units(panel) - inside, end - lane);
            const Word* from = lines(panel, chunk) + ((plane + g) * panels.width(panel) * W + inside) * lane_words;
            for (int64_t line = 0; line < P::words(chunk.count); line += lane_words)
                for (int64_t at = 0; at < n * lane_words; at += W) {
                    const int there = static_cast<int>(smaller<int64_t>(W, n * lane_words - at));
                    store_first(to + line * LANES + at, load_first(from + line * stride + at, there), there);
                }
        }
    }

    int panel_of(int64_t unit) const {
        int panel = static_cast<int>(unit / W * panels.count / panels.vectors);
        while (Base::unit(panel) > unit) --panel;
        while (panel + 1 < panels.count && Base::unit(panel + 1) <= unit) ++panel;
        return panel;
    }

    // Some panels of gates at a time, so that their part of W_ih stays in first-level cache for all rows.
    void input_gradients(const Chunk& chunk, Span* spans, int thread, int team) {
        for (int p = 0; p < panels.count; ++p) spans[p] = span(p, 0, chunk);
        const Share share = chunk.shared(chunk.count, thread, team, apart_);
        for (int j = 0; j < x_columns_.count; ++j) {
            const int width = x_columns_.width(j);
            const int64_t column = static_cast<int64_t>(x_columns_.begin(j)) * W;
            const int last = static_cast<int>(smaller<int64_t>(W, D - column - (width - 1) * W));
            const Word* b = weight_ih_ + column * panels.vectors * side_words;
            for (int p = 0, next; p < panels.count; p = next) {
                int64_t words = 0;
                for (next = p; next < panels.count && (next == p || words + spans[next].words <= 128); ++next)
                    words += spans[next].words;
                int64_t step = 0;
                const int64_t count = tiles(share.end - share.begin, tile_rows<P>(width));
                for (int64_t i = 0; i < count; ++i) {
                    const int64_t begin = share.begin + tile_begin(share.end - share.begin, count, i);
                    const int64_t height = share.begin + tile_begin(share.end - share.begin, count, i + 1) - begin;
                    float* c[P::rows];
                    for (int64_t r = 0; r < height; ++r) {
                        while (begin + r >= chunk.start[step + 1]) ++step;
                        c[r] = grad_x(chunk.begin + step, chunk.rows.row(begin + r - chunk.start[step])) + column;
                    }
                    run_tile(SpansProduct<P>{spans + p, next - p, begin, 1, b, c, last, p > 0}, height, width);
                }
                b += words * width * W;
            }
        }
    }

    // What each thread summed apart, into the caller's; once all are done.
    void add_up_weights(int thread, int team) {
        if (!apart_ || !run.grad_weight_ih || schedule.steps == 0) return;
        const Share rows = Share::of(G * H, thread, team);
        for (int other = 1; other < team; ++other) {
            add(run.grad_weight_ih, grad_weights(other), rows.begin * D, rows.end * D);
            add(run.grad_weight_hh, grad_weights(other) + G * H * D, rows.begin * H, rows.end * H);
        }
    }

    static void add(float* to, const float* from, int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i += W) {
            const int n = static_cast<int>(smaller<int64_t>(W, end - i));
            store_first(to + i, load_first(to + i, n) + load_first(from + i, n), n);
        }
    }

    const Panels x_columns_, h_columns_;
    bool apart_;  // each thread works off chunks of its own
    int64_t chunk_steps_;

private:
    Word *weight_ih_, *gates_, *gate_lines_, *x_, *h_, *gathered_;
    float *fed_, *grad_weights_;
    int64_t* row_start_;
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
