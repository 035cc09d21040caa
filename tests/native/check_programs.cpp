// Runs cells that were compiled from their equations (programs.py writes them) by the library's general recurrence, with buffers of
// exactly the documented sizes, and compares with what their equations give in double precision. Built and run by `make sanitize`.
#include <dlfcn.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "functions.h"
#include "ostinato.h"
#include "program.h"

namespace {

struct Numbers {
    const double* at;
    int64_t size;
};

// In the order of the tables: what is read (input, matrices, vectors, state, state of resets), gradients by the results, results
// (output, final state), gradients by what is read.
struct Sequence {
    int64_t N, T, threads, split, reverse;
    const int64_t* lengths;
    const uint8_t* resets;
    std::vector<Numbers> read, upstream, made, grads;
};

struct Cell {
    const char* name;
    ostinato_program program;
    std::vector<Sequence> sequences;
};

}  // namespace

#include OSTINATO_PROGRAMS

namespace {

// A block of exactly n floats on the heap: NaN until it is written.
struct Block {
    float* data;
    int64_t size;
    explicit Block(int64_t n) : size(n) {
        void* raw = nullptr;
        if (posix_memalign(&raw, 64, n ? 4 * n : 1)) std::abort();
        data = static_cast<float*>(raw);
        std::memset(raw, 0xff, 4 * n);
    }
    explicit Block(Numbers from) : Block(from.size) {
        for (int64_t i = 0; i < size; ++i) data[i] = static_cast<float>(from.at[i]);
    }
    Block(Block&& other) : data(other.data), size(other.size) { other.data = nullptr; }
    ~Block() { std::free(data); }
};

using Blocks = std::vector<Block>;

int failures = 0;

Blocks read(const std::vector<Numbers>& all) {
    Blocks found;
    for (const Numbers& one : all) found.emplace_back(one);
    return found;
}
Blocks room(const std::vector<Numbers>& all) {
    Blocks found;
    for (const Numbers& one : all) found.emplace_back(one.size);
    return found;
}

void expect(const char* cell, size_t sequence, const char* what, const Blocks& found, const std::vector<Numbers>& expected) {
    for (size_t k = 0; k < expected.size(); ++k) {
        double largest = 1;
        for (int64_t i = 0; i < expected[k].size; ++i) largest = std::fmax(largest, std::fabs(expected[k].at[i]));
        for (int64_t i = 0; i < expected[k].size; ++i) {
            if (std::fabs(found[k].data[i] - expected[k].at[i]) <= 2e-5 * largest) continue;
            if (++failures > 20) return;
            std::printf("%s, sequence %zu: number %lld of %s %zu is %.9g, expected %.9g\n", cell, sequence, (long long)i, what, k,
                        found[k].data[i], expected[k].at[i]);
        }
    }
}

template <class A>
std::vector<A> pointers(const Blocks& blocks, size_t begin, size_t count) {
    std::vector<A> found;
    for (size_t i = begin; i < begin + count; ++i) found.push_back(i < blocks.size() ? blocks[i].data : nullptr);
    found.push_back(nullptr);  // so that there is an address
    return found;
}

void call(ostinato_program& run, bool backward) {
    Block workspace((ostinato_program_workspace(&run, backward) + 3) / 4);
    run.workspace = workspace.data;
    if ((backward ? ostinato_program_backward : ostinato_program_forward)(&run) != OSTINATO_OK) ++failures, std::printf("refused\n");
}

void check(const Cell& cell, size_t index, int64_t isa) {
    const Sequence& s = cell.sequences[index];
    ostinato_program run = cell.program;
    run.isa = isa, run.N = s.N, run.T = s.T, run.threads = s.threads, run.split = s.split, run.reverse = s.reverse;
    run.lengths = s.lengths, run.resets = s.resets;
    const size_t first[] = {0, 1, 1 + static_cast<size_t>(run.matrices), 1 + static_cast<size_t>(run.matrices + run.vectors)};
    const size_t fields = static_cast<size_t>(run.fields);
    const Blocks given = read(s.read), upstream = read(s.upstream);
    const auto inputs = pointers<const float*>(given, 0, 1), matrices = pointers<const float*>(given, first[1], first[2] - first[1]);
    const auto vectors = pointers<const float*>(given, first[2], first[3] - first[2]), state = pointers<const float*>(given, first[3], fields);
    const auto anew = pointers<const float*>(given, first[3] + fields, fields);
    const int64_t strides[] = {s.N * run.input_width[0], run.input_width[0]};
    run.input = inputs.data(), run.input_stride = strides, run.matrix = matrices.data(), run.vector = vectors.data();
    run.state = state.data(), run.reset_state = anew.data();

    const Blocks made = room(s.made), grads = room(s.grads);
    const std::vector<float*> none(fields + 1);
    const auto finals = pointers<float*>(made, 1, fields);
    Block saved(ostinato_program_saved(&run));
    run.output = made[0].data, run.final_state = finals.data(), run.every_state = none.data();
    for (float* kept : {static_cast<float*>(nullptr), saved.data}) {  // for inference, then for training
        run.saved = kept;
        call(run, false);
        expect(cell.name, index, "result", made, s.made);
    }

    const auto grad_final = pointers<const float*>(upstream, 1, fields);
    const std::vector<const float*> no_gradient(fields + 1);
    run.grad_output = upstream[0].data, run.grad_final = grad_final.data(), run.grad_every = no_gradient.data();
    const auto by_input = pointers<float*>(grads, 0, 1), by_matrix = pointers<float*>(grads, first[1], first[2] - first[1]);
    const auto by_vector = pointers<float*>(grads, first[2], first[3] - first[2]), by_state = pointers<float*>(grads, first[3], fields);
    const auto by_anew = pointers<float*>(grads, first[3] + fields, fields);
    run.grad_input = by_input.data(), run.grad_matrix = by_matrix.data(), run.grad_vector = by_vector.data();
    run.grad_state = by_state.data(), run.grad_reset_state = s.resets ? by_anew.data() : nullptr;
    call(run, true);
    expect(cell.name, index, "gradient", grads, s.grads);
}

// Threads, without which half of what is to be watched would not run.
void use_openmp() {
    void* runtime = dlopen("libgomp.so.1", RTLD_NOW);
    if (!runtime) std::printf("no OpenMP runtime: %s\n", dlerror()), std::exit(1);
    const auto named = [runtime](const char* name) { return dlsym(runtime, name); };
    ostinato_use_openmp(named("GOMP_parallel"), named("omp_get_thread_num"), named("omp_get_num_threads"));
}

}  // namespace

// Stages of vectors of any width do for every set: planes are padded alike.
int main() {
    use_openmp();
    int64_t checked = 0;
    for (int64_t isa = 0; ostinato_isa(isa); ++isa) {
        if (!ostinato_isa_supported(isa)) continue;
        for (const Cell& cell : all_cells)
            for (size_t i = 0; i < cell.sequences.size(); ++i, ++checked) check(cell, i, isa);
    }
    std::printf("%lld runs of compiled cells forward and backward, %d wrong numbers\n", (long long)checked, failures);
    return failures != 0;
}
