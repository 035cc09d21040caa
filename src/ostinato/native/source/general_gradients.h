// Gradients of the weights of compiled cells, from those of a chunk of steps: sums over its rows, by matrix and by vector.
#pragma once

#include "general_chunks.h"

namespace ostinato {
namespace OSTINATO_ISA {

class GeneralGradients : protected GeneralChunks {
protected:
    using GeneralChunks::GeneralChunks;

    template <class P>
    void weight_gradients(const Chunk& chunk, const Part& part) {
        if (P::converts) collect_gradients<P>(chunk, part);
        const ostinato_weight_gradient* collected = nullptr;
        for (int64_t i = 0; i < run.weight_gradients; ++i) {
            const ostinato_weight_gradient& wanted = run.weight_gradient[i];
            if (!run.grad_matrix[wanted.matrix]) continue;
            if (!collected || collected->space != wanted.space || collected->offset != wanted.offset || collected->width != wanted.width) {
                if (collected) meet(part);
                collect<P>(chunk, wanted, part);
                meet(part);
                collected = &wanted;
            }
            weight_gradient<P>(chunk, wanted, part);
        }
        meet(part);
    }

    // An operand of the chunk's steps as lines of words, in panels of columns.
    template <class P>
    void collect(const Chunk& chunk, const ostinato_weight_gradient& wanted, const Part& part) {
        const int64_t words = P::words(chunk.count);
        const Share share = shared(words / P::lines, part.thread, part.team);
        const Panels panels = Panels::of(wanted.width, COLUMNS);
        int64_t step = 0;
        for (int64_t i = share.begin * P::lines; i < share.end * P::lines; ++i) {
            const float* from[P::depth];
            for (int64_t d = 0, row = P::number(i); d < P::depth; ++d, ++row) {
                from[d] = nullptr;
                if (row >= chunk.count) continue;
                while (row >= part.start[step + 1]) ++step;
                while (row < part.start[step]) --step;  // a block's smaller parts follow the larger
                const int64_t n = part.segment.row(row - part.start[step]);
                from[d] = operand(wanted, time(chunk.done + step), n, part.chunk + row * run.backward.chunk_size);
            }
            for (int p = 0; p < panels.count; ++p) {
                const int64_t column = static_cast<int64_t>(panels.begin(p)) * W;
                const float* rows[P::depth];
                for (int d = 0; d < P::depth; ++d) rows[d] = from[d] ? from[d] + column : nullptr;
                pack_line<P>(rows, wanted.width - column, part.operand + column * words + i * panels.width(p) * W, panels.width(p), i);
            }
        }
    }

    // The chunk's rows as lines of words; for tiles, W lines at a time as columns: [numbers of a row][W].
    template <class P>
    static constexpr int lane_words = P::tiled ? W : 1;
    template <class P>
    void collect_gradients(const Chunk& chunk, const Part& part) {
        constexpr int count = P::tiled ? W : 1;
        const int64_t size = run.backward.chunk_size;
        const Share share = shared(P::words(chunk.count) / count, part.thread, part.team);
        for (int64_t i = share.begin * count; i < share.end * count; i += count)
            for (int64_t k = 0; k < size; k += W) {
                V block[count];
                for (int l = 0; l < count; ++l) {
                    const float* rows[P::depth];
                    for (int64_t d = 0, row = P::number(i + l); d < P::depth; ++d, ++row)
                        rows[d] = row < chunk.count ? part.chunk + row * size : nullptr;
                    block[l] = P::line(rows, k, W, i + l);
                }
                if constexpr (P::tiled) transpose(block);
                for (int l = 0; l < count; ++l) store(part.gradients + i * size + (k + l) * lane_words<P>, block[l]);
            }
    }

    const float* operand(const ostinato_weight_gradient& wanted, int64_t t, int64_t n, const float* chunk) const {
        switch (wanted.space) {
            case OSTINATO_BEFORE: return kept_before(t, n) + wanted.offset;
            case OSTINATO_KEPT: return kept(t, n) + wanted.offset;
            case OSTINATO_CHUNK: return chunk + wanted.offset;
            default: return input_at(wanted.offset, t, n);
        }
    }

    float* matrix_gradient(int64_t m, int thread) const {
        if (by_units || thread == 0) return run.grad_matrix[m];
        float* at = matrices_ + (thread - 1) * matrices_size_;
        for (int64_t i = 0; i < m; ++i) at += run.matrix_shape[2 * i] * run.matrix_shape[2 * i + 1];
        return at;
    }

    template <class P>
    void weight_gradient(const Chunk& chunk, const ostinato_weight_gradient& wanted, const Part& part) {
        const Share share = shared(wanted.rows, part.thread, part.team);
        const int64_t K = run.matrix_shape[2 * wanted.matrix + 1], stride = run.backward.chunk_size;
        float* grad = matrix_gradient(wanted.matrix, part.thread) + wanted.row * K + wanted.column;
        const Panels panels = Panels::of(wanted.width, COLUMNS);
        const int64_t words = P::words(chunk.count);
        for (int p = 0; p < panels.count; ++p) {
            const int width = panels.width(p);
            const int64_t column = static_cast<int64_t>(panels.begin(p)) * W;
            const int64_t block = (32 << 10) / (4 * width * W) / P::lines * P::lines;  // lines that stay in first-level cache
            for (int64_t line = 0; line < words; line += block)
                each_tile<P>(share.end - share.begin, width, [&](int64_t begin, int64_t height) {
                    begin += share.begin;
                    float* c[P::rows];
                    for (int64_t r = 0; r < height; ++r) c[r] = grad + (begin + r) * K + column;
                    const Word* a = (P::converts ? part.gradients : part.chunk) + line * stride + (wanted.plane + begin) * lane_words<P>;
                    run_tile(TransposedProduct<P>{a, stride, part.operand + column * words + line * width * W, smaller(block, words - line), c,
                                                  within(wanted.width - column - (width - 1) * W), true}, height, width);
                });
        }
    }

    void vector_gradients(const Chunk& chunk, const Part& part) {
        const Share share = by_units && part.thread ? Share{0, 0} : Share{0, run.vector_gradients};
        float* to = by_units ? sums_ : part.sums;
        for (int64_t i = 0; i < run.vector_gradients; to += plane(run.vector_gradient[i++].width)) {
            if (i < share.begin || i >= share.end) continue;
            const ostinato_vector_part& wanted = run.vector_gradient[i];
            if (i > share.begin && run.vector_gradient[i - 1].plane == wanted.plane) continue;  // as of two biases of one gate
            for (int64_t at = 0; at < wanted.width; at += 16) {  // a line of cache at a time
                constexpr int line = 16 / W;
                V sum[line];
                for (V& one : sum) one = broadcast(0.0f);
                const float* from = part.chunk + wanted.plane + at;
                for (int64_t r = 0; r < chunk.count; ++r, from += run.backward.chunk_size)
                    for (int v = 0; v < line; ++v) sum[v] = sum[v] + load(from + v * W);
                for (int v = 0; v < line; ++v) store(to + at + v * W, load(to + at + v * W) + sum[v]);
            }
        }
    }

    void finish_vectors(int copies) const {
        for (int64_t v = 0; v < run.vectors; ++v)
            if (run.grad_vector[v]) zero(run.grad_vector[v], run.vector_width[v]);
        const float *from = sums_, *next = sums_;
        for (int64_t i = 0; i < run.vector_gradients; next += plane(run.vector_gradient[i++].width)) {
            const ostinato_vector_part& part = run.vector_gradient[i];
            if (!i || run.vector_gradient[i - 1].plane != part.plane) from = next;
            for (int copy = 0; copy < copies && run.grad_vector[part.vector]; ++copy)
                add(run.grad_vector[part.vector] + part.begin, from + copy * sums_size_, {0, part.width});
        }
    }

    static void add(float* to, const float* from, Share own) {
        for (int64_t at = own.begin; at < own.end; at += W) {
            const int there = within(own.end - at);
            store_first(to + at, load_first(to + at, there) + load_first(from + at, there), there);
        }
    }
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
