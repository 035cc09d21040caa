// Masks of dropout: compiled once for each instruction set, and the same numbers in all of them.
//
// xoshiro128++ (Blackman, Vigna 2021, arXiv:1805.01407) in 16 lanes side by side, begun anew for each block of a mask, so that
// threads need not wait for each other's numbers. What a block begins with is its part of one splitmix64 sequence.
#include "kernels.h"
#include "threads.h"
#include "vectors.h"

namespace ostinato {
namespace OSTINATO_ISA {

namespace {

constexpr int LANES = 16;
constexpr int64_t BLOCK = 4096;  // numbers
typedef uint32_t Lanes __attribute__((vector_size(4 * LANES)));

OSTINATO_INLINE Lanes rotated(Lanes x, int by) { return x << by | x >> (32 - by); }

// The `index`-th number of a splitmix64 sequence.
OSTINATO_INLINE uint64_t split(uint64_t seed, uint64_t index) {
    uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

class Xoshiro {
public:
    Xoshiro(uint64_t seed, uint64_t block) {
        constexpr int WORDS = 2 * LANES;
        uint64_t words[WORDS];
        for (int i = 0; i < WORDS; ++i) words[i] = split(seed, block * WORDS + i);
        std::memcpy(state_, words, sizeof state_);
    }

    inline __attribute__((always_inline)) Lanes next() {
        Lanes(&s)[4] = state_;
        const Lanes result = rotated(s[0] + s[3], 7) + s[0], shifted = s[1] << 9;
        s[2] ^= s[0], s[3] ^= s[1], s[1] ^= s[2], s[0] ^= s[3], s[2] ^= shifted;
        s[3] = rotated(s[3], 11);
        return result;
    }

private:
    Lanes state_[4];
};

}  // namespace

void fill_mask(int64_t threads, int64_t n, int64_t seed, int64_t dropped, float kept, float* mask) {
    uint32_t bits;
    std::memcpy(&bits, &kept, sizeof bits);
    const Lanes least = Lanes{} + static_cast<uint32_t>(dropped), value = Lanes{} + bits;
    in_parallel(n < 8 * BLOCK ? 1 : static_cast<int>(threads), [&](int thread, int team) {
        const Share blocks = Share::of(ceil_div(n, BLOCK), thread, team);
        for (int64_t block = blocks.begin; block < blocks.end; ++block) {
            Xoshiro random(static_cast<uint64_t>(seed), static_cast<uint64_t>(block));
            for (int64_t i = block * BLOCK, end = smaller(i + BLOCK, n); i < end; i += LANES) {
                const Lanes numbers = reinterpret_cast<Lanes>(random.next() >= least) & value;
                std::memcpy(mask + i, &numbers, sizeof(float) * smaller<int64_t>(LANES, end - i));
            }
        }
    });
}

}  // namespace OSTINATO_ISA
}  // namespace ostinato
