// Memory for large arrays.
#pragma once

#include <sys/mman.h>

#include <cstdint>

namespace ostinato {

// Fresh memory comes in pages of 4 KiB, each at the price of an interrupt, a quarter of the time of a large forward
// pass. Asks for large pages where an array is about to be written for the first time; no more than a hint.
inline void expect_large(const float* array, int64_t floats) {
#if defined(MADV_HUGEPAGE)
    constexpr uintptr_t page = 2 << 20;
    const uintptr_t begin = (reinterpret_cast<uintptr_t>(array) + page - 1) / page * page;
    const uintptr_t end = (reinterpret_cast<uintptr_t>(array) + sizeof(float) * floats) / page * page;
    if (array && end >= begin + 2 * page) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#endif
}

}  // namespace ostinato
