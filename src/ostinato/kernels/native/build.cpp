// The recurrence of every cell for one instruction set and the precision of its products: compiled once for each, with
// OSTINATO_ISA the name of the set and OSTINATO_OPERANDS that of the precision's struct in operands.h.
#include "backward.h"
#include "cells/gru.h"
#include "cells/lstm.h"
#include "cells/lstm_peephole.h"
#include "cells/rnn.h"
#include "cells/rnn_relu.h"
#include "forward.h"
#include "kernels.h"
#include "noise.h"

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
        C::saved,
        Noisy<C>::saved,
        C::memory >= 0,
        [](const ostinato_run& run, bool backward) {
            return backward ? bytes<BackwardPass, C>(run) : bytes<ForwardPass, C>(run);
        },
        packed_size<C>,
        pack<C>,
        compute<ForwardPass, C>,
        compute<BackwardPass, C>,
    };
}

extern const CellKernels cells[];
const CellKernels cells[] = {
    kernels_of<Rnn>("rnn"),
    kernels_of<RnnRelu>("rnn_relu"),
    kernels_of<Lstm>("lstm"),
    kernels_of<LstmPeephole>("lstm_peephole"),
    kernels_of<Gru>("gru"),
    {},
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
