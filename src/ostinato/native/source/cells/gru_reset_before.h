// r, z = sigmoid(..);  n = tanh(W_in x + b_in + W_hn (r * h') + b_hn);  h = (1 - z) * n + z * h'
#pragma once

#include "phased.h"

namespace ostinato {
namespace OSTINATO_ISA {

struct GruResetBefore : PhasedCell {
    static constexpr int gates = 3, first = 2, early = 1;
    static constexpr int saved = 3, late = 2;  // r, z, n
    static constexpr bool second_within = true, carries = true, uses_fed = true;

    OSTINATO_INLINE void forward(PhasedForward& s) {
        V r = sigmoid(s.input[0] + s.sum[0]), z = sigmoid(s.input[1] + s.sum[1]);
        s.operand = r * s.fed_before;
        s.saved[0] = r, s.saved[1] = z;
    }

    OSTINATO_INLINE void finish(PhasedForward& s) {
        V z = s.saved[1], n = tanh(s.input[2] + s.second);
        s.h = fma(z, s.h_before - n, n);
        s.late = n;
    }

    OSTINATO_INLINE void finish_backward(PhasedBackward& s) {
        const V one = broadcast(1.0f);
        V z = s.saved[1], n = s.saved[2];
        s.gates[1] = s.dh * (s.h_before - n) * z * (one - z);
        s.gates[2] = s.second = s.dh * (one - z) * tanh_slope(n);
        s.carried = s.dh * z;
    }

    OSTINATO_INLINE void backward(PhasedBackward& s) {
        V r = s.saved[0];
        s.gates[0] = s.d_operand * s.fed_before * r * (broadcast(1.0f) - r);
        s.fed = s.d_operand * r;
        s.operand = r * s.fed_before;
    }
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
