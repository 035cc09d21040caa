// The product of two matrices of float32: compiled once for each instruction set.
//
// In blocks: the second factor is packed in blocks of some lines by panels of columns, and multiplied with tiles of rows of the first.
// Every sum is one chain over a block's lines, added to those of the blocks before.
//
// By dots: for few rows, or just one, by a second factor that lies transposed and is read where it is. Every sum is as many chains as a
// vector is wide, added up at the end.
//
// Either way a sum has the same bits whatever other rows and columns there are.
#include "kernels.h"
#include "products.h"
#include "schedule.h"
#include "threads.h"

namespace ostinato {
namespace OSTINATO_ISA {

namespace {

using P = Single;

constexpr int64_t DEPTH = 384;   // lines of a block: a panel of them stays in a core's second-level cache
constexpr int64_t HEIGHT = 96;   // rows of the first factor that are multiplied with one panel after the other
constexpr int FEW_PANELS = 8;    // for a thread: with fewer, threads share rows, and pack the second factor together

// Some rows of a block of the first factor, as it lies in memory or transposed, by one panel of the second.
struct BlockProduct {
    using Precision = P;
    const Word* a;
    int64_t stride;
    const Word* b;
    int64_t words;
    const float* bias;  // null for zeros
    float* c;
    int64_t c_stride;
    int last;  // floats of a row's last vector that exist in memory
    bool transposed, accumulate;

    template <int R, int NV>
    static void tile(const BlockProduct& p) {
        V acc[R][NV];
        float* c[R];
        for (int r = 0; r < R; ++r) c[r] = p.c + r * p.c_stride;
        fill_tile(acc, p.bias);
        if (p.transposed) {
            multiply_transposed<P>(acc, p.a, p.stride, p.b, p.words);
        } else {
            const Word* a[R];
            for (int r = 0; r < R; ++r) a[r] = p.a + r * p.stride;
            multiply<P>(acc, a, p.b, p.words);
        }
        if (p.accumulate) add_tile(acc, c, p.last);
        store_tile(acc, c, p.last);
    }
};

// Rows of the first factor that come next, asked of farther caches or memory bit by bit while others are multiplied: in a wide
// matrix each is on a page of its own, where the processor does not foresee it.
struct Ahead {
    const float* from;
    int64_t rows, floats, stride;

    void ask(int64_t part, int64_t parts) const {
        constexpr int64_t LINE = 16;
        for (int64_t row = rows * part / parts; row < rows * (part + 1) / parts; ++row)
            for (int64_t at = 0; at < floats; at += LINE) __builtin_prefetch(from + row * stride + at, 0, 2);
    }
};

// The sums of R * C pairs of a row of the first factor and a row of the second, transposed one.

template <int R, int C>
static void dots_tile(const ostinato_matmul& run, int64_t m, int64_t n) {
    constexpr int COUNT = (R * C + W - 1) / W * W;
    V sums[COUNT];
    for (V& sum : sums) sum = broadcast(0.0f);
    const float *a[R], *b[C];
    for (int r = 0; r < R; ++r) a[r] = run.a + (m + r) * run.a_stride;
    for (int c = 0; c < C; ++c) b[c] = run.b + (n + c) * run.b_stride;
    const auto add = [&](auto&& read) {
        V columns[C];
#pragma GCC unroll 16
        for (int c = 0; c < C; ++c) columns[c] = read(b[c]);
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) {
            const V row = read(a[r]);
#pragma GCC unroll 16
            for (int c = 0; c < C; ++c) sums[r * C + c] = fma(row, columns[c], sums[r * C + c]);
        }
    };
    int64_t k = 0;
    for (; k + W <= run.K; k += W) add([k](const float* p) { return load(p + k); });
    if (k < run.K) add([k, left = static_cast<int>(run.K - k)](const float* p) { return load_first(p + k, left); });
    float found[COUNT];
    for (int group = 0; group < COUNT; group += W) {
        V block[W];
        for (int i = 0; i < W; ++i) block[i] = sums[group + i];
        transpose(block);
        V total = block[0];
        for (int i = 1; i < W; ++i) total = total + block[i];
        store(found + group, total);
    }
    for (int r = 0; r < R; ++r) {
        float* to = run.c + (m + r) * run.c_stride + n;
        for (int c = 0; c < C; ++c) to[c] = (run.add ? to[c] : 0.0f) + ((run.bias ? run.bias[n + c] : 0.0f) + found[r * C + c]);
    }
}

template <int R, int C>
static void dots_rows(const ostinato_matmul& run, int64_t m, int64_t begin, int64_t end) {
    int64_t n = begin;
    for (; n + C <= end; n += C) dots_tile<R, C>(run, m, n);
    for (; n < end; ++n) dots_tile<R, 1>(run, m, n);
}

// Columns that lie in the nearest cache are multiplied with all rows before others are read.
static void dots(const ostinato_matmul& run, int thread, int team) {
    constexpr int64_t TOGETHER = 16;
    constexpr int ROWS = 4, COLUMNS_OF_ROWS = 4;
    const Share own = Share::of(run.N, thread, team);
    for (int64_t n = own.begin; n < own.end; n += TOGETHER) {
        const int64_t end = smaller(n + TOGETHER, own.end);
        int64_t m = 0;
        for (; m + ROWS <= run.M; m += ROWS) dots_rows<ROWS, COLUMNS_OF_ROWS>(run, m, n, end);
        for (; m < run.M; ++m) dots_rows<1, W>(run, m, n, end);
    }
}

class Matmul {
public:
    explicit Matmul(const ostinato_matmul& r)
        : run(r), panels_(Panels::of(r.N, COLUMNS)), by_columns_(!r.transposed_a && panels_.count >= FEW_PANELS * r.threads) {
        const double work = static_cast<double>(run.M) * run.N * run.K;
        threads_ = static_cast<int>(smaller<int64_t>(run.threads, 1 + static_cast<int64_t>(work / 1e5)));
        Carver scratch(run.workspace);
        if (run.dots) return;
        const int64_t panel = smaller(run.K, DEPTH) * W, line = panels_.vectors;
        bias_ = scratch.take<float>(line * W);
        packed_words_ = ceil_div(panel * (by_columns_ ? COLUMNS : line), 16) * 16;
        packed_ = scratch.take<Word>(packed_words_ * (by_columns_ ? threads_ : 2));
        rows_ = scratch.take<Word>(run.transposed_a ? threads_ * HEIGHT * DEPTH : 0);
        bytes = scratch.used();
    }

    void compute() {
        if (!run.M) return;
        in_parallel(threads_, [this](int thread, int team) {
            if (run.dots) return dots(run, thread, team);
            by_columns_ ? columns(thread, team) : rows(thread, team);
        });
    }

    int64_t bytes = 0;

private:
    int64_t column(int panel) const { return static_cast<int64_t>(panels_.begin(panel)) * W; }

    // A panel's lines from k on. The number of columns is W in all its vectors but the last of all.
    void pack(int panel, int64_t k, int64_t lines, Word* to) const {
        const int width = panels_.width(panel);
        const int64_t first = column(panel);
        if (run.transposed_b) {
            for (int v = 0; v < width; ++v) {
                const int64_t n = first + v * W;
                pack_transposed<P>(run.b + n * run.b_stride + k, smaller<int64_t>(W, run.N - n), lines, to + v * W, width * W, run.b_stride);
            }
        } else {
            for (int64_t line = 0; line < lines; ++line)
                pack_line<P>({run.b + (k + line) * run.b_stride + first}, run.N - first, to + line * width * W, width, line);
        }
    }

    // Rows from `begin` to `end` by a packed panel; `a` is the first of them.
    void multiply_rows(int panel, int64_t begin, int64_t end, const Word* a, int64_t stride, const Word* b, int64_t k, int64_t lines,
                       const Ahead& next = {}) const {
        const int width = panels_.width(panel);
        const int last = static_cast<int>(smaller<int64_t>(W, run.N - column(panel) - (width - 1) * W));
        const int64_t count = tiles(end - begin, tile_rows<P>(width));
        for (int64_t i = 0; i < count; ++i) {
            const int64_t from = tile_begin(end - begin, count, i), to = tile_begin(end - begin, count, i + 1);
            float* c = run.c + (begin + from) * run.c_stride + column(panel);
            next.ask(panel * count + i, panels_.count * count);
            const float* bias = k || !run.bias ? nullptr : bias_ + column(panel);
            const int64_t first = from * (run.transposed_a ? 1 : stride);
            run_tile(BlockProduct{a + first, stride, b, lines, bias, c, run.c_stride, last, run.transposed_a != 0, k || run.add}, to - from, width);
        }
    }

    void columns(int thread, int team) const {
        Word* packed = packed_ + thread * packed_words_;
        const Share own = Share::of(panels_.count, thread, team);
        for (int p = static_cast<int>(own.begin); p < own.end; ++p) {
            if (run.bias) copy_padded(run.bias + column(p), run.N - column(p), bias_ + column(p), panels_.width(p));
            for (int64_t k = 0; k == 0 || k < run.K; k += DEPTH) {
                const int64_t lines = smaller(run.K - k, DEPTH);
                pack(p, k, lines, packed);
                multiply_rows(p, 0, run.M, run.a + k, run.a_stride, packed, k, lines);
            }
        }
    }

    // Two blocks of the second factor: while one thread is still at work on one, another may pack the next.
    void rows(int thread, int team) {
        const Share own = Share::of(run.M, thread, team), share = Share::of(panels_.count, thread, team);
        Word* gathered = rows_ + thread * HEIGHT * DEPTH;
        if (run.bias && thread == 0) copy_padded(run.bias, run.N, bias_, panels_.vectors);
        for (int64_t k = 0; k == 0 || k < run.K; k += DEPTH) {
            const int64_t lines = smaller(run.K - k, DEPTH);
            Word* packed = packed_ + k / DEPTH % 2 * packed_words_;
            for (int p = static_cast<int>(share.begin); p < share.end; ++p) pack(p, k, lines, packed + column(p) * lines);
            barrier_.wait(team);
            for (int64_t m = own.begin; m < own.end; m += HEIGHT) {
                const int64_t end = smaller(m + HEIGHT, own.end);
                const Word* a = run.a + m * run.a_stride + k;
                if (run.transposed_a) {
                    for (int64_t line = 0; line < lines; ++line) copy(gathered + line * HEIGHT, run.a + (k + line) * run.a_stride + m, end - m);
                    a = gathered;
                }
                const int64_t stride = run.transposed_a ? HEIGHT : run.a_stride;
                const Ahead next = end < own.end ? ahead(k, end, own.end) : ahead(k + DEPTH, own.begin, own.end);
                for (int p = 0; p < panels_.count; ++p) multiply_rows(p, m, end, a, stride, packed + column(p) * lines, k, lines, next);
            }
        }
    }

    // Of the rows from m on, as far as they are worked on together, the numbers from k on.
    Ahead ahead(int64_t k, int64_t m, int64_t end) const {
        const int64_t rows = smaller(end - m, HEIGHT), lines = smaller(run.K - k, DEPTH);
        if (lines <= 0) return {};
        if (run.transposed_a) return {run.a + k * run.a_stride + m, lines, rows, run.a_stride};
        return {run.a + m * run.a_stride + k, rows, lines, run.a_stride};
    }

    const ostinato_matmul& run;
    const Panels panels_;
    const bool by_columns_;
    int threads_;
    float* bias_;
    int64_t packed_words_;
    Word *packed_, *rows_;
    Barrier barrier_;
};

}  // namespace

extern const MatmulKernels matmul;
const MatmulKernels matmul = {
    [](const ostinato_matmul& run) { return Matmul(run).bytes; },
    [](const ostinato_matmul& run) { Matmul(run).compute(); },
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
