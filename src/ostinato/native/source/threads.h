// A team of threads: its work in equal parts, and threads that wait for each other.
#pragma once

#include <sched.h>
#include <unistd.h>

#include <climits>
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

#include "kernels.h"
#include "vectors.h"

namespace ostinato {
namespace OSTINATO_ISA {

// Threads meet here. They spin at first: a step takes microseconds, and waking a sleeping thread takes as long. Who waits
// longer does so for a thread that another program keeps from its processor, and sleeps, so that the system can give it this one.
class Barrier {
public:
    void wait(int threads) {
        if (threads == 1) return;
        int phase = __atomic_load_n(&phase_, __ATOMIC_RELAXED);
        if (__atomic_add_fetch(&arrived_, 1, __ATOMIC_ACQ_REL) == threads) {
            __atomic_store_n(&arrived_, 0, __ATOMIC_RELAXED);
            __atomic_store_n(&phase_, phase + 1, __ATOMIC_SEQ_CST);
            if (__atomic_load_n(&asleep_, __ATOMIC_SEQ_CST)) wake();
            return;
        }
        for (int spins = 0; spins < kSpins; ++spins) {
            if (__atomic_load_n(&phase_, __ATOMIC_ACQUIRE) != phase) return;
#if defined(__x86_64__)
            _mm_pause();
#endif
        }
        __atomic_add_fetch(&asleep_, 1, __ATOMIC_SEQ_CST);
        while (__atomic_load_n(&phase_, __ATOMIC_SEQ_CST) == phase) sleep_unless_past(phase);
        __atomic_sub_fetch(&asleep_, 1, __ATOMIC_SEQ_CST);
    }

private:
    static constexpr int kSpins = 4096;

#if defined(__linux__)
    void sleep_unless_past(int phase) { syscall(SYS_futex, &phase_, FUTEX_WAIT_PRIVATE, phase, nullptr, nullptr, 0); }
    void wake() { syscall(SYS_futex, &phase_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0); }
#else
    void sleep_unless_past(int) { sched_yield(); }
    void wake() {}
#endif

    alignas(64) int arrived_ = 0;
    alignas(64) int phase_ = 0;
    int asleep_ = 0;
};

// The part of [0, n) that is a thread's own.
struct Share {
    int64_t begin, end;
    OSTINATO_INLINE Share of(int64_t n, int thread, int threads) { return {n * thread / threads, n * (thread + 1) / threads}; }
};

template <class Body>
static void in_parallel(int threads, const Body& body) {
    if (threads == 1 || !team || !team->parallel) return body(0, 1);
    const auto share = [](void* shared) { (*static_cast<const Body*>(shared))(team->thread(), team->threads()); };
    team->parallel(share, const_cast<Body*>(&body), static_cast<unsigned>(threads), 0);
}

}  // namespace OSTINATO_ISA
}  // namespace ostinato
