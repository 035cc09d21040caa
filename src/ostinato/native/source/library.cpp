// The C interface: which instruction sets and cells there are, arguments checked, calls passed on. Compiled for any
// machine of the architecture.
#include "ostinato.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <atomic>

#include "kernels.h"
#include "pages.h"
#include "processor.h"
#include "program.h"

namespace ostinato {

#define OSTINATO_OF_A_PRECISION extern const CellKernels cells[]; extern const ProgramKernels program;
#define OSTINATO_OF_A_SET OSTINATO_OF_A_PRECISION void softmax(const ostinato_softmax&); MaskFilling fill_mask; extern const MatmulKernels matmul;
#define OSTINATO_OF_BYTES extern const CellKernels cells[]; extern const LinearKernels linear;

#if defined(__x86_64__)
#if !defined(OSTINATO_WITHOUT_AMX)
namespace amx_bf16 { OSTINATO_OF_A_PRECISION }
namespace amx_bf16x3 { OSTINATO_OF_A_PRECISION }
#endif
#if !defined(OSTINATO_WITHOUT_BF16)
namespace avx512_bf16 { OSTINATO_OF_A_PRECISION }
#endif
#if defined(OSTINATO_EMULATE_AMX)
namespace amx_bf16_emulated { OSTINATO_OF_A_PRECISION }
namespace amx_bf16x3_emulated { OSTINATO_OF_A_PRECISION }
#endif
namespace avx512 { OSTINATO_OF_A_SET }
namespace avx2 { OSTINATO_OF_A_SET }
namespace baseline { OSTINATO_OF_A_SET }
namespace vnni { OSTINATO_OF_BYTES }
namespace avx2_int8 { OSTINATO_OF_BYTES }
namespace baseline_int8 { OSTINATO_OF_BYTES }
#elif defined(__aarch64__)
namespace neon { OSTINATO_OF_A_SET }
namespace neon_int8 { OSTINATO_OF_BYTES }
#else
namespace generic { OSTINATO_OF_A_SET }
namespace generic_int8 { OSTINATO_OF_BYTES }
#endif

namespace {

Team own_team = {};

__attribute__((constructor)) void watch_forks() {
    pthread_atfork(nullptr, nullptr, [] { own_team = {}; });
}

// Of one set and precision; null where the set has nothing better than the next higher one.
struct Kernels {
    CellTable cells = nullptr;
    const ProgramKernels* program = nullptr;
};

// Those that multiply bytes.
struct ByteKernels {
    const char* name;
    CellTable cells;
    const LinearKernels* linear;
};
#define OSTINATO_BYTES(name, set) static const ByteKernels kernels{name, set::cells, &set::linear}; return kernels
#if defined(__x86_64__)
const ByteKernels& plain() { OSTINATO_BYTES("plain", baseline_int8); }
const ByteKernels& by_avx2() { OSTINATO_BYTES("avx2", avx2_int8); }
// Some of the machines with AVX-512 have no VNNI.
const ByteKernels& by_vnni() {
    static int8_t answer = -1;  // asking the processor is slow on a virtual machine
    int8_t known = __atomic_load_n(&answer, __ATOMIC_RELAXED);
    if (known < 0) __atomic_store_n(&answer, known = has_vnni(), __ATOMIC_RELAXED);
    if (!known) return by_avx2();
    OSTINATO_BYTES("vnni", vnni);
}
#elif defined(__aarch64__)
const ByteKernels& plain() { OSTINATO_BYTES("neon", neon_int8); }
#else
const ByteKernels& plain() { OSTINATO_BYTES("plain", generic_int8); }
#endif

struct Isa {
    const char* name;
    bool (*supported)();
    const ByteKernels& (*bytes)();
    void (*softmax)(const ostinato_softmax&);  // these three the same in every precision
    MaskFilling* fill_mask;
    const MatmulKernels* matmul;
    Kernels kernels[3];                        // by precision
};

#define OSTINATO_KERNELS(set) {set::cells, &set::program}

// Best first.
const Isa isas[] = {
#if defined(__x86_64__)
#if !defined(OSTINATO_WITHOUT_AMX)
    {"amx", has_amx, by_vnni, avx512::softmax, avx512::fill_mask, &avx512::matmul, {OSTINATO_KERNELS(avx512), OSTINATO_KERNELS(amx_bf16x3), OSTINATO_KERNELS(amx_bf16)}},
#endif
#if !defined(OSTINATO_WITHOUT_BF16)
    {"avx512_bf16", has_avx512_bf16, by_vnni, avx512::softmax, avx512::fill_mask, &avx512::matmul, {OSTINATO_KERNELS(avx512), {}, OSTINATO_KERNELS(avx512_bf16)}},
#endif
    {"avx512", has_avx512, by_vnni, avx512::softmax, avx512::fill_mask, &avx512::matmul, {OSTINATO_KERNELS(avx512)}},
    {"avx2", has_avx2, by_avx2, avx2::softmax, avx2::fill_mask, &avx2::matmul, {OSTINATO_KERNELS(avx2)}},
    {"baseline", always, plain, baseline::softmax, baseline::fill_mask, &baseline::matmul, {OSTINATO_KERNELS(baseline)}},
#if defined(OSTINATO_EMULATE_AMX)  // for tests: after all others, so that it runs only where it is named
    {"amx_emulated", has_avx512_bf16, by_vnni, avx512::softmax, avx512::fill_mask, &avx512::matmul,
     {OSTINATO_KERNELS(avx512), OSTINATO_KERNELS(amx_bf16x3_emulated), OSTINATO_KERNELS(amx_bf16_emulated)}},
#endif
#elif defined(__aarch64__)
    {"neon", always, plain, neon::softmax, neon::fill_mask, &neon::matmul, {OSTINATO_KERNELS(neon)}},
#else
    {"generic", always, plain, generic::softmax, generic::fill_mask, &generic::matmul, {OSTINATO_KERNELS(generic)}},
#endif
};
constexpr int64_t isa_count = sizeof isas / sizeof *isas;

int64_t computed(const Isa& isa, int64_t cell, int64_t precision) {
    if (precision == OSTINATO_INT8) {
        if (isa.bytes().cells[cell].forward) return precision;
        --precision;
    }
    while (!isa.kernels[precision].cells || !isa.kernels[precision].cells[cell].forward) --precision;
    return precision;
}

const ProgramKernels& program_of(const ostinato_program& run) {
    int64_t precision = run.precision;
    while (!isas[run.isa].kernels[precision].program) --precision;
    return *isas[run.isa].kernels[precision].program;
}

const CellKernels* cell_of(const ostinato_run& run) {
    const Isa& isa = isas[run.isa];
    if (computed(isa, run.cell, run.precision) == OSTINATO_INT8) return &isa.bytes().cells[run.cell];
    return &isa.kernels[computed(isa, run.cell, run.precision)].cells[run.cell];
}

// Those of the set that runs on every machine: what is asked of them is code of that set too.
const CellKernels* any_cells() {
    const Isa* isa = isas;
    while (isa->supported != always) ++isa;
    return isa->kernels[OSTINATO_HIGHEST].cells;
}

int64_t cell_count() {
    int64_t count = 0;
    while (any_cells()[count].name) ++count;
    return count;
}

// Of products of two numbers up to 127, so that it is a whole number of 32 bits.
constexpr int64_t longest_sum = 1 << 17;

int64_t check(const ostinato_linear& run) {
    if (run.isa < 0 || run.isa >= isa_count) return OSTINATO_BAD_ISA;
    if (run.M < 0 || run.D < 1 || run.D > longest_sum || run.V < 1 || run.threads < 1) return OSTINATO_BAD_SIZE;
    return OSTINATO_OK;
}

int64_t check(const ostinato_matmul& run) {
    if (run.isa < 0 || run.isa >= isa_count) return OSTINATO_BAD_ISA;
    if (run.M < 0 || run.K < 0 || run.N < 1 || run.threads < 1) return OSTINATO_BAD_SIZE;
    const bool narrow = run.a_stride < (run.transposed_a ? run.M : run.K) || run.b_stride < (run.transposed_b ? run.K : run.N);
    if (run.dots && (run.transposed_a || !run.transposed_b)) return OSTINATO_BAD_SIZE;
    return narrow || run.c_stride < run.N ? OSTINATO_BAD_SIZE : OSTINATO_OK;
}

const LinearKernels& linear_of(const ostinato_linear& run) { return *isas[run.isa].bytes().linear; }

int64_t check(const ostinato_run& run) {
    if (run.isa < 0 || run.isa >= isa_count) return OSTINATO_BAD_ISA;
    if (run.precision < OSTINATO_HIGHEST || run.precision > OSTINATO_INT8) return OSTINATO_BAD_PRECISION;
    if (run.cell < 0 || run.cell >= cell_count()) return OSTINATO_BAD_CELL;
    if (run.N < 0 || run.N > INT32_MAX || run.T < 0 || run.D < 1 || run.H < 1 || run.R < 1 || run.threads < 1) return OSTINATO_BAD_SIZE;
    if (run.R != run.H && !cell_of(run)->projects) return OSTINATO_BAD_SIZE;
    if (run.precision == OSTINATO_INT8) {
        if (computed(isas[run.isa], run.cell, run.precision) != OSTINATO_INT8 || run.recurrent_mask) return OSTINATO_BAD_PRECISION;
        if (run.D > longest_sum || run.H > longest_sum) return OSTINATO_BAD_SIZE;
    }
    for (int64_t n = 0; run.lengths && n < run.N; ++n)
        if (run.lengths[n] < 0 || run.lengths[n] > run.T) return OSTINATO_BAD_LENGTH;
    return OSTINATO_OK;
}

int64_t check(const ostinato_program& run) {
    if (run.isa < 0 || run.isa >= isa_count) return OSTINATO_BAD_ISA;
    if (run.precision < OSTINATO_HIGHEST || run.precision > OSTINATO_MEDIUM) return OSTINATO_BAD_PRECISION;
    if (run.N < 0 || run.N > INT32_MAX || run.T < 0 || run.threads < 1) return OSTINATO_BAD_SIZE;
    for (int64_t n = 0; run.lengths && n < run.N; ++n)
        if (run.lengths[n] < 0 || run.lengths[n] > run.T) return OSTINATO_BAD_LENGTH;
    return OSTINATO_OK;
}

int64_t now() {  // microseconds
    timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return int64_t(at.tv_sec) * 1000000 + at.tv_nsec / 1000;
}

}  // namespace

const Team* team = &own_team;

}  // namespace ostinato

extern "C" {

int64_t ostinato_abi(void) { return OSTINATO_ABI; }

const void* ostinato_use_openmp(void* parallel, void* thread, void* threads) {
    ostinato::own_team = {reinterpret_cast<decltype(ostinato::Team::parallel)>(parallel),
                          reinterpret_cast<int (*)()>(thread), reinterpret_cast<int (*)()>(threads)};
    return ostinato::team;
}

const char* ostinato_isa(int64_t index) {
    return index >= 0 && index < ostinato::isa_count ? ostinato::isas[index].name : nullptr;
}

int64_t ostinato_isa_supported(int64_t index) {
    return index >= 0 && index < ostinato::isa_count && ostinato::isas[index].supported();
}

int64_t ostinato_precision(int64_t isa, int64_t cell, int64_t precision) {
    if (isa < 0 || isa >= ostinato::isa_count || cell < 0 || cell >= ostinato::cell_count()) return OSTINATO_HIGHEST;
    if (precision < OSTINATO_HIGHEST || precision > OSTINATO_INT8) return OSTINATO_HIGHEST;
    return ostinato::computed(ostinato::isas[isa], cell, precision);
}

const char* ostinato_int8(int64_t isa) {
    return isa >= 0 && isa < ostinato::isa_count ? ostinato::isas[isa].bytes().name : nullptr;
}

const char* ostinato_cell(int64_t index) {
    return index >= 0 && index < ostinato::cell_count() ? ostinato::any_cells()[index].name : nullptr;
}

int64_t ostinato_saved_size(int64_t cell, int64_t N, int64_t T, int64_t H, int64_t R, int64_t noisy) {
    if (cell < 0 || cell >= ostinato::cell_count()) return 0;
    return N * T * ostinato::any_cells()[cell].saved(H, R, noisy != 0);
}

int64_t ostinato_workspace_size(const ostinato_run* run, int64_t backward) {
    return ostinato::check(*run) ? 0 : ostinato::cell_of(*run)->workspace(*run, backward != 0);
}

int64_t ostinato_packed_size(const ostinato_run* run) {
    return ostinato::check(*run) ? 0 : ostinato::cell_of(*run)->packed_size(*run);
}

int64_t ostinato_pack(const ostinato_run* run) {
    if (int64_t wrong = ostinato::check(*run)) return wrong;
    ostinato::cell_of(*run)->pack(*run);
    return OSTINATO_OK;
}

int64_t ostinato_forward(const ostinato_run* run) {
    if (int64_t wrong = ostinato::check(*run)) return wrong;
    ostinato::expect_large(run->saved, ostinato_saved_size(run->cell, run->N, run->T, run->H, run->R, ostinato::noisy(*run)));
    ostinato::expect_large(run->output, run->T * run->N * run->R);
    ostinato::cell_of(*run)->forward(*run);
    return OSTINATO_OK;
}

int64_t ostinato_backward(const ostinato_run* run) {
    if (int64_t wrong = ostinato::check(*run)) return wrong;
    if (run->precision == OSTINATO_INT8) return OSTINATO_BAD_PRECISION;
    ostinato::expect_large(run->grad_x, run->T * run->N * run->D);
    ostinato::cell_of(*run)->backward(*run);
    return OSTINATO_OK;
}

int64_t ostinato_exponentials(const ostinato_softmax* run) {
    if (run->isa < 0 || run->isa >= ostinato::isa_count) return OSTINATO_BAD_ISA;
    if (run->M < 0 || run->V < 1 || run->threads < 1) return OSTINATO_BAD_SIZE;
    ostinato::isas[run->isa].softmax(*run);
    return OSTINATO_OK;
}

const char* ostinato_processor(void) { return ostinato::maker(); }

int64_t ostinato_fill_mask(int64_t isa, int64_t threads, int64_t n, int64_t seed, int64_t dropped, float kept, float* mask) {
    if (isa < 0 || isa >= ostinato::isa_count) return OSTINATO_BAD_ISA;
    if (n < 0 || threads < 1 || dropped < 0 || dropped > UINT32_MAX) return OSTINATO_BAD_SIZE;
    ostinato::expect_large(mask, n);
    ostinato::isas[isa].fill_mask(threads, n, seed, dropped, kept, mask);
    return OSTINATO_OK;
}

int64_t ostinato_matmul_workspace_size(const ostinato_matmul* run) {
    return ostinato::check(*run) ? 0 : ostinato::isas[run->isa].matmul->workspace(*run);
}

int64_t ostinato_multiply(const ostinato_matmul* run) {
    if (int64_t wrong = ostinato::check(*run)) return wrong;
    ostinato::isas[run->isa].matmul->compute(*run);
    return OSTINATO_OK;
}

int64_t ostinato_linear_workspace_size(const ostinato_linear* run) {
    return ostinato::check(*run) ? 0 : ostinato::linear_of(*run).workspace(*run);
}

int64_t ostinato_linear_packed_size(const ostinato_linear* run) {
    return ostinato::check(*run) ? 0 : ostinato::linear_of(*run).packed_size(*run);
}

int64_t ostinato_linear_pack(const ostinato_linear* run) {
    if (int64_t wrong = ostinato::check(*run)) return wrong;
    ostinato::linear_of(*run).pack(*run);
    return OSTINATO_OK;
}

int64_t ostinato_linear_forward(const ostinato_linear* run) {
    if (int64_t wrong = ostinato::check(*run)) return wrong;
    ostinato::linear_of(*run).compute(*run);
    return OSTINATO_OK;
}

int64_t ostinato_meet(int64_t* const* counts, int64_t size, int64_t own, int64_t value, int64_t kept, int64_t microseconds) {
    static_assert(std::atomic<int64_t>::is_always_lock_free, "a lock would not be of both processes");
    const auto count = [&](int64_t which) -> std::atomic<int64_t>& { return *reinterpret_cast<std::atomic<int64_t>*>(counts[which]); };
    const int64_t began = ostinato::now();
    count(own).store(value, std::memory_order_release);
    for (int64_t which = 0; which < size; ++which) {
        for (int64_t tries = 1; count(which).load(std::memory_order_acquire) < value; ++tries) {
            if (tries % 256) continue;
            const int64_t waited = ostinato::now() - began;
            if (waited >= microseconds) return 0;
            if (waited >= kept) sched_yield();
        }
    }
    return 1;
}

int64_t ostinato_draw(const float* weights, int64_t size, double share) {
    // Blocks with several sums each: one sum after the other would wait for every addition. Both passes add up alike.
    constexpr int64_t BLOCK = 128, LANES = 8;
    const auto sum_of = [&](int64_t begin) {
        double lanes[LANES] = {};
        const int64_t end = std::min(begin + BLOCK, size), whole = begin + (end - begin) / LANES * LANES;
        for (int64_t i = begin; i < whole; i += LANES)
            for (int64_t lane = 0; lane < LANES; ++lane) lanes[lane] += weights[i + lane];
        double sum = 0;
        for (double lane : lanes) sum += lane;
        for (int64_t i = whole; i < end; ++i) sum += weights[i];
        return sum;
    };
    double total = 0, below = 0;
    for (int64_t begin = 0; begin < size; begin += BLOCK) total += sum_of(begin);
    const double point = share * total;
    for (int64_t begin = 0; begin < size; begin += BLOCK) {
        const double after = below + sum_of(begin);
        if (after > point) {
            int64_t last = -1;  // of the block, in another order of additions, may come a little short
            for (int64_t i = begin; i < std::min(begin + BLOCK, size); ++i) {
                if (weights[i] > 0) last = i;
                if ((below += weights[i]) > point) return i;
            }
            return last;
        }
        below = after;
    }
    return -1;
}

int64_t ostinato_program_saved(const ostinato_program* run) { return run->N * run->T * run->kept_size; }

int64_t ostinato_program_workspace(const ostinato_program* run, int64_t backward) {
    return ostinato::check(*run) ? 0 : ostinato::program_of(*run).workspace(*run, backward != 0);
}

int64_t ostinato_program_forward(const ostinato_program* run) {
    if (int64_t wrong = ostinato::check(*run)) return wrong;
    const int64_t rows = run->T * run->N;
    ostinato::expect_large(run->saved, ostinato_program_saved(run));
    ostinato::expect_large(run->output, rows * run->output_width);
    for (int64_t f = 0; f < run->fields; ++f) ostinato::expect_large(run->every_state[f], rows * run->field_width[f]);
    ostinato::program_of(*run).compute(*run, false);
    return OSTINATO_OK;
}

int64_t ostinato_program_backward(const ostinato_program* run) {
    if (int64_t wrong = ostinato::check(*run)) return wrong;
    for (int64_t i = 0; i < run->inputs; ++i) ostinato::expect_large(run->grad_input[i], run->T * run->N * run->input_width[i]);
    ostinato::program_of(*run).compute(*run, true);
    return OSTINATO_OK;
}

}  // extern "C"
