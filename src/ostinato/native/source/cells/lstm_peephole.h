// Made by `make kernels` from the equations of cells/lstm_peephole.py: do not edit.
// i_t = sigmoid(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi + w_ci * c_{t-1})
// f_t = sigmoid(W_if x_t + b_if + W_hf h_{t-1} + b_hf + w_cf * c_{t-1})
// g_t =    tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)
// c_t = f_t * c_{t-1} + i_t * g_t
// o_t = sigmoid(W_io x_t + b_io + W_ho h_{t-1} + b_ho + w_co * c_t)
// h_t = o_t * tanh(c_t)
#pragma once

#include "cell.h"

namespace ostinato {
namespace OSTINATO_ISA {

struct LstmPeephole : Cell {
    static constexpr int gates = 4;
    static constexpr int saved = 5;  // i, f, g, o, c
    static constexpr int memory = 4;
    static constexpr int extra = 3;
    static constexpr int input_order[] = {0, 1, 2, 3};
    static constexpr int recurrent_order[] = {0, 1, 2, 3};

    OSTINATO_INLINE void forward(Forward& s) {
        const V f = sigmoid(fma(s.extra[1], s.c_before, s.sum[1]));
        const V i = sigmoid(fma(s.extra[0], s.c_before, s.sum[0]));
        const V g = tanh(s.sum[2]);
        s.c = fma(f, s.c_before, i * g);
        const V o = sigmoid(fma(s.extra[2], s.c, s.sum[3]));
        s.h = o * tanh(s.c);
        s.saved[0] = i;
        s.saved[1] = f;
        s.saved[2] = g;
        s.saved[3] = o;
        s.saved[4] = s.c;
    }

    OSTINATO_INLINE void backward(Backward& s) {
        const V i = s.saved[0], f = s.saved[1], g = s.saved[2], o = s.saved[3], c = s.saved[4];
        const V one = broadcast(1.0f);
        const V dh_o = s.dh * o;
        const V tanh_c = tanh(c);
        s.planes[3] = dh_o * tanh_c * (one - o);
        const V dc = fma(s.planes[3], s.extra[2], fma(dh_o, tanh_slope(tanh_c), s.dc));
        const V dg = dc * i;
        s.planes[2] = dg * tanh_slope(g);
        s.planes[0] = dg * g * (one - i);
        const V dc_f = dc * f;
        s.planes[1] = dc_f * s.saved_before * (one - f);
        s.d_extra[0] = fma(s.planes[0], s.saved_before, s.d_extra[0]);
        s.d_extra[1] = fma(s.planes[1], s.saved_before, s.d_extra[1]);
        s.d_extra[2] = fma(s.planes[3], c, s.d_extra[2]);
        s.dc = fma(s.planes[1], s.extra[1], fma(s.planes[0], s.extra[0], dc_f));
    }
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
