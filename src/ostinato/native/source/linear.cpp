// A linear layer whose weights are of 8 bits, over M rows: compiled once for each way to multiply bytes.
#include "bytes.h"
#include "kernels.h"
#include "products.h"
#include "schedule.h"
#include "threads.h"

namespace ostinato {
namespace OSTINATO_ISA {

namespace {

// Rows by pointer, as RowsProduct; `last` floats of the last vector exist in memory.
struct QuantisedRows {
    using Precision = Bytes;
    const Word* a;
    int64_t stride;
    const Word* b;
    int64_t words;
    const float* bias;
    float* c;
    int64_t c_stride;
    int last;

    template <int R, int NV>
    static void tile(const QuantisedRows& p) {
        V acc[R][NV];
        const Word* a[R];
        float* c[R];
        for (int r = 0; r < R; ++r) a[r] = p.a + r * p.stride, c[r] = p.c + r * p.c_stride;
        multiply_quantised<Bytes>(acc, a, p.b, p.words);
        add_row(acc, p.bias);
        store_tile(acc, c, p.last);
    }
};

class Linear {
public:
    explicit Linear(const ostinato_linear& r)
        : run(r), words_(Bytes::words(r.D)), stride_(ceil_div(words_ + Bytes::behind, W) * W), panels_(Panels::of(r.V, COLUMNS)) {
        Carver packed(run.packed), scratch(run.workspace);
        weight_ = packed.take<Word>((words_ + 1) * panels_.vectors * W);
        bias_ = packed.take<float>(static_cast<int64_t>(panels_.vectors) * W);
        rows_ = scratch.take<Word>(run.M * stride_);
        packed_bytes = packed.used(), bytes = scratch.used();
        const double work = static_cast<double>(run.M) * run.D * run.V;
        threads_ = static_cast<int>(smaller<int64_t>(run.threads, 1 + static_cast<int64_t>(work / 2e5)));
    }

    void pack_all() const {
        in_parallel(static_cast<int>(run.threads), [this](int thread, int team) {
            const Share own = Share::of(panels_.count, thread, team);
            for (int p = static_cast<int>(own.begin); p < own.end; ++p) {
                const int width = panels_.width(p);
                for (int v = 0; v < width; ++v) {
                    const int64_t column = static_cast<int64_t>(panels_.begin(p) + v) * W;
                    Bytes::pack(run.weight + column * run.D, smaller<int64_t>(W, run.V - column), run.D, weight(p) + v * W, width * W);
                }
            }
            if (thread == 0) copy_padded(run.bias, run.V, bias_, panels_.vectors);
        });
    }

    void compute() {
        in_parallel(threads_, [this](int thread, int team) {
            const Share rows = Share::of(run.M, thread, team);
            for (int64_t m = rows.begin; m < rows.end; ++m) Bytes::quantise(run.x + m * run.D, run.D, rows_ + m * stride_);
            barrier_.wait(team);
            const Share own = Share::of(panels_.count, thread, team);
            for (int p = static_cast<int>(own.begin); p < own.end; ++p) multiply_panel(p);
            leave_tiles();
        });
    }

    int64_t packed_bytes, bytes;

private:
    Word* weight(int panel) const { return weight_ + static_cast<int64_t>(panels_.begin(panel)) * W * (words_ + 1); }

    void multiply_panel(int panel) const {
        const int width = panels_.width(panel);
        const int64_t column = static_cast<int64_t>(panels_.begin(panel)) * W;
        const int last = within(run.V - column - (width - 1) * W);
        const int64_t count = tiles(run.M, tile_rows<Bytes>(width));
        for (int64_t i = 0; i < count; ++i) {
            const int64_t begin = tile_begin(run.M, count, i), height = tile_begin(run.M, count, i + 1) - begin;
            run_tile(QuantisedRows{rows_ + begin * stride_, stride_, weight(panel), words_, bias_ + column,
                                   run.output + begin * run.V + column, run.V, last}, height, width);
        }
    }

    const ostinato_linear& run;
    const int64_t words_, stride_;
    const Panels panels_;
    Word *weight_, *rows_;
    float* bias_;
    int threads_;
    Barrier barrier_;
};

}  // namespace

extern const LinearKernels linear;
const LinearKernels linear = {
    [](const ostinato_linear& run) { return Linear(run).bytes; },
    [](const ostinato_linear& run) { return Linear(run).packed_bytes; },
    [](const ostinato_linear& run) { Linear(run).pack_all(); },
    [](const ostinato_linear& run) { Linear(run).compute(); },
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
