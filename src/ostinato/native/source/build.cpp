// The recurrence of every cell for one instruction set and the precision of its products: compiled once for each, with
// OSTINATO_ISA the name of the set and OSTINATO_OPERANDS that of the precision's struct in operands.h.
#include <type_traits>

#include "backward.h"
#include "cells/all.h"
#include "cells/gru_reset_before.h"
#include "cells/jordan.h"
#include "cells/lstm_layer_norm.h"
#include "cells/lstm_projected.h"
#include "forward.h"
#include "kernels.h"
#include "noise.h"
#include "phased_backward.h"
#include "phased_forward.h"

namespace ostinato {
namespace OSTINATO_ISA {

using P = OSTINATO_OPERANDS;

template <template <class, class> class Pass, class C>
static int64_t bytes(const ostinato_run& run) {
    return noisy(run) ? Pass<Noisy<C>, P>(run, nullptr).bytes() : Pass<C, P>(run, nullptr).bytes();
}

template <template <class, class> class Pass, class C>
static void compute(const ostinato_run& run) {
    if (noisy(run))
        Pass<Noisy<C>, P>(run, run.workspace).compute();
    else
        Pass<C, P>(run, run.workspace).compute();
}

template <class C>
static int64_t packed_size(const ostinato_run& run) {
    return noisy(run) ? ForwardPass<Noisy<C>, P>(run, nullptr).packed_bytes() : ForwardPass<C, P>(run, nullptr).packed_bytes();
}

template <class C>
static void pack(const ostinato_run& run) {
    if (noisy(run))
        ForwardPass<Noisy<C>, P>(run, nullptr).pack_all();
    else
        ForwardPass<C, P>(run, nullptr).pack_all();
}

template <class C>
static constexpr CellKernels kernels_of(const char* name) {
    return {
        name,
        C::memory >= 0,
        false,
        [](int64_t H, int64_t, bool noisy) { return (noisy ? Noisy<C>::saved : C::saved) * ceil_div(H, 16) * 16; },
        [](const ostinato_run& run, bool backward) {
            return backward ? bytes<BackwardPass, C>(run) : bytes<ForwardPass, C>(run);
        },
        packed_size<C>,
        pack<C>,
        compute<ForwardPass, C>,
        compute<BackwardPass, C>,
    };
}

// The same of cells whose step takes phases, which deal with noise as they run. Their products are of float32 always, so a
// build for another precision has no more than their names.
template <class C>
static constexpr CellKernels phased(const char* name) {
    if constexpr (!std::is_same_v<P, Single>) return {name};
    else return {
        name,
        C::memory >= 0,
        C::second_apart,
        [](int64_t H, int64_t R, bool) { return Kept<C>(H, R).size; },
        [](const ostinato_run& run, bool backward) {
            return backward ? PhasedBackwardPass<C>(run, nullptr).bytes() : PhasedForwardPass<C>(run, nullptr).bytes();
        },
        [](const ostinato_run& run) { return PhasedForwardPass<C>(run, nullptr).packed_bytes(); },
        [](const ostinato_run& run) { PhasedForwardPass<C>(run, nullptr).pack_all(); },
        [](const ostinato_run& run) { PhasedForwardPass<C>(run, run.workspace).compute(); },
        [](const ostinato_run& run) { PhasedBackwardPass<C>(run, run.workspace).compute(); },
    };
}

#define OSTINATO_FUSED(C, name) kernels_of<C>(name),

extern const CellKernels cells[];
const CellKernels cells[] = {
    OSTINATO_FUSED_CELLS(OSTINATO_FUSED)
    phased<GruResetBefore>("gru_reset_before"),
    phased<LstmLayerNorm>("lstm_layer_norm"),
    phased<LstmProjected>("lstm_projected"),
    phased<Jordan>("jordan"),
    {},
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
