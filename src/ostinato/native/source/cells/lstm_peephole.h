// As lstm; input and forget gate also see w_ci * c' and w_cf * c', the output gate w_co * c
#pragma once

#include "cell.h"

namespace ostinato {
namespace OSTINATO_ISA {

struct LstmPeephole : Cell {
    static constexpr int gates = 4;
    static constexpr int input_order[] = {0, 1, 2, 3}, recurrent_order[] = {0, 1, 2, 3};
    static constexpr int saved = 5;  // i, f, g, o, c
    static constexpr int memory = 4;
    static constexpr int extra = 3;  // w_ci, w_cf, w_co

    OSTINATO_INLINE void forward(Forward& s) {
        V i = sigmoid(fma(s.extra[0], s.c_before, s.sum[0]));
        V f = sigmoid(fma(s.extra[1], s.c_before, s.sum[1]));
        V g = tanh(s.sum[2]);
        s.c = fma(f, s.c_before, i * g);
        V o = sigmoid(fma(s.extra[2], s.c, s.sum[3]));
        s.h = o * tanh(s.c);
        s.saved[0] = i, s.saved[1] = f, s.saved[2] = g, s.saved[3] = o, s.saved[4] = s.c;
    }

    OSTINATO_INLINE void backward(Backward& s) {
        const V one = broadcast(1.0f);
        V i = s.saved[0], f = s.saved[1], g = s.saved[2], o = s.saved[3], c = s.saved[4], squashed = tanh(c);
        V dho = s.dh * o;
        V d_o = dho * squashed * (one - o);
        V dc = fma(d_o, s.extra[2], fma(dho, tanh_slope(squashed), s.dc));
        V dci = dc * i, dcf = dc * f;
        V d_i = dci * g * (one - i);
        V d_f = dcf * s.saved_before * (one - f);
        s.planes[0] = d_i, s.planes[1] = d_f, s.planes[2] = dci * tanh_slope(g), s.planes[3] = d_o;
        s.dc = fma(d_i, s.extra[0], fma(d_f, s.extra[1], dcf));
        s.d_extra[0] = fma(d_i, s.saved_before, s.d_extra[0]);
        s.d_extra[1] = fma(d_f, s.saved_before, s.d_extra[1]);
        s.d_extra[2] = fma(d_o, c, s.d_extra[2]);
    }
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
