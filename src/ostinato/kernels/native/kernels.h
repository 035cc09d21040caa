// What one build of the recurrence offers: a pass forward and one backward for each cell.
#pragma once

#include "ostinato.h"

namespace ostinato {

// Whether this process was forked off one that had loaded the library. Its team of threads was not copied, and the runtime
// of OpenMP would wait for it for ever: such a process works alone.
extern bool in_forked_process;

struct CellKernels {
    const char* name;
    bool memory;
    bool projects;  // R may differ from H
    int64_t (*saved)(int64_t H, int64_t R, bool noisy);  // floats that a row and step keeps for backward
    int64_t (*workspace)(const ostinato_run&, bool backward);
    int64_t (*packed_size)(const ostinato_run&);
    void (*pack)(const ostinato_run&);
    void (*forward)(const ostinato_run&);
    void (*backward)(const ostinato_run&);
};

// static: a copy for each build, see vectors.h
static inline bool noisy(const ostinato_run& run) { return run.recurrent_mask || run.zoneout_h || run.zoneout_c; }

// In the same order in every build; the last has no name. A cell without functions is not computed in the build's precision.
using CellTable = const CellKernels*;

}  // namespace ostinato
