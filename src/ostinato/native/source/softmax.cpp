// The exponentials of a softmax over rows of scores, in place, and what a loss wants beside them: compiled once for each
// instruction set. A row is read for its maximum and again for the rest, by when it lies in the nearest caches.
#include "kernels.h"
#include "threads.h"
#include "vectors.h"

namespace ostinato {
namespace OSTINATO_ISA {

// How scores lie in memory. `none` is what lies beyond the last one: its exponential is 0.
struct InFloat32 {
    using Element = float;
    static constexpr Element none = -__builtin_inff();
    OSTINATO_INLINE V load(const Element* p) { return OSTINATO_ISA::load(p); }
    OSTINATO_INLINE void store(Element* p, V v) { OSTINATO_ISA::store(p, v); }
};

struct InBfloat16 {
    using Element = uint16_t;
    static constexpr Element none = 0xff80;
    typedef uint32_t Bits __attribute__((vector_size(4 * W)));
    typedef Element Halves __attribute__((vector_size(2 * W)));

    OSTINATO_INLINE V load(const Element* p) {
#if defined(__AVX512F__)  // one instruction, where GCC takes six
        const __m512i halves = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
        return reinterpret_cast<V>(_mm512_slli_epi32(halves, 16));
#else
        Halves halves;
        std::memcpy(&halves, p, sizeof halves);
        return reinterpret_cast<V>(__builtin_convertvector(halves, Bits) << 16);
#endif
    }
    // To the nearest, in the middle to the even one.
    OSTINATO_INLINE void store(Element* p, V v) {
        Bits bits = reinterpret_cast<Bits>(v);
        bits += 0x7fff + (bits >> 16 & 1);
        Halves halves = __builtin_convertvector(bits >> 16, Halves);
        std::memcpy(p, &halves, sizeof halves);
    }
};

template <class S>
OSTINATO_INLINE V load_some(const typename S::Element* p, int n) {
    typename S::Element all[W];
    for (int i = 0; i < W; ++i) all[i] = S::none;
    std::memcpy(all, p, sizeof *p * n);
    return S::load(all);
}

template <class S>
OSTINATO_INLINE void store_some(typename S::Element* p, V v, int n) {
    typename S::Element all[W];
    S::store(all, v);
    std::memcpy(p, all, sizeof *p * n);
}

// e^-x of what is not below 0, within 4 units in the last place; NaN of NaN. What would be less than the smallest normal
// number is 0.
OSTINATO_INLINE V exponential(V x) {
    const V most = broadcast(87.3365f), e = decay(least_of(most, x));
    return x > most ? broadcast(0.0f) : e;
}

// Sums are of at most so many numbers, and then of such sums: one chain over all would lose digits.
constexpr int CHAIN = 64;

template <class S>
static float largest_of(const typename S::Element* row, int64_t n) {
    V tops[4];
    for (V& top : tops) top = broadcast(-__builtin_inff());
    int64_t v = 0;
    for (; v + 4 * W <= n; v += 4 * W)
        for (int k = 0; k < 4; ++k) tops[k] = larger(S::load(row + v + k * W), tops[k]);
    for (; v < n; v += W) tops[0] = larger(load_some<S>(row + v, static_cast<int>(smaller<int64_t>(n - v, W))), tops[0]);
    float all[W], found = -__builtin_inff();
    store(all, larger(larger(tops[0], tops[1]), larger(tops[2], tops[3])));
    for (float one : all) found = larger(one, found);
    return found;
}

template <class S>
static float exponentials_of(typename S::Element* row, int64_t n, float largest) {
    const V top = broadcast(largest);
    const int64_t whole = n / W * W;
    V sum = broadcast(0.0f);
    for (int64_t begin = 0; begin < whole; begin += CHAIN * W) {
        V part = broadcast(0.0f);
        for (int64_t v = begin, end = smaller(whole, begin + CHAIN * W); v < end; v += W) {
            const V e = exponential(top - S::load(row + v));
            part = part + e;
            S::store(row + v, e);
        }
        sum = sum + part;
    }
    if (whole < n) {
        const V e = exponential(top - load_some<S>(row + whole, static_cast<int>(n - whole)));
        sum = sum + e;
        store_some<S>(row + whole, e, static_cast<int>(n - whole));
    }
    float all[W], found = 0.0f;
    store(all, sum);
    for (float one : all) found += one;
    return found;
}

// Adds the weighted sum of some rows to `total`, by blocks of columns that are few enough for their sums to stay in the first cache.
constexpr int BLOCK = 1024;
constexpr int64_t NEAR = 1 << 16;  // scores that are still in the second cache by then

template <class S>
static void add_total(const ostinato_softmax& run, int64_t begin, int64_t end, float* total) {
    for (int64_t first = 0; first < run.V; first += BLOCK) {
        alignas(64) float some[BLOCK] = {};
        const int64_t n = smaller<int64_t>(BLOCK, run.V - first), whole = n / W * W;
        for (int64_t m = begin; m < end; ++m) {
            const auto* row = static_cast<const typename S::Element*>(run.scores) + m * run.V + first;
            const V share = broadcast(run.weights[m] / run.sum[m]);
            int64_t v = 0;
            for (; v < whole; v += W) store(some + v, fma(S::load(row + v), share, load(some + v)));
            if (v < n) store(some + v, fma(load_some<S>(row + v, static_cast<int>(n - v)), share, load(some + v)));
        }
        for (int64_t v = 0; v < n; ++v) total[first + v] += some[v];
    }
}

// Each thread adds up its own rows, while they lie in its caches: reading columns of all rows would take longer than the rest.
template <class S>
static void compute(const ostinato_softmax& run) {
    const int threads = run.M * run.V < 1 << 15 ? 1 : static_cast<int>(run.threads);
    const int64_t together = larger<int64_t>(8, smaller<int64_t>(CHAIN, NEAR / run.V));
    Barrier barrier;
    in_parallel(threads, [&](int thread, int team) {
        float* total = run.total ? run.total + thread * run.V : nullptr;
        if (total) std::memset(total, 0, sizeof(float) * run.V);
        const Share own = Share::of(run.M, thread, team);
        for (int64_t begin = own.begin; begin < own.end; begin += together) {
            const int64_t end = smaller(begin + together, own.end);
            for (int64_t m = begin; m < end; ++m) {
                auto* row = static_cast<typename S::Element*>(run.scores) + m * run.V;
                run.largest[m] = largest_of<S>(row, run.V);
                run.sum[m] = exponentials_of<S>(row, run.V, run.largest[m]);
            }
            if (total) add_total<S>(run, begin, end, total);
        }
        if (!total) return;
        barrier.wait(team);
        const Share columns = Share::of(run.V, thread, team);
        for (int other = 1; other < team; ++other)
            for (int64_t v = columns.begin; v < columns.end; ++v) run.total[v] += run.total[other * run.V + v];
    });
}

void softmax(const ostinato_softmax& run) { run.bfloat16 ? compute<InBfloat16>(run) : compute<InFloat32>(run); }

}  // namespace OSTINATO_ISA
}  // namespace ostinato
