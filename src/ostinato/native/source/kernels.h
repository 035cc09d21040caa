// What one build of the recurrence offers: a pass forward and one backward for each cell.
#pragma once

#include "ostinato.h"

struct ostinato_program;  // of program.h

namespace ostinato {

// How a team of threads starts: functions of the OpenMP runtime that the process has, see ostinato_use_openmp. No code here is
// compiled for OpenMP, which would tie each library to the runtime of its compiler, beside the one that torch brings.
struct Team {
    void (*parallel)(void (*body)(void*), void* shared, unsigned threads, unsigned flags);  // GOMP_parallel
    int (*thread)();   // omp_get_thread_num
    int (*threads)();  // omp_get_num_threads
};

// Without functions, where no runtime was named or in a process that was forked off: to that the threads were not copied, and
// the runtime would wait for them for ever. Then each call works alone.
extern const Team* team;

struct CellKernels {
    const char* name = nullptr;
    bool memory = false;
    bool projects = false;  // R may differ from H
    int64_t (*saved)(int64_t H, int64_t R, bool noisy) = nullptr;  // floats that a row and step keeps for backward
    int64_t (*workspace)(const ostinato_run&, bool backward) = nullptr;
    int64_t (*packed_size)(const ostinato_run&) = nullptr;
    void (*pack)(const ostinato_run&) = nullptr;
    void (*forward)(const ostinato_run&) = nullptr;
    void (*backward)(const ostinato_run&) = nullptr;
};

// The same for cells that were compiled from their equations.
struct ProgramKernels {
    int64_t (*workspace)(const ostinato_program&, bool backward);
    void (*compute)(const ostinato_program&, bool backward);
    int64_t (*packed_size)(const ostinato_program&);
    void (*pack)(const ostinato_program&);
};

// static: a copy for each build, see vectors.h
static inline bool noisy(const ostinato_run& run) { return run.recurrent_mask || run.zoneout_h || run.zoneout_c; }

// A linear layer of 8 bits.
struct LinearKernels {
    int64_t (*workspace)(const ostinato_linear&);
    int64_t (*packed_size)(const ostinato_linear&);
    void (*pack)(const ostinato_linear&);
    void (*compute)(const ostinato_linear&);
};

// A product of matrices.
struct MatmulKernels {
    int64_t (*workspace)(const ostinato_matmul&);
    void (*compute)(const ostinato_matmul&);
};

// See ostinato_fill_mask.
using MaskFilling = void(int64_t threads, int64_t n, int64_t seed, int64_t dropped, float kept, float* mask);

// In the same order in every build; the last has no name. A cell without functions is not computed in the build's precision.
using CellTable = const CellKernels*;

}  // namespace ostinato
