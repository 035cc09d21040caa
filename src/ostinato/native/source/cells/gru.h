// r, z = sigmoid(..);  n = tanh(W_in x + b_in + r * (W_hn h' + b_hn));  h = (1 - z) * n + z * h'
#pragma once

#include "cell.h"

namespace ostinato {
namespace OSTINATO_ISA {

struct Gru : Cell {
    static constexpr int gates = 3;
    static constexpr int apart = 1;  // n
    static constexpr int input_order[] = {2, 0, 1}, recurrent_order[] = {0, 1, 2};
    static constexpr int saved = 4;  // r, z, n, W_hn h' + b_hn
    static constexpr bool uses_h_before = true;
    static constexpr bool carries = true;

    OSTINATO_INLINE void forward(Forward& s) {
        V r = sigmoid(s.sum[0]), z = sigmoid(s.sum[1]);
        V n = tanh(fma(r, s.sum[2], s.input[0]));
        s.h = fma(z, s.h_before - n, n);
        s.saved[0] = r, s.saved[1] = z, s.saved[2] = n, s.saved[3] = s.sum[2];
    }

    OSTINATO_INLINE void backward(Backward& s) {
        const V one = broadcast(1.0f);
        V r = s.saved[0], z = s.saved[1], n = s.saved[2], product = s.saved[3];
        V dn = s.dh * (one - z) * tanh_slope(n);
        s.planes[0] = dn;
        s.planes[1] = dn * product * r * (one - r);
        s.planes[2] = s.dh * (s.h_before - n) * z * (one - z);
        s.planes[3] = dn * r;
        s.carried = s.dh * z;
    }
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
