// hidden = tanh(W_ih x + b_ih + W_hh h' + b_hh);  h = tanh(W_out hidden + b_out)
#pragma once

#include "phased.h"

namespace ostinato {
namespace OSTINATO_ISA {

struct Jordan : PhasedCell {
    static constexpr int gates = 1, first = 1, early = 1;
    static constexpr int saved = 1;  // hidden
    static constexpr bool second_apart = true, keeps_output = true;

    OSTINATO_INLINE void forward(PhasedForward& s) { s.operand = s.saved[0] = tanh(s.input[0] + s.sum[0]); }

    OSTINATO_INLINE void finish(PhasedForward& s) { s.h = tanh(s.second); }

    OSTINATO_INLINE void finish_backward(PhasedBackward& s) {
        s.second = s.dh * tanh_slope(s.own_output);
    }

    OSTINATO_INLINE void backward(PhasedBackward& s) {
        V hidden = s.saved[0];
        s.gates[0] = s.d_operand * tanh_slope(hidden);
        s.operand = hidden;
    }
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
