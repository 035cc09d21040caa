// Made by `make kernels` from the equations of cells/rnn_relu.py: do not edit.
// h_t = max(0, W_ih x_t + b_ih + W_hh h_{t-1} + b_hh).
#pragma once

#include "cell.h"

namespace ostinato {
namespace OSTINATO_ISA {

struct RnnRelu : Cell {
    static constexpr int gates = 1;
    static constexpr int widest = 4;
    static constexpr bool uses_h = true;
    static constexpr int input_order[] = {0};
    static constexpr int recurrent_order[] = {0};

    OSTINATO_INLINE void forward(Forward& s) {
        s.h = most_of(broadcast(0.0f), s.sum[0]);
    }

    OSTINATO_INLINE void backward(Backward& s) {
        s.planes[0] = select(s.h <= broadcast(0.0f), broadcast(0.0f), s.dh);
    }
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
