// i, f, o = sigmoid(..), g = tanh(..);  c = f * c' + i * g;  h = o * tanh(c)
#pragma once

#include "cell.h"

namespace ostinato {
namespace OSTINATO_ISA {

struct Lstm : Cell {
    static constexpr int gates = 4;
    static constexpr int input_order[] = {0, 1, 2, 3}, recurrent_order[] = {0, 1, 2, 3};
    static constexpr int saved = 5;  // i, f, g, o, c
    static constexpr int memory = 4;

    OSTINATO_INLINE void forward(Forward& s) {
        V i = sigmoid(s.sum[0]), f = sigmoid(s.sum[1]), g = tanh(s.sum[2]), o = sigmoid(s.sum[3]);
        s.c = fma(f, s.c_before, i * g);
        s.h = o * tanh(s.c);
        s.saved[0] = i, s.saved[1] = f, s.saved[2] = g, s.saved[3] = o, s.saved[4] = s.c;
    }

    OSTINATO_INLINE void backward(Backward& s) {
        const V one = broadcast(1.0f);
        V i = s.saved[0], f = s.saved[1], g = s.saved[2], o = s.saved[3], squashed = tanh(s.saved[4]);
        V dho = s.dh * o;
        V dc = fma(dho, tanh_slope(squashed), s.dc);
        V dci = dc * i, dcf = dc * f;
        s.planes[0] = dci * g * (one - i);
        s.planes[1] = dcf * s.saved_before * (one - f);
        s.planes[2] = dci * tanh_slope(g);
        s.planes[3] = dho * squashed * (one - o);
        s.dc = dcf;
    }
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
