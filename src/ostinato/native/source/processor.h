// What the processor and the system can do, asked at run time. Only library.cpp needs it.
#pragma once

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace ostinato {
namespace {

bool always() { return true; }

#if defined(__x86_64__)
// Register state that the system saves when it switches between threads: 6 is SSE and AVX, 0xe6 AVX-512 as well, 0x600e6
// the tiles of AMX too.
bool system_saves(unsigned wanted) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return false;
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & wanted) == wanted;
}

bool has_avx2() {
    unsigned a, b, c, d;
    if (!system_saves(0x6) || !__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_FMA)) return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX2);
}

bool has_avx512() {
    constexpr unsigned needed = bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL;
    unsigned a, b, c, d;
    return has_avx2() && system_saves(0xe6) && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & needed) == needed;
}

bool has_vnni() {
    constexpr unsigned bit_vnni = 1 << 11;
    unsigned a, b, c, d;
    return has_avx512() && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c & bit_vnni);
}

[[maybe_unused]] bool has_avx512_bf16() {
    constexpr unsigned bit_bf16 = 1 << 5;
    unsigned a, b, c, d;
    return has_avx512() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & bit_bf16);
}

// A process has to ask for the tile registers once, and the system has to grant them: they are 8 KiB for every thread.
[[maybe_unused]] bool tiles_granted() {
#if defined(__linux__)
    constexpr long request_permission = 0x1023, tile_data = 18;
    enum { UNKNOWN, GRANTED, REFUSED };
    static int answer = UNKNOWN;  // the same whoever asks first; a guarded static would need the C++ library
    if (__atomic_load_n(&answer, __ATOMIC_RELAXED) == UNKNOWN) {
        const bool granted = syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
        __atomic_store_n(&answer, granted ? GRANTED : REFUSED, __ATOMIC_RELAXED);
    }
    return __atomic_load_n(&answer, __ATOMIC_RELAXED) == GRANTED;
#else
    return false;
#endif
}

[[maybe_unused]] bool has_amx() {
    constexpr unsigned needed = 1u << 22 | 1u << 24;  // AMX-BF16, AMX-TILE
    unsigned a, b, c, d;
    if (!has_avx512_bf16() || !system_saves(0x600e6)) return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & needed) == needed && tiles_granted();
}
#endif

// What the processor says of its maker; "" where it says nothing.
const char* maker() {
#if defined(__x86_64__)
    static char name[13];
    unsigned a, b, c, d;
    if (!__get_cpuid(0, &a, &b, &c, &d)) return "";
    const unsigned letters[] = {b, d, c};
    for (int i = 0; i < 12; ++i) name[i] = static_cast<char>(letters[i / 4] >> 8 * (i % 4));
    return name;
#else
    return "";
#endif
}

}  // namespace
}  // namespace ostinato
