// Calls the C interface with buffers of exactly the documented sizes, as the sanitizers want it, and compares with a plain
// loop in double precision: outputs and final states number by number, each gradient along a random direction with the
// difference quotient of the loop. Built and run by `make sanitize`.
#include <dlfcn.h>

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
    bool reverse, ragged, bias, noise, resets, rest;  // rest: every gradient and pointer that may be left out is there
    int64_t precision = OSTINATO_HIGHEST;

    // How much larger errors may be where factors of products are rounded: what is watched there is memory. Of whole numbers the
    // loop here rounds its own h, which now and then is another one.
    double loose() const {
        return precision == OSTINATO_MEDIUM ? 5000 : precision == OSTINATO_INT8 ? 2000 : precision == OSTINATO_HIGH ? 200 : 1;
    }
    // Whether there is a loop of it here.
    static bool known(const std::string& cell) {
        for (const char* name : {"rnn", "rnn_relu", "jordan", "gru", "gru_reset_before", "lstm", "lstm_peephole", "lstm_projected", "lstm_layer_norm"})
            if (cell == name) return true;
        return false;
    }
    bool memory() const { return cell.rfind("lstm", 0) == 0; }
    bool normal() const { return cell == "lstm_layer_norm"; }
    bool output_layer() const { return cell == "lstm_projected" || cell == "jordan"; }
    int64_t gates() const { return memory() ? 4 : cell.rfind("gru", 0) == 0 ? 3 : 1; }
    int64_t extra() const { return cell == "lstm_peephole" ? 3 : normal() ? 9 + bias : 0; }
    int64_t R() const { return cell == "lstm_projected" ? (2 * H + 2) / 3 : cell == "jordan" ? (H + 3) / 2 : H; }
};

// All that a result depends on, and how it is weighed into one number.
struct Numbers {
    enum { X, WEIGHT_IH, WEIGHT_HH, BIAS_IH, BIAS_HH, EXTRA, WEIGHT_OUT, BIAS_OUT, H0, C0, RESET_H, RESET_C, LEAVES };
    Doubles leaf[LEAVES], mask, zoneout_h, zoneout_c, up_output, up_h, up_c, up_states_c;
    std::vector<int64_t> lengths;
    std::vector<uint8_t> resets;
};
const char* const leaf_names[] = {"x",     "weight_ih",  "weight_hh", "bias_ih", "bias_hh",
                                  "extra", "weight_out", "bias_out",  "h0",      "c0",      "reset_h", "reset_c"};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// Layer normalisation of v, times a gain.
void normalise(Doubles& v, const double* gain) {
    double mean = 0, variance = 0;
    for (double x : v) mean += x / static_cast<double>(v.size());
    for (double x : v) variance += (x - mean) * (x - mean) / static_cast<double>(v.size());
    for (size_t i = 0; i < v.size(); ++i) v[i] = gain[i] * (v[i] - mean) / std::sqrt(variance + 1e-5);
}

struct Loop {
    const Case& c;
    const Numbers& n;
    const int64_t H, R, G;
    Doubles output, h, m, states_c;

    Loop(const Case& which, const Numbers& numbers)
        : c(which), n(numbers), H(c.H), R(c.R()), G(c.gates()), output(c.T * c.N * R), h(n.leaf[Numbers::H0]),
          m(n.leaf[Numbers::C0]), states_c(c.memory() ? c.T * c.N * H : 0) {
        for (int64_t row = 0; row < c.N; ++row)
            for (int64_t i = 0; i < n.lengths[row]; ++i) step(c.reverse ? n.lengths[row] - 1 - i : i, row);
    }

    // K numbers as what the steps stand for that they are rounded to.
    Doubles factor(const double* numbers, int64_t K) const {
        Doubles found(numbers, numbers + K);
        if (c.precision != OSTINATO_INT8) return found;
        float largest = 0;
        for (double x : found) largest = std::fmax(largest, std::fabs(static_cast<float>(x)));
        for (double& x : found) x = largest > 0 ? std::nearbyint(static_cast<float>(x) * (127 / largest)) * (largest / 127) : 0;
        return found;
    }
    // Rows of a matrix times a vector.
    Doubles product(const Doubles& matrix, int64_t first, int64_t rows, const double* vector, int64_t K) const {
        Doubles sums(rows);
        const Doubles with = factor(vector, K);
        for (int64_t i = 0; i < rows; ++i) {
            const Doubles row = factor(&matrix[(first + i) * K], K);
            for (int64_t k = 0; k < K; ++k) sums[i] += row[k] * with[k];
        }
        return sums;
    }
    static void add(Doubles& sums, const Doubles& bias, int64_t first = 0) {
        for (size_t i = 0; i < sums.size() && !bias.empty(); ++i) sums[i] += bias[first + i];
    }
    double extra(int64_t row, int64_t unit) const { return n.leaf[Numbers::EXTRA][row * H + unit]; }

    // The state of a row from that which a reset brings.
    static void restart(Doubles& state, const Doubles& anew, int64_t row, int64_t width) {
        for (int64_t u = row * width; u < (row + 1) * width; ++u) state[u] = anew[u];
    }

    void step(int64_t t, int64_t row) {
        if (c.resets && n.resets[t * c.N + row]) {
            restart(h, n.leaf[Numbers::RESET_H], row, R);
            if (c.memory()) restart(m, n.leaf[Numbers::RESET_C], row, H);
        }
        const Doubles before(h.begin() + row * R, h.begin() + (row + 1) * R);
        const Doubles mask = n.mask.empty() ? Doubles(R, 1) : Doubles(n.mask.begin() + row * R, n.mask.begin() + (row + 1) * R);
        Doubles fed = before;
        for (int64_t u = 0; u < R; ++u) fed[u] *= mask[u];
        Doubles in = product(n.leaf[Numbers::WEIGHT_IH], 0, G * H, &n.leaf[Numbers::X][(t * c.N + row) * c.D], c.D);
        Doubles rec = product(n.leaf[Numbers::WEIGHT_HH], 0, G * H, fed.data(), R);
        if (c.normal()) normalise(in, &n.leaf[Numbers::EXTRA][0]), normalise(rec, &n.leaf[Numbers::EXTRA][4 * H]);
        add(in, n.leaf[Numbers::BIAS_IH]), add(rec, n.leaf[Numbers::BIAS_HH]);

        Doubles old = c.memory() ? Doubles(m.begin() + row * H, m.begin() + (row + 1) * H) : Doubles(), memory = old;
        Doubles after = hidden(in, rec, before, mask, memory);
        if (c.output_layer()) {
            after = product(n.leaf[Numbers::WEIGHT_OUT], 0, R, after.data(), H);
            add(after, n.leaf[Numbers::BIAS_OUT]);
            if (c.cell == "jordan")
                for (double& y : after) y = std::tanh(y);
        }
        for (int64_t u = 0; u < R; ++u) {
            const int64_t at = (t * c.N + row) * R + u;
            const double stay = n.zoneout_h.empty() ? 0 : n.zoneout_h[at];
            output[at] = h[row * R + u] = after[u] + stay * (before[u] - after[u]);
        }
        for (size_t u = 0; u < memory.size(); ++u) {
            const double stay = n.zoneout_c.empty() ? 0 : n.zoneout_c[(t * c.N + row) * H + u];
            m[row * H + u] = memory[u] + stay * (old[u] - memory[u]);
            states_c[(t * c.N + row) * H + u] = m[row * H + u];
        }
    }

    // The units' outputs from both products; `memory` goes on by a step.
    Doubles hidden(const Doubles& in, const Doubles& rec, const Doubles& before, const Doubles& mask, Doubles& memory) const {
        Doubles after(H), open(H);
        const auto sum = [&](int gate, int64_t u) { return in[gate * H + u] + rec[gate * H + u]; };
        if (c.memory()) {
            const bool peep = c.cell == "lstm_peephole";
            for (int64_t u = 0; u < H; ++u) {
                const double i = sigmoid(sum(0, u) + (peep ? extra(0, u) * memory[u] : 0));
                const double f = sigmoid(sum(1, u) + (peep ? extra(1, u) * memory[u] : 0));
                memory[u] = f * memory[u] + i * std::tanh(sum(2, u));
                open[u] = sigmoid(sum(3, u) + (peep ? extra(2, u) * memory[u] : 0));
            }
            Doubles inside = memory;
            if (c.normal()) normalise(inside, &n.leaf[Numbers::EXTRA][8 * H]);
            if (c.normal() && c.bias) add(inside, n.leaf[Numbers::EXTRA], 9 * H);
            for (int64_t u = 0; u < H; ++u) after[u] = open[u] * std::tanh(inside[u]);
        } else if (G == 3) {
            Doubles reset(H), held(H);
            for (int64_t u = 0; u < H; ++u) reset[u] = sigmoid(sum(0, u)), held[u] = mask[u] * reset[u] * before[u];
            Doubles fresh(rec.begin() + 2 * H, rec.end());
            if (c.cell == "gru_reset_before") {
                fresh = product(n.leaf[Numbers::WEIGHT_HH], 2 * H, H, held.data(), H);
                add(fresh, n.leaf[Numbers::BIAS_HH], 2 * H);
            } else {
                for (int64_t u = 0; u < H; ++u) fresh[u] *= reset[u];
            }
            for (int64_t u = 0; u < H; ++u) {
                const double z = sigmoid(sum(1, u));
                after[u] = (1 - z) * std::tanh(in[2 * H + u] + fresh[u]) + z * before[u];
            }
        } else {
            for (int64_t u = 0; u < H; ++u) after[u] = c.cell == "rnn_relu" ? std::fmax(0, sum(0, u)) : std::tanh(sum(0, u));
        }
        return after;
    }

    double weighed() const {
        double sum = 0;
        for (size_t i = 0; i < output.size(); ++i) sum += output[i] * n.up_output[i];
        for (size_t i = 0; i < h.size(); ++i) sum += h[i] * n.up_h[i];
        for (size_t i = 0; i < m.size(); ++i) sum += m[i] * n.up_c[i];
        for (size_t i = 0; i < states_c.size() && c.rest; ++i) sum += states_c[i] * n.up_states_c[i];
        return sum;
    }
};

Numbers draw(const Case& c, Random& random) {
    Numbers n;
    const int64_t rows = c.gates() * c.H, state = c.N * c.R(), memory = c.memory() ? c.N * c.H : 0;
    const double scale = 1.5 / std::sqrt(static_cast<double>(c.H));
    n.leaf[Numbers::X] = random.numbers(c.T * c.N * c.D);
    n.leaf[Numbers::WEIGHT_IH] = random.numbers(rows * c.D, 1 / std::sqrt(static_cast<double>(c.D)));
    n.leaf[Numbers::WEIGHT_HH] = random.numbers(rows * c.R(), scale);
    n.leaf[Numbers::BIAS_IH] = random.numbers(c.bias ? rows : 0, scale);
    n.leaf[Numbers::BIAS_HH] = random.numbers(c.bias ? rows : 0, scale);
    n.leaf[Numbers::EXTRA] = random.numbers(c.extra() * c.H);
    n.leaf[Numbers::H0] = random.numbers(state);
    n.leaf[Numbers::C0] = random.numbers(memory);
    n.leaf[Numbers::RESET_H] = random.numbers(c.resets ? state : 0);
    n.leaf[Numbers::RESET_C] = random.numbers(c.resets ? memory : 0);
    for (int64_t i = 0; i < c.T * c.N && c.resets; ++i) n.resets.push_back(random.below(3) == 0);
    if (c.output_layer()) n.leaf[Numbers::WEIGHT_OUT] = random.numbers(c.R() * c.H, scale);
    if (c.cell == "jordan" && c.bias) n.leaf[Numbers::BIAS_OUT] = random.numbers(c.R());
    if (c.noise) {
        if (c.precision != OSTINATO_INT8) n.mask = random.numbers(state);
        n.zoneout_h = random.numbers(c.T * state, 0.5);
        n.zoneout_c = random.numbers(c.T * memory, 0.5);
    }
    n.up_output = random.numbers(c.T * state), n.up_h = random.numbers(state);
    n.up_c = random.numbers(memory), n.up_states_c = random.numbers(c.T * memory);
    for (int64_t row = 0; row < c.N; ++row) n.lengths.push_back(c.ragged ? random.below(c.T + 1) : c.T);
    for (Doubles* all : {&n.mask, &n.zoneout_h, &n.zoneout_c, &n.up_output, &n.up_h, &n.up_c, &n.up_states_c})
        for (double& x : *all) x = static_cast<float>(x);
    for (Doubles& all : n.leaf)
        for (double& x : all) x = static_cast<float>(x);
    return n;
}

int failures = 0;

void expect(bool holds, const Case& c, const char* isa, const char* what, double found, double expected) {
    if (holds) return;
    if (++failures > 20) return;
    std::printf("%s %s N%lld T%lld D%lld H%lld threads %lld split %lld%s%s%s%s%s%s: %s is %.9g, expected %.9g\n", isa,
                c.cell.c_str(), (long long)c.N, (long long)c.T, (long long)c.D, (long long)c.H, (long long)c.threads,
                (long long)c.split, c.reverse ? " reverse" : "", c.ragged ? " ragged" : "", c.bias ? "" : " without bias",
                c.noise ? " noise" : "", c.resets ? " resets" : "", c.rest ? "" : " least", what, found, expected);
}

void expect_all(const Case& c, const char* isa, const char* what, const Block<float>& found, const Doubles& expected) {
    for (size_t i = 0; i < expected.size(); ++i)
        expect(std::fabs(found.data[i] - expected[i]) <= 2e-5 * c.loose() * (1 + std::fabs(expected[i])), c, isa, what,
               found.data[i], expected[i]);
}

float* or_null(Block<float>& block) { return block.size ? block.data : nullptr; }

void check(const Case& c, int64_t cell, int64_t isa, Random& random) {
    const Numbers n = draw(c, random);
    const char* isa_name = ostinato_isa(isa);
    ostinato_run run{};
    run.cell = cell, run.isa = isa, run.precision = c.precision, run.N = c.N, run.T = c.T, run.D = c.D, run.H = c.H, run.R = c.R();
    run.E = c.extra();
    run.threads = c.threads, run.split = c.split, run.reverse = c.reverse;

    // What the padding holds must reach nothing.
    Doubles x = n.leaf[Numbers::X], up = n.up_output, up_c = n.up_states_c;
    for (int64_t t = 0; t < c.T; ++t)
        for (int64_t row = 0; row < c.N; ++row) {
            if (t < n.lengths[row]) continue;
            for (int64_t k = 0; k < c.D; ++k) x[(t * c.N + row) * c.D + k] = NAN;
            for (int64_t u = 0; u < c.R(); ++u) up[(t * c.N + row) * c.R() + u] = NAN;
            for (int64_t u = 0; u < c.H && c.memory(); ++u) up_c[(t * c.N + row) * c.H + u] = NAN;
        }
    Block<float> in_x(x), w_ih(n.leaf[Numbers::WEIGHT_IH]), w_hh(n.leaf[Numbers::WEIGHT_HH]), b_ih(n.leaf[Numbers::BIAS_IH]),
        b_hh(n.leaf[Numbers::BIAS_HH]), extra(n.leaf[Numbers::EXTRA]),
        w_out(n.leaf[Numbers::WEIGHT_OUT]), b_out(n.leaf[Numbers::BIAS_OUT]), h0(n.leaf[Numbers::H0]), c0(n.leaf[Numbers::C0]),
        reset_h(n.leaf[Numbers::RESET_H]), reset_c(n.leaf[Numbers::RESET_C]), mask(n.mask), zoneout_h(n.zoneout_h), zoneout_c(n.zoneout_c);
    Block<int64_t> lengths(c.N);
    for (int64_t row = 0; row < c.N; ++row) lengths.data[row] = n.lengths[row];
    run.lengths = c.ragged ? lengths.data : nullptr;
    Block<uint8_t> resets(c.resets ? c.T * c.N : 0);
    for (int64_t i = 0; i < resets.size; ++i) resets.data[i] = n.resets[i];
    if (c.resets) run.resets = resets.data, run.reset_h = reset_h.data, run.reset_c = or_null(reset_c);
    run.x = in_x.data, run.x_stride_t = c.N * c.D, run.x_stride_n = c.D;
    run.weight_ih = w_ih.data, run.weight_hh = w_hh.data, run.bias_ih = or_null(b_ih), run.bias_hh = or_null(b_hh);
    run.extra = or_null(extra), run.weight_out = or_null(w_out), run.bias_out = or_null(b_out), run.h0 = h0.data, run.c0 = or_null(c0);
    run.recurrent_mask = or_null(mask), run.zoneout_h = or_null(zoneout_h), run.zoneout_c = or_null(zoneout_c);
    run.zoneout_h_stride_t = c.N * c.R(), run.zoneout_h_stride_n = c.R();
    run.zoneout_c_stride_t = c.N * c.H, run.zoneout_c_stride_n = c.H;

    const int64_t state = c.N * c.R(), memory = c.memory() ? c.N * c.H : 0;
    Block<float> output(c.T * state), saved(ostinato_saved_size(cell, c.N, c.T, c.H, c.R(), c.noise)), final_h(state), final_c(memory);
    Block<float> states_c(c.rest ? c.T * memory : 0);
    run.output = output.data, run.final_h = final_h.data, run.final_c = or_null(final_c);
    const Loop expected(c, n);
    for (float* kept : {static_cast<float*>(nullptr), saved.data}) {  // for inference, then for training
        run.saved = kept;
        run.states_c = kept ? or_null(states_c) : nullptr;
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
        if (run.states_c) expect_all(c, isa_name, "c of a step", states_c, expected.states_c);
    }

    if (c.precision == OSTINATO_INT8) return expect(ostinato_backward(&run) == OSTINATO_BAD_PRECISION, c, isa_name, "status", 0, 1);
    run.packed = nullptr;
    Block<float> grad_output(up), grad_final_h(n.up_h), grad_final_c(n.up_c), grad_states_c(up_c);
    run.grad_output = grad_output.data, run.grad_final_h = grad_final_h.data, run.grad_final_c = or_null(grad_final_c);
    run.grad_states_c = c.rest ? or_null(grad_states_c) : nullptr;
    // every gradient that may be left out is left out, or none
    const auto wanted = [&](int64_t size) { return c.rest ? size : 0; };
    Block<float> grad_x(wanted(in_x.size)), grad_ih(wanted(w_ih.size)), grad_hh(wanted(w_hh.size)), grad_b_ih(wanted(b_ih.size)),
        grad_b_hh(wanted(b_hh.size)), grad_extra(wanted(extra.size)), grad_w_out(wanted(w_out.size)), grad_b_out(wanted(b_out.size)),
        grad_h0(state), grad_c0(wanted(memory)), grad_reset_h(wanted(reset_h.size)), grad_reset_c(wanted(reset_c.size));
    Block<float>* grads[] = {&grad_x,     &grad_ih,    &grad_hh,    &grad_b_ih, &grad_b_hh,
                             &grad_extra, &grad_w_out, &grad_b_out, &grad_h0,   &grad_c0,
                             &grad_reset_h, &grad_reset_c};
    run.grad_x = c.rest ? grad_x.data : nullptr;
    run.grad_weight_ih = or_null(grad_ih), run.grad_weight_hh = or_null(grad_hh), run.grad_weight_out = or_null(grad_w_out);
    run.grad_bias_ih = or_null(grad_b_ih), run.grad_bias_hh = or_null(grad_b_hh), run.grad_extra = or_null(grad_extra);
    run.grad_bias_out = or_null(grad_b_out), run.grad_h0 = grad_h0.data, run.grad_c0 = or_null(grad_c0);
    run.grad_reset_h = or_null(grad_reset_h), run.grad_reset_c = or_null(grad_reset_c);
    Block<char> workspace(ostinato_workspace_size(&run, 1));
    run.workspace = workspace.data;
    expect(ostinato_backward(&run) == OSTINATO_OK, c, isa_name, "status", 1, 0);
    const double here = Loop(c, n).weighed();
    for (int leaf = 0; leaf < Numbers::LEAVES; ++leaf) {
        const Block<float>& grad = *grads[leaf];
        const Doubles direction = random.numbers(grad.size);
        double found = 0, size = 0, quotient = 0;
        for (int64_t i = 0; i < grad.size; ++i) found += grad.data[i] * direction[i], size += grad.data[i] * grad.data[i];
        // a rectifier's kink may lie on the way: then the quotients of both sides differ, and a shorter way is taken
        for (double step : {1e-6, 1e-7, 1e-8}) {
            double sides[2];
            for (int side : {0, 1}) {
                Numbers moved = n;
                for (int64_t i = 0; i < grad.size; ++i) moved.leaf[leaf][i] += (side ? -step : step) * direction[i];
                sides[side] = (side ? -1 : 1) * (Loop(c, moved).weighed() - here) / step;
            }
            quotient = (sides[0] + sides[1]) / 2;
            if (c.cell != "rnn_relu" || std::fabs(sides[0] - sides[1]) <= 1e-4 * (1 + std::fabs(quotient))) break;
        }
        const std::string what = std::string("the gradient by ") + leaf_names[leaf] + " along a direction";
        expect(std::fabs(found - quotient) <= 1e-4 * c.loose() * (1 + std::sqrt(size)), c, isa_name, what.c_str(), found, quotient);
    }
}

Case draw_case(const char* cell, int64_t precision, Random& random) {
    const int64_t units[] = {1, 3, 8, 15, 16, 17, 33, 49}, features[] = {1, 2, 7, 16, 21};
    Case c{};
    c.cell = cell;
    c.N = random.below(10), c.T = random.below(9), c.D = features[random.below(5)], c.H = units[random.below(8)];
    c.threads = 1 + random.below(3), c.split = random.below(3);
    c.reverse = random.chance(), c.ragged = random.chance(), c.bias = random.chance() || random.chance();
    c.noise = random.chance(), c.resets = random.chance(), c.rest = random.chance() || random.chance();
    c.precision = precision;
    return c;
}

// Exponentials, their sums and the weighted mean of the probabilities, of float32 scores and of the same as bfloat16.
void check_softmax(int64_t isa, Random& random) {
    const int64_t widths[] = {1, 5, 16, 33, 64, 100, 1024, 1500}, V = widths[random.below(8)], M = random.below(140);
    Case c{};
    c.cell = "softmax", c.N = M, c.D = V, c.threads = 1 + random.below(3), c.bias = c.rest = true;
    for (int64_t bfloat16 : {0, 1}) {
        Block<float> scores(random.numbers(M * V, 9)), weights(random.numbers(M)), largest(M), sum(M), total(c.threads * V);
        Block<uint16_t> halves(bfloat16 ? M * V : 0);
        for (int64_t i = 0; i < halves.size; ++i) {
            uint32_t bits;
            std::memcpy(&bits, scores.data + i, sizeof bits);
            halves.data[i] = bits >> 16, bits &= 0xffff0000u;
            std::memcpy(scores.data + i, &bits, sizeof bits);
        }
        Doubles exact(M * V), sums(M), mean(V);
        for (int64_t m = 0; m < M; ++m) {
            double top = -INFINITY;
            for (int64_t v = 0; v < V; ++v) top = std::fmax(top, scores.data[m * V + v]);
            for (int64_t v = 0; v < V; ++v) sums[m] += exact[m * V + v] = std::exp(scores.data[m * V + v] - top);
            for (int64_t v = 0; v < V; ++v) mean[v] += weights.data[m] * exact[m * V + v] / sums[m];
        }
        ostinato_softmax run{};
        run.isa = isa, run.M = M, run.V = V, run.bfloat16 = bfloat16, run.threads = c.threads;
        run.scores = bfloat16 ? static_cast<void*>(halves.data) : scores.data;
        run.largest = largest.data, run.sum = sum.data, run.weights = weights.data, run.total = total.data;
        expect(ostinato_exponentials(&run) == OSTINATO_OK, c, ostinato_isa(isa), "status", 1, 0);
        expect_all(c, ostinato_isa(isa), "sum", sum, sums);
        if (!bfloat16) expect_all(c, ostinato_isa(isa), "exponential", scores, exact);
        for (int64_t v = 0; v < V; ++v)
            expect(std::fabs(total.data[v] - mean[v]) <= (bfloat16 ? 2e-2 : 2e-5) * (1 + std::fabs(mean[v])), c, ostinato_isa(isa),
                   "total", total.data[v], mean[v]);
    }
}

// Masks of dropout: the same bits in every set and by any number of threads, and about the share that was asked for.
void check_masks(int64_t isa, Random& random) {
    const int64_t sizes[] = {0, 1, 15, 4096, 4097, 70001}, n = sizes[random.below(6)], seed = random.below(1000), dropped = 1288490189;
    Case c{};
    c.cell = "mask", c.N = n, c.threads = 1 + random.below(3);
    Block<float> mask(n), expected(n);
    expect(ostinato_fill_mask(isa, c.threads, n, seed, dropped, 1.5f, mask.data) == OSTINATO_OK, c, ostinato_isa(isa), "status", 1, 0);
    int64_t last = 0;
    while (ostinato_isa(last + 1)) ++last;
    ostinato_fill_mask(ostinato_isa_supported(last) ? last : isa, 1, n, seed, dropped, 1.5f, expected.data);
    int64_t zeros = 0;
    for (int64_t i = 0; i < n; ++i) {
        expect(mask.data[i] == expected.data[i] && (mask.data[i] == 0 || mask.data[i] == 1.5f), c, ostinato_isa(isa), "mask", mask.data[i], expected.data[i]);
        zeros += mask.data[i] == 0;
    }
    if (n > 70000) expect(std::fabs(zeros / double(n) - 0.3) < 0.01, c, ostinato_isa(isa), "share", zeros / double(n), 0.3);
}

// Products of matrices, each factor as it is or transposed, and by dots.
void check_matmul(int64_t isa, Random& random) {
    const int64_t widths[] = {0, 1, 5, 16, 33, 64, 100, 257, 800};
    const int64_t M = random.below(40), N = widths[1 + random.below(8)], K = widths[random.below(9)];
    Case c{};
    c.cell = "matmul", c.N = M, c.D = K, c.H = N, c.threads = 1 + random.below(3), c.bias = random.chance(), c.rest = true;
    ostinato_matmul run{};
    run.isa = isa, run.threads = c.threads, run.M = M, run.N = N, run.K = K;
    run.dots = random.chance(), run.add = random.chance();
    run.transposed_a = !run.dots && random.chance(), run.transposed_b = run.dots || random.chance();
    run.a_stride = run.transposed_a ? M : K, run.b_stride = run.transposed_b ? K : N, run.c_stride = N;
    Block<float> a(random.numbers(M * K)), b(random.numbers(K * N)), bias(random.numbers(c.bias ? N : 0)), out(random.numbers(M * N));
    const std::vector<float> before(out.data, out.data + M * N);
    run.a = a.data, run.b = b.data, run.bias = or_null(bias), run.c = out.data;
    Block<char> workspace(ostinato_matmul_workspace_size(&run));
    run.workspace = workspace.data;
    expect(ostinato_multiply(&run) == OSTINATO_OK, c, ostinato_isa(isa), "status", 1, 0);
    for (int64_t m = 0; m < M; ++m)
        for (int64_t n = 0; n < N; ++n) {
            double sum = (c.bias ? bias.data[n] : 0) + (run.add ? before[m * N + n] : 0);
            for (int64_t k = 0; k < K; ++k)
                sum += double(run.transposed_a ? a.data[k * M + m] : a.data[m * K + k]) * (run.transposed_b ? b.data[n * K + k] : b.data[k * N + n]);
            expect(std::fabs(out.data[m * N + n] - sum) <= 1e-5 * (1 + std::sqrt(K) + std::fabs(sum)), c, ostinato_isa(isa), "matmul",
                   out.data[m * N + n], sum);
        }
}

// A linear layer of 8 bits.
void check_linear(int64_t isa, Random& random) {
    const int64_t widths[] = {1, 5, 16, 33, 64, 100, 257}, D = widths[random.below(7)], V = widths[random.below(7)], M = random.below(12);
    Case c{};
    c.cell = "linear", c.N = M, c.D = D, c.H = V, c.threads = 1 + random.below(3), c.bias = random.chance(), c.rest = true;
    Case none{};
    none.precision = OSTINATO_INT8;
    const Numbers nothing;
    const Loop loop(none, nothing);
    Block<float> x(random.numbers(M * D)), weight(random.numbers(V * D)), bias(random.numbers(c.bias ? V : 0)), output(M * V);
    ostinato_linear run{};
    run.isa = isa, run.threads = c.threads, run.M = M, run.D = D, run.V = V;
    run.x = x.data, run.weight = weight.data, run.bias = or_null(bias), run.output = output.data;
    Block<char> packed(ostinato_linear_packed_size(&run)), workspace(ostinato_linear_workspace_size(&run));
    run.packed = packed.data, run.workspace = workspace.data;
    expect(ostinato_linear_pack(&run) == OSTINATO_OK, c, ostinato_isa(isa), "status", 1, 0);
    expect(ostinato_linear_forward(&run) == OSTINATO_OK, c, ostinato_isa(isa), "status", 1, 0);
    const Doubles rows(weight.data, weight.data + V * D);
    for (int64_t m = 0; m < M; ++m) {
        const Doubles row(x.data + m * D, x.data + (m + 1) * D), sums = loop.product(rows, 0, V, row.data(), D);
        for (int64_t v = 0; v < V; ++v) {
            const double expected = sums[v] + (c.bias ? bias.data[v] : 0);
            expect(std::fabs(output.data[m * V + v] - expected) <= 1e-5 * (1 + std::fabs(expected)), c, ostinato_isa(isa), "linear",
                   output.data[m * V + v], expected);
        }
    }
}

}  // namespace

// Threads, without which half of what is to be watched would not run.
static void use_openmp() {
    void* runtime = dlopen("libgomp.so.1", RTLD_NOW);
    if (!runtime) std::printf("no OpenMP runtime: %s\n", dlerror()), std::exit(1);
    const auto named = [runtime](const char* name) { return dlsym(runtime, name); };
    ostinato_use_openmp(named("GOMP_parallel"), named("omp_get_thread_num"), named("omp_get_num_threads"));
}

int main(int argc, char** argv) {
    use_openmp();
    const int each = argc > 1 ? std::atoi(argv[1]) : 30;
    int64_t checked = 0;
    for (int64_t isa = 0; ostinato_isa(isa); ++isa) {
        if (!ostinato_isa_supported(isa)) {
            std::printf("%s: this machine lacks it, not checked\n", ostinato_isa(isa));
            continue;
        }
        Random random;
        for (int64_t cell = 0; ostinato_cell(cell); ++cell) {
            if (!Case::known(ostinato_cell(cell))) {
                std::printf("%s: no loop to compare with, not checked\n", ostinato_cell(cell));
                continue;
            }
            for (int64_t precision : {OSTINATO_HIGHEST, OSTINATO_HIGH, OSTINATO_MEDIUM, OSTINATO_INT8}) {
                if (ostinato_precision(isa, cell, precision) != precision) continue;
                // a set that rounds has another's cells for what it does not round
                if (precision == OSTINATO_INT8 && isa && !std::strcmp(ostinato_int8(isa), ostinato_int8(isa - 1))) continue;
                if (precision == OSTINATO_HIGHEST && ostinato_precision(isa, 0, OSTINATO_MEDIUM) == OSTINATO_MEDIUM) continue;
                const int runs = precision == OSTINATO_HIGHEST ? each : (each + 4) / 5;
                for (int i = 0; i < runs; ++i, ++checked)
                    check(draw_case(ostinato_cell(cell), precision, random), cell, isa, random);
                // enough work for several threads, and for more than one chunk of steps
                for (int64_t split : {OSTINATO_SPLIT_SEQUENCES, OSTINATO_SPLIT_UNITS}) {
                    if (precision == OSTINATO_HIGH && split == OSTINATO_SPLIT_UNITS) continue;
                    if (precision == OSTINATO_MEDIUM && split == OSTINATO_SPLIT_SEQUENCES) continue;
                    Case large{ostinato_cell(cell), 7, 45, 18, 40, 3, split, false, true, true, false, true, true};
                    large.precision = precision;
                    check(large, cell, isa, random);
                    ++checked;
                }
            }
        }
        for (int i = 0; i < each; ++i) check_softmax(isa, random), check_masks(isa, random), check_matmul(isa, random), check_linear(isa, random);
        std::printf("%s: checked\n", ostinato_isa(isa));
    }
    std::printf("%lld runs forward and backward, %d wrong numbers\n", (long long)checked, failures);
    return failures != 0;
}
