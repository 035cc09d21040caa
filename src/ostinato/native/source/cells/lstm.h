// Made by `make kernels` from the equations of cells/lstm.py: do not edit.
// i_t = sigmoid(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi)      input gate
// f_t = sigmoid(W_if x_t + b_if + W_hf h_{t-1} + b_hf)      forget gate
// g_t =    tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)      candidate
// o_t = sigmoid(W_io x_t + b_io + W_ho h_{t-1} + b_ho)      output gate
// c_t = f_t * c_{t-1} + i_t * g_t
// h_t = o_t * tanh(c_t), or W_hr (o_t * tanh(c_t)) with projection
#pragma once

#include "cell.h"

namespace ostinato {
namespace OSTINATO_ISA {

struct Lstm : Cell {
    static constexpr int gates = 4;
    static constexpr int saved = 5;  // i, f, g, o, c
    static constexpr int memory = 4;
    static constexpr int input_order[] = {0, 1, 2, 3};
    static constexpr int recurrent_order[] = {0, 1, 2, 3};

    OSTINATO_INLINE void forward(Forward& s) {
        const V f = sigmoid(s.sum[1]);
        const V i = sigmoid(s.sum[0]);
        const V g = tanh(s.sum[2]);
        s.c = fma(f, s.c_before, i * g);
        const V o = sigmoid(s.sum[3]);
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
        const V dc = fma(dh_o, tanh_slope(tanh_c), s.dc);
        const V dg = dc * i;
        s.planes[2] = dg * tanh_slope(g);
        s.planes[0] = dg * g * (one - i);
        const V dc_f = dc * f;
        s.planes[1] = dc_f * s.saved_before * (one - f);
        s.planes[3] = dh_o * tanh_c * (one - o);
        s.dc = dc_f;
    }
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
