// The recurrence of every cell for one instruction set: compiled once for each, with OSTINATO_ISA its name.
#include "backward.h"
#include "cells/gru.h"
#include "cells/lstm.h"
#include "cells/lstm_peephole.h"
#include "cells/rnn.h"
#include "cells/rnn_relu.h"
#include "forward.h"
#include "kernels.h"

namespace ostinato {
namespace OSTINATO_ISA {

template <class C>
static constexpr CellKernels kernels_of(const char* name) {
    return {
        name,
        C::saved,
        C::memory >= 0,
        [](const ostinato_run& run, bool backward) {
            return backward ? BackwardPass<C, Single>(run, nullptr).bytes() : ForwardPass<C, Single>(run, nullptr).bytes();
        },
        [](const ostinato_run& run) { ForwardPass<C, Single>(run, run.workspace).compute(); },
        [](const ostinato_run& run) { BackwardPass<C, Single>(run, run.workspace).compute(); },
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
