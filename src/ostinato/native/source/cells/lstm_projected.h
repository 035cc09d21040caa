// As lstm, but h = W_out (o * tanh(c))
#pragma once

#include "phased.h"

namespace ostinato {
namespace OSTINATO_ISA {

struct LstmProjected : PhasedCell {
    static constexpr int gates = 4, first = 4, early = 4;
    static constexpr int saved = 6;  // i, f, g, o, tanh(c), c
    static constexpr int memory = 5;
    static constexpr bool second_apart = true;

    OSTINATO_INLINE void forward(PhasedForward& s) {
        V i = sigmoid(s.input[0] + s.sum[0]), f = sigmoid(s.input[1] + s.sum[1]);
        V g = tanh(s.input[2] + s.sum[2]), o = sigmoid(s.input[3] + s.sum[3]);
        s.c = fma(f, s.c_before, i * g);
        V squashed = tanh(s.c);
        s.operand = o * squashed;
        s.saved[0] = i, s.saved[1] = f, s.saved[2] = g, s.saved[3] = o, s.saved[4] = squashed;
    }

    OSTINATO_INLINE void finish(PhasedForward& s) { s.h = s.second; }

    OSTINATO_INLINE void finish_backward(PhasedBackward& s) { s.second = s.dh; }

    OSTINATO_INLINE void backward(PhasedBackward& s) {
        const V one = broadcast(1.0f);
        V i = s.saved[0], f = s.saved[1], g = s.saved[2], o = s.saved[3], squashed = s.saved[4];
        V through = s.d_operand * o;
        V dc = fma(through, tanh_slope(squashed), s.dc);
        V dci = dc * i, dcf = dc * f;
        s.gates[0] = dci * g * (one - i);
        s.gates[1] = dcf * s.c_before * (one - f);
        s.gates[2] = dci * tanh_slope(g);
        s.gates[3] = through * squashed * (one - o);
        s.dc = dcf;
        s.operand = o * squashed;
    }
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
