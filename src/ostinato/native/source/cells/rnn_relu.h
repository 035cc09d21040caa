// h = max(0, W_ih x + b_ih + W_hh h' + b_hh)
#pragma once

#include "cell.h"

namespace ostinato {
namespace OSTINATO_ISA {

struct RnnRelu : Cell {
    static constexpr int gates = 1;
    static constexpr int input_order[] = {0}, recurrent_order[] = {0};
    static constexpr int widest = 4;
    static constexpr bool uses_h = true;

    // Both comparisons let NaN through, as torch's do.
    OSTINATO_INLINE void forward(Forward& s) { s.h = s.sum[0] < broadcast(0.0f) ? broadcast(0.0f) : s.sum[0]; }

    OSTINATO_INLINE void backward(Backward& s) { s.planes[0] = s.h <= broadcast(0.0f) ? broadcast(0.0f) : s.dh; }
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
