// Made by `make kernels` from the equations of cells/rnn.py: do not edit.
// h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh).
#pragma once

#include "cell.h"

namespace ostinato {
namespace OSTINATO_ISA {

struct Rnn : Cell {
    static constexpr int gates = 1;
    static constexpr int widest = 4;
    static constexpr bool uses_h = true;
    static constexpr int input_order[] = {0};
    static constexpr int recurrent_order[] = {0};

    OSTINATO_INLINE void forward(Forward& s) {
        s.h = tanh(s.sum[0]);
    }

    OSTINATO_INLINE void backward(Backward& s) {
        s.planes[0] = s.dh * tanh_slope(s.h);
    }
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
