// Calls the C interface with buffers of exactly the documented sizes, as the sanitizers want it, and compares with a plain
// loop in double precision: outputs and final states number by number, each gradient along a random direction with the
// difference quotient of the loop. Built and run by `make sanitize`.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "ostinato.h"

namespace {

using Doubles = std::vector<double>;

struct Random {
    uint64_t state = 1;
    uint64_t bits() {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        return state;
    }
    int64_t below(int64_t n) { return static_cast<int64_t>(bits() >> 11) % n; }
    bool chance() { return bits() >> 40 & 1; }
    double symmetric() { return static_cast<double>(bits() >> 11) / (1ull << 52) - 1; }
    Doubles numbers(int64_t n, double scale = 1) {
        Doubles found(n);
        for (double& x : found) x = scale * symmetric();
        return found;
    }
};

// A block of exactly n elements on the heap, all bits set: NaN until it is written.
template <class A>
struct Block {
    A* data;
    int64_t size;
    explicit Block(int64_t n) : size(n) {
        void* raw = nullptr;
        if (posix_memalign(&raw, 64, n ? n * sizeof(A) : 1)) std::abort();
        data = static_cast<A*>(raw);
        std::memset(raw, 0xff, n * sizeof(A));
    }
    explicit Block(const Doubles& from) : Block(static_cast<int64_t>(from.size())) {
        for (int64_t i = 0; i < size; ++i) data[i] = static_cast<A>(from[i]);
    }
    Block(const Block&) = delete;
    ~Block() { std::free(data); }
};

struct Case {
    std::string cell;
    int64_t N, T, D, H, threads, split;
    bool reverse, ragged, bias, noise, rest;  // rest: every gradient and pointer that may be left out is there

    bool memory() const { return cell.rfind("lstm", 0) == 0; }
    int64_t gates() const { return memory() ? 4 : cell.rfind("gru", 0) == 0 ? 3 : 1; }
    int64_t extra() const { return cell == "lstm_peephole" ? 3 : 0; }
};

// All that a result depends on, and how it is weighed into one number.
struct Numbers {
    enum { X, WEIGHT_IH, WEIGHT_HH, BIAS_IH, BIAS_HH, EXTRA, H0, C0, LEAVES };
    Doubles leaf[LEAVES], mask, zoneout_h, zoneout_c, up_output, up_h, up_c;
    std::vector<int64_t> lengths;
};
const char* const leaf_names[] = {"x", "weight_ih", "weight_hh", "bias_ih", "bias_hh", "extra", "h0", "c0"};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

struct Loop {
    const Case& c;
    const Numbers& n;
    Doubles output, h, m;

    Loop(const Case& which, const Numbers& numbers)
        : c(which), n(numbers), output(c.T * c.N * c.H), h(n.leaf[Numbers::H0]), m(n.leaf[Numbers::C0]) {
        for (int64_t row = 0; row < c.N; ++row)
            for (int64_t i = 0; i < n.lengths[row]; ++i) step(c.reverse ? n.lengths[row] - 1 - i : i, row);
    }

    // A gate's product with the input or with what is fed back, bias included.
    double product(int side, int64_t gate, int64_t unit, const double* with, int64_t K) const {
        const Doubles& bias = n.leaf[side + 2];
        const int64_t row = gate * c.H + unit;
        double sum = bias.empty() ? 0 : bias[row];
        for (int64_t k = 0; k < K; ++k) sum += n.leaf[side][row * K + k] * with[k];
        return sum;
    }

    void step(int64_t t, int64_t row) {
        const Doubles before(h.begin() + row * c.H, h.begin() + (row + 1) * c.H);
        Doubles fed = before;
        for (int64_t u = 0; u < c.H && !n.mask.empty(); ++u) fed[u] *= n.mask[row * c.H + u];
        for (int64_t u = 0; u < c.H; ++u) {
            double in[4], rec[4];
            for (int64_t g = 0; g < c.gates(); ++g) {
                in[g] = product(Numbers::WEIGHT_IH, g, u, &n.leaf[Numbers::X][(t * c.N + row) * c.D], c.D);
                rec[g] = product(Numbers::WEIGHT_HH, g, u, fed.data(), c.H);
            }
            double memory = c.memory() ? m[row * c.H + u] : 0;
            const double old = memory, after = unit(u, in, rec, before[u], memory);
            const int64_t at = (t * c.N + row) * c.H + u;
            const double stay = n.zoneout_h.empty() ? 0 : n.zoneout_h[at];
            output[at] = h[row * c.H + u] = after + stay * (before[u] - after);
            if (c.memory()) m[row * c.H + u] = memory + (n.zoneout_c.empty() ? 0 : n.zoneout_c[at]) * (old - memory);
        }
    }

    double unit(int64_t u, const double* in, const double* rec, double before, double& memory) const {
        if (c.cell == "rnn") return std::tanh(in[0] + rec[0]);
        if (c.cell == "rnn_relu") return std::fmax(0, in[0] + rec[0]);
        if (c.cell == "gru") {
            const double r = sigmoid(in[0] + rec[0]), z = sigmoid(in[1] + rec[1]), new_ = std::tanh(in[2] + r * rec[2]);
            return (1 - z) * new_ + z * before;
        }
        double peep[3] = {};
        for (int64_t e = 0; e < c.extra(); ++e) peep[e] = n.leaf[Numbers::EXTRA][e * c.H + u];
        const double i = sigmoid(in[0] + rec[0] + peep[0] * memory), f = sigmoid(in[1] + rec[1] + peep[1] * memory);
        memory = f * memory + i * std::tanh(in[2] + rec[2]);
        return sigmoid(in[3] + rec[3] + peep[2] * memory) * std::tanh(memory);
    }

    double weighed() const {
        double sum = 0;
        for (size_t i = 0; i < output.size(); ++i) sum += output[i] * n.up_output[i];
        for (size_t i = 0; i < h.size(); ++i) sum += h[i] * n.up_h[i];
        for (size_t i = 0; i < m.size(); ++i) sum += m[i] * n.up_c[i];
        return sum;
    }
};

Numbers draw(const Case& c, Random& random) {
    Numbers n;
    const int64_t rows = c.gates() * c.H, state = c.N * c.H;
    const double scale = 1.5 / std::sqrt(static_cast<double>(c.H));
    n.leaf[Numbers::X] = random.numbers(c.T * c.N * c.D);
    n.leaf[Numbers::WEIGHT_IH] = random.numbers(rows * c.D, 1 / std::sqrt(static_cast<double>(c.D)));
    n.leaf[Numbers::WEIGHT_HH] = random.numbers(rows * c.H, scale);
    n.leaf[Numbers::BIAS_IH] = random.numbers(c.bias ? rows : 0, scale);
    n.leaf[Numbers::BIAS_HH] = random.numbers(c.bias ? rows : 0, scale);
    n.leaf[Numbers::EXTRA] = random.numbers(c.extra() * c.H);
    n.leaf[Numbers::H0] = random.numbers(state);
    n.leaf[Numbers::C0] = random.numbers(c.memory() ? state : 0);
    if (c.noise) {
        n.mask = random.numbers(state), n.zoneout_h = random.numbers(c.T * state, 0.5);
        n.zoneout_c = random.numbers(c.memory() ? c.T * state : 0, 0.5);
    }
    n.up_output = random.numbers(c.T * state), n.up_h = random.numbers(state);
    n.up_c = random.numbers(c.memory() ? state : 0);
    for (int64_t row = 0; row < c.N; ++row) n.lengths.push_back(c.ragged ? random.below(c.T + 1) : c.T);
    for (Doubles* all : {&n.mask, &n.zoneout_h, &n.zoneout_c, &n.up_output, &n.up_h, &n.up_c})
        for (double& x : *all) x = static_cast<float>(x);
    for (Doubles& all : n.leaf)
        for (double& x : all) x = static_cast<float>(x);
    return n;
}

int failures = 0;

void expect(bool holds, const Case& c, const char* isa, const char* what, double found, double expected) {
    if (holds) return;
    if (++failures > 20) return;
    std::printf("%s %s N%lld T%lld D%lld H%lld threads %lld split %lld%s%s%s%s%s: %s is %.9g, expected %.9g\n", isa,
                c.cell.c_str(), (long long)c.N, (long long)c.T, (long long)c.D, (long long)c.H, (long long)c.threads,
                (long long)c.split, c.reverse ? " reverse" : "", c.ragged ? " ragged" : "", c.bias ? "" : " without bias",
                c.noise ? " noise" : "", c.rest ? "" : " least", what, found, expected);
}

void expect_all(const Case& c, const char* isa, const char* what, const Block<float>& found, const Doubles& expected) {
    for (size_t i = 0; i < expected.size(); ++i)
        expect(std::fabs(found.data[i] - expected[i]) <= 2e-5 * (1 + std::fabs(expected[i])), c, isa, what, found.data[i],
               expected[i]);
}

float* or_null(Block<float>& block) { return block.size ? block.data : nullptr; }

void check(const Case& c, int64_t cell, int64_t isa, Random& random) {
    const Numbers n = draw(c, random);
    const char* isa_name = ostinato_isa(isa);
    ostinato_run run{};
    run.cell = cell, run.isa = isa, run.N = c.N, run.T = c.T, run.D = c.D, run.H = run.R = c.H;
    run.extra_rows = c.extra();
    run.threads = c.threads, run.split = c.split, run.reverse = c.reverse;

    // What the padding holds must reach nothing.
    Doubles x = n.leaf[Numbers::X], up = n.up_output;
    for (int64_t t = 0; t < c.T; ++t)
        for (int64_t row = 0; row < c.N; ++row) {
            if (t < n.lengths[row]) continue;
            for (int64_t k = 0; k < c.D; ++k) x[(t * c.N + row) * c.D + k] = NAN;
            for (int64_t u = 0; u < c.H; ++u) up[(t * c.N + row) * c.H + u] = NAN;
        }
    Block<float> in_x(x), w_ih(n.leaf[Numbers::WEIGHT_IH]), w_hh(n.leaf[Numbers::WEIGHT_HH]), b_ih(n.leaf[Numbers::BIAS_IH]),
        b_hh(n.leaf[Numbers::BIAS_HH]), extra(n.leaf[Numbers::EXTRA]), h0(n.leaf[Numbers::H0]), c0(n.leaf[Numbers::C0]),
        mask(n.mask), zoneout_h(n.zoneout_h), zoneout_c(n.zoneout_c);
    Block<int64_t> lengths(c.N);
    for (int64_t row = 0; row < c.N; ++row) lengths.data[row] = n.lengths[row];
    run.lengths = c.ragged ? lengths.data : nullptr;
    run.x = in_x.data, run.x_stride_t = c.N * c.D, run.x_stride_n = c.D;
    run.weight_ih = w_ih.data, run.weight_hh = w_hh.data, run.bias_ih = or_null(b_ih), run.bias_hh = or_null(b_hh);
    run.weight_extra = or_null(extra), run.h0 = h0.data, run.c0 = or_null(c0);
    run.recurrent_mask = or_null(mask), run.zoneout_h = or_null(zoneout_h), run.zoneout_c = or_null(zoneout_c);
    run.zoneout_h_stride_t = run.zoneout_c_stride_t = c.N * c.H, run.zoneout_h_stride_n = run.zoneout_c_stride_n = c.H;

    const int64_t state = c.N * c.H, memory = c.memory() ? state : 0;
    Block<float> output(c.T * state), saved(ostinato_saved_size(cell, c.N, c.T, c.H, c.H, c.noise)), final_h(state), final_c(memory);
    run.output = output.data, run.final_h = final_h.data, run.final_c = or_null(final_c);
    const Loop expected(c, n);
    for (float* kept : {static_cast<float*>(nullptr), saved.data}) {  // for inference, then for training
        run.saved = kept;
        // the second time from weights packed in advance
        Block<char> packed(kept ? ostinato_packed_size(&run) : 0);
        run.packed = kept ? packed.data : nullptr;
        if (kept) expect(ostinato_pack(&run) == OSTINATO_OK, c, isa_name, "status", 1, 0);
        Block<char> workspace(ostinato_workspace_size(&run, 0));
        run.workspace = workspace.data;
        expect(ostinato_forward(&run) == OSTINATO_OK, c, isa_name, "status", 1, 0);
        expect_all(c, isa_name, "output", output, expected.output);
        expect_all(c, isa_name, "final h", final_h, expected.h);
        expect_all(c, isa_name, "final c", final_c, expected.m);
    }

    run.packed = nullptr;
    Block<float> grad_output(up), grad_final_h(n.up_h), grad_final_c(n.up_c);
    run.grad_output = grad_output.data, run.grad_final_h = grad_final_h.data, run.grad_final_c = or_null(grad_final_c);
    Block<float> grad_x(c.rest ? in_x.size : 0), grad_ih(c.rest ? w_ih.size : 0), grad_hh(c.rest ? w_hh.size : 0),
        grad_b_ih(b_ih.size), grad_b_hh(b_hh.size), grad_extra(extra.size), grad_h0(state), grad_c0(memory);
    Block<float>* grads[] = {&grad_x, &grad_ih, &grad_hh, &grad_b_ih, &grad_b_hh, &grad_extra, &grad_h0, &grad_c0};
    run.grad_x = c.rest ? grad_x.data : nullptr;
    run.grad_weight_ih = or_null(grad_ih), run.grad_weight_hh = or_null(grad_hh);
    run.grad_bias_ih = or_null(grad_b_ih), run.grad_bias_hh = or_null(grad_b_hh), run.grad_extra = or_null(grad_extra);
    run.grad_h0 = grad_h0.data, run.grad_c0 = or_null(grad_c0);
    Block<char> workspace(ostinato_workspace_size(&run, 1));
    run.workspace = workspace.data;
    expect(ostinato_backward(&run) == OSTINATO_OK, c, isa_name, "status", 1, 0);
    for (int leaf = 0; leaf < Numbers::LEAVES; ++leaf) {
        const Block<float>& grad = *grads[leaf];
        const Doubles direction = random.numbers(grad.size);
        const double step = 1e-6;
        double found = 0, size = 0, quotient = 0;
        for (int64_t i = 0; i < grad.size; ++i) found += grad.data[i] * direction[i], size += grad.data[i] * grad.data[i];
        for (double sign : {1.0, -1.0}) {
            Numbers moved = n;
            for (int64_t i = 0; i < grad.size; ++i) moved.leaf[leaf][i] += sign * step * direction[i];
            quotient += sign * Loop(c, moved).weighed() / (2 * step);
        }
        const std::string what = std::string("the gradient by ") + leaf_names[leaf] + " along a direction";
        expect(std::fabs(found - quotient) <= 1e-4 * (1 + std::sqrt(size)), c, isa_name, what.c_str(), found, quotient);
    }
}

Case draw_case(const char* cell, Random& random) {
    const int64_t units[] = {1, 3, 8, 15, 16, 17, 33, 49}, features[] = {1, 2, 7, 16, 21};
    Case c{};
    c.cell = cell;
    c.N = random.below(10), c.T = random.below(9), c.D = features[random.below(5)], c.H = units[random.below(8)];
    c.threads = 1 + random.below(3), c.split = random.below(3);
    c.reverse = random.chance(), c.ragged = random.chance(), c.bias = random.chance() || random.chance();
    c.noise = random.chance(), c.rest = random.chance() || random.chance();
    return c;
}

bool has_loop(const std::string& cell) {
    for (const char* known : {"rnn", "rnn_relu", "gru", "lstm", "lstm_peephole"})
        if (cell == known) return true;
    return false;
}

}  // namespace

int main(int argc, char** argv) {
    const int each = argc > 1 ? std::atoi(argv[1]) : 30;
    int64_t checked = 0;
    for (int64_t isa = 0; ostinato_isa(isa); ++isa) {
        if (!ostinato_isa_supported(isa)) {
            std::printf("%s: this machine lacks it, not checked\n", ostinato_isa(isa));
            continue;
        }
        Random random;
        for (int64_t cell = 0; ostinato_cell(cell); ++cell) {
            if (!has_loop(ostinato_cell(cell))) {
                if (isa == 0) std::printf("%s: no plain loop here, not checked\n", ostinato_cell(cell));
                continue;
            }
            for (int i = 0; i < each; ++i, ++checked) check(draw_case(ostinato_cell(cell), random), cell, isa, random);
            // enough work for several threads, and for more than one chunk of steps
            for (int64_t split : {OSTINATO_SPLIT_SEQUENCES, OSTINATO_SPLIT_UNITS}) {
                check({ostinato_cell(cell), 7, 45, 18, 40, 3, split, false, true, true, false, true}, cell, isa, random);
                ++checked;
            }
        }
        std::printf("%s: checked\n", ostinato_isa(isa));
    }
    std::printf("%lld runs forward and backward, %d wrong numbers\n", (long long)checked, failures);
    return failures != 0;
}
