// Made by `make kernels` from the equations of cells/gru.py: do not edit.
// r_t = sigmoid(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)              reset gate
// z_t = sigmoid(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)              update gate
// n_t =    tanh(W_in x_t + b_in + r_t * (W_hn h_{t-1} + b_hn))      candidate
// h_t = (1 - z_t) * n_t + z_t * h_{t-1}
#pragma once

#include "cell.h"

namespace ostinato {
namespace OSTINATO_ISA {

struct Gru : Cell {
    static constexpr int gates = 3;
    static constexpr int apart = 1;
    static constexpr int saved = 4;  // r, z, hn, n
    static constexpr bool uses_h_before = true;
    static constexpr bool carries = true;
    static constexpr int input_order[] = {2, 0, 1};
    static constexpr int recurrent_order[] = {0, 1, 2};

    OSTINATO_INLINE void forward(Forward& s) {
        const V z = sigmoid(s.sum[1]);
        const V r = sigmoid(s.sum[0]);
        const V n = tanh(fma(r, s.sum[2], s.input[0]));
        s.h = fma(z, s.h_before - n, n);
        s.saved[0] = r;
        s.saved[1] = z;
        s.saved[2] = s.sum[2];
        s.saved[3] = n;
    }

    OSTINATO_INLINE void backward(Backward& s) {
        const V r = s.saved[0], z = s.saved[1], hn = s.saved[2], n = s.saved[3];
        const V one = broadcast(1.0f);
        s.carried = s.dh * z;
        const V not_z = one - z;
        s.planes[0] = s.dh * not_z * tanh_slope(n);
        s.planes[3] = s.planes[0] * r;
        s.planes[1] = s.planes[3] * hn * (one - r);
        s.planes[2] = s.carried * not_z * (s.h_before - n);
    }
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
