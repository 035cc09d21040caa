// As lstm, each gate's sum  gain_x * norm(W_ih x) + gain_h * norm(W_hh h') + b,  and  h = o * tanh(gain_c * norm(c) + shift_c)
#pragma once

#include "phased.h"

namespace ostinato {
namespace OSTINATO_ISA {

struct LstmLayerNorm : PhasedCell {
    static constexpr int gates = 4, first = 4, early = 3;
    static constexpr int saved = 14;  // i, f, g, o, c, norm(c), norm(W_ih x), norm(W_hh h')
    static constexpr int memory = 4, late = 5;
    static constexpr int extra = 10;  // gain_x, gain_h, gain_c, shift_c
    static constexpr bool normalised = true;

    OSTINATO_INLINE V sum(const PhasedForward& s, int g) {
        return fma(s.extra[g], s.input[g], fma(s.extra[4 + g], s.sum[g], s.bias[g]));
    }

    OSTINATO_INLINE void forward(PhasedForward& s) {
        V i = sigmoid(sum(s, 0)), f = sigmoid(sum(s, 1)), g = tanh(sum(s, 2)), o = sigmoid(sum(s, 3));
        s.operand = s.c = fma(f, s.c_before, i * g);
        s.saved[0] = i, s.saved[1] = f, s.saved[2] = g, s.saved[3] = o;
        for (int k = 0; k < 4; ++k) s.saved[6 + k] = s.input[k], s.saved[10 + k] = s.sum[k];
    }

    OSTINATO_INLINE void finish(PhasedForward& s) {
        s.h = s.saved[3] * tanh(fma(s.extra[8], s.second, s.extra[9]));
        s.late = s.second;
    }

    OSTINATO_INLINE void finish_backward(PhasedBackward& s) {
        const V one = broadcast(1.0f);
        V o = s.saved[3], norm = s.saved[5], squashed = tanh(fma(s.extra[8], norm, s.extra[9]));
        V inner = s.dh * o * tanh_slope(squashed);
        s.gates[3] = s.dh * squashed * o * (one - o);
        s.second = inner * s.extra[8];
        s.d_extra[8] = fma(inner, norm, s.d_extra[8]);
        s.d_extra[9] = s.d_extra[9] + inner;
    }

    OSTINATO_INLINE void backward(PhasedBackward& s) {
        const V one = broadcast(1.0f);
        V i = s.saved[0], f = s.saved[1], g = s.saved[2], dc = s.dc + s.d_operand;
        V dci = dc * i, dcf = dc * f;
        s.gates[0] = dci * g * (one - i);
        s.gates[1] = dcf * s.c_before * (one - f);
        s.gates[2] = dci * tanh_slope(g);
        s.dc = dcf;
        for (int k = 0; k < 4; ++k) {
            s.d_extra[k] = fma(s.gates[k], s.saved[6 + k], s.d_extra[k]);
            s.d_extra[4 + k] = fma(s.gates[k], s.saved[10 + k], s.d_extra[4 + k]);
            s.d_input[k] = s.gates[k] * s.extra[k];
            s.d_sum[k] = s.gates[k] * s.extra[4 + k];
        }
    }
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
