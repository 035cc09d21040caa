// The recurrence of every cell for one instruction set: compiled once for each, with OSTINATO_ISA its name.
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

template <template <class, class> class Pass, class C>
static int64_t bytes(const ostinato_run& run) {
    return noisy(run) ? Pass<Noisy<C>, Single>(run, nullptr).bytes() : Pass<C, Single>(run, nullptr).bytes();
}

template <template <class, class> class Pass, class C>
static void compute(const ostinato_run& run) {
    if (noisy(run))
        Pass<Noisy<C>, Single>(run, run.workspace).compute();
    else
        Pass<C, Single>(run, run.workspace).compute();
}

template <class C>
static int64_t packed_size(const ostinato_run& run) {
    return noisy(run) ? ForwardPass<Noisy<C>, Single>(run, nullptr).packed_bytes() : ForwardPass<C, Single>(run, nullptr).packed_bytes();
}

template <class C>
static void pack(const ostinato_run& run) {
    if (noisy(run))
        ForwardPass<Noisy<C>, Single>(run, nullptr).pack_all();
    else
        ForwardPass<C, Single>(run, nullptr).pack_all();
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
