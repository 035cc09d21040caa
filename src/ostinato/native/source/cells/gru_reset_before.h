// Made by `make kernels` from the equations of cells/gru_reset_before.py: do not edit.
// r_t = sigmoid(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)              reset gate
// z_t = sigmoid(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)              update gate
// n_t =    tanh(W_in x_t + b_in + W_hn (r_t * h_{t-1}) + b_hn)      candidate
// h_t = (1 - z_t) * n_t + z_t * h_{t-1}
#pragma once

#include "../adapted.h"

namespace ostinato {
namespace OSTINATO_ISA {

struct GruResetBeforePlain {
    const int64_t D, H, R, h = plane(H), r = plane(R);
    static constexpr RunOperand matrices[] = {{&ostinato_run::weight_ih, &ostinato_run::grad_weight_ih},
        {&ostinato_run::weight_hh, &ostinato_run::grad_weight_hh}};
    static constexpr RunOperand vectors[] = {{&ostinato_run::bias_ih, &ostinato_run::grad_bias_ih},
        {&ostinato_run::bias_hh, &ostinato_run::grad_bias_hh}};
    const int64_t state_size = h;
    const int64_t kept_size = 4 * h;
    const int64_t vectors_size = 3 * h;
    const int64_t output_width = H;
    const int64_t forward_scratch = 4 * h;
    const int64_t forward_chunk = 3 * h;
    const int64_t backward_scratch = 4 * h;
    const int64_t backward_chunk = 4 * h;
    const ostinato_product product[3] = {{0, 0, 3, 0, 1, 0}, {1, 3, 2, 1, 1, 0}, {2, 5, 1, 2, 1, 2 * h}};
    const ostinato_piece piece[6] = {{0, H, H, 0, H}, {0, 2 * H, H, 0, 2 * H}, {0, 0, H, 0, 0}, {1, H, H, -1, 0}, {1, 0,
        H, -1, 0}, {1, 2 * H, H, -1, 0}};
    const ostinato_operand operand[3] = {{5, 0, D, 0}, {0, 0, H, 0}, {2, 3 * h, H, 0}};
    const ostinato_back back[3] = {{0, 0, 3, 0, 0, D, 0}, {1, 3, 1, 0, 0, H, 0}, {2, 4, 2, h, 0, H, 0}};
    const ostinato_source source[6] = {{0, 0, H, 0, 0}, {0, 2 * H, H, 0, h}, {0, H, H, 0, 2 * h}, {1, 2 * H, H, 0, h},
        {1, 0, H, 0, 0}, {1, H, H, 0, 2 * h}};
    const ostinato_weight_gradient weight_gradient[6] = {{0, 0, H, 0, 0, 5, 0, D}, {0, 2 * H, H, 0, h, 5, 0, D}, {0, H,
        H, 0, 2 * h, 5, 0, D}, {1, 0, H, 0, 0, 0, 0, H}, {1, H, H, 0, 2 * h, 0, 0, H}, {1, 2 * H, H, 0, h, 3, 3 * h,
        H}};
    const ostinato_vector_part vector_gradient[6] = {{1, 2 * H, H, h}, {0, 2 * H, H, h}, {1, 0, H, 0}, {0, 0, H, 0}, {1,
        H, H, 2 * h}, {0, H, H, 2 * h}};
    const ostinato_vector_part vector_part[3] = {{1, 2 * H, H, 0}, {1, 0, H, h}, {1, H, H, 2 * h}};
    const ostinato_state_part state_part[1] = {{0, 0, H, 0, 0, -1}};
    const int64_t input_width[1] = {D};
    const int64_t field_width[1] = {H};
    const int64_t matrix_shape[4] = {3 * H, D, 3 * H, H};
    const int64_t vector_width[2] = {3 * H, 3 * H};
    const int64_t forward_numbers[19] = {H, 0, 0, 2 * h, h, 2 * h, h, h, 2 * h, 0, 3 * h, H, h, 2 * h, 0, 3 * h, 0, 0,
        0};
    const int64_t backward_numbers[18] = {H, 2 * h, 0, 3 * h, 0, 0, h, 2 * h, 3 * h, h, 2 * h, H, 0, 3 * h, 0, H, h, 0};

    static void forward_1(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.chunk + n[1];
            float* p1 = r.scratch + n[2];
            const float* p2 = r.vectors + n[3];
            float* p3 = r.kept + n[4];
            float* p4 = r.chunk + n[5];
            float* p5 = r.scratch + n[6];
            const float* p6 = r.vectors + n[7];
            float* p7 = r.kept + n[8];
            const float* p8 = r.before + n[9];
            float* p9 = r.scratch + n[10];
            for (int64_t at = 0, w = n[0]; at < w; at += W) {
                store(p3 + at, sigmoid(load(p0 + at) + (load(p1 + at) + load(p2 + at))));
                const V v22 = sigmoid(load(p4 + at) + (load(p5 + at) + load(p6 + at)));
                store(p7 + at, v22);
                store(p9 + at, v22 * load(p8 + at));
            }
        }
    }
    static void forward_2(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.chunk + n[12];
            float* p1 = r.scratch + n[13];
            const float* p2 = r.vectors + n[14];
            float* p3 = r.kept + n[15];
            float* p4 = r.kept + n[4];
            const float* p5 = r.before + n[9];
            float* p6 = r.results[0] + n[16];
            float* p7 = r.after + n[17];
            float* p8 = r.kept + n[18];
            for (int64_t at = 0, w = n[11]; at < w; at += W) {
                const int there = within(w - at);
                const V v28 = tanh(load(p0 + at) + (load(p1 + at) + load(p2 + at)));
                store(p3 + at, v28);
                const V v56 = fma(load(p4 + at), load(p5 + at) - v28, v28);
                store_part(p6 + at, v56, there);
                store(p7 + at, v56);
                store(p8 + at, v56);
            }
        }
    }

    static constexpr ostinato_stage forward_stages[] = {nullptr, forward_1, forward_2};
    static constexpr int64_t forward_over_chunk = 0;

    static void backward_0(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.kept + n[1];
            const float* p1 = r.before + n[2];
            float* p2 = r.chunk + n[3];
            const float* p3 = r.output_gradient + n[4];
            const float* p4 = r.upstream + n[5];
            float* p5 = r.kept + n[6];
            float* p6 = r.scratch + n[7];
            float* p7 = r.kept + n[8];
            float* p8 = r.chunk + n[9];
            float* p9 = r.chunk + n[10];
            for (int64_t at = 0, w = n[0]; at < w; at += W) {
                const int there = within(w - at);
                const V v4 = load(p1 + at);
                store(p2 + at, load(p0 + at) * v4);
                const V v34 = load_part(p3 + at, there) + load(p4 + at);
                const V v9 = load(p5 + at);
                const V v36 = v34 * v9;
                store(p6 + at, v36);
                const V v11 = broadcast(1.0f) - v9;
                const V v28 = load(p7 + at);
                store(p8 + at, v34 * v11 * tanh_slope(v28));
                store(p9 + at, v36 * v11 * (v4 - v28));
            }
        }
    }
    static void backward_1(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.scratch + n[12];
            float* p1 = r.kept + n[1];
            float* p2 = r.scratch + n[13];
            const float* p3 = r.before + n[2];
            float* p4 = r.chunk + n[14];
            for (int64_t at = 0, w = n[11]; at < w; at += W) {
                const V v22 = load(p1 + at);
                const V v43 = load(p0 + at) * v22;
                store(p2 + at, v43);
                store(p4 + at, v43 * load(p3 + at) * (broadcast(1.0f) - v22));
            }
        }
    }
    static void backward_2(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.scratch + n[7];
            float* p1 = r.scratch + n[13];
            float* p2 = r.scratch + n[16];
            float* p3 = r.after + n[17];
            for (int64_t at = 0, w = n[15]; at < w; at += W) {
                store(p3 + at, load(p0 + at) + load(p1 + at) + load(p2 + at));
            }
        }
    }

    static constexpr ostinato_stage backward_stages[] = {backward_0, backward_1, backward_2};
    static constexpr int64_t backward_over_chunk = 0;
};

struct GruResetBeforeNoisy {
    const int64_t D, H, R, h = plane(H), r = plane(R);
    static constexpr RunOperand matrices[] = {{&ostinato_run::weight_ih, &ostinato_run::grad_weight_ih},
        {&ostinato_run::weight_hh, &ostinato_run::grad_weight_hh}};
    static constexpr RunOperand vectors[] = {{&ostinato_run::bias_ih, &ostinato_run::grad_bias_ih},
        {&ostinato_run::bias_hh, &ostinato_run::grad_bias_hh}};
    const int64_t state_size = h;
    const int64_t kept_size = 4 * h;
    const int64_t vectors_size = 3 * h;
    const int64_t output_width = H;
    const int64_t forward_scratch = 5 * h;
    const int64_t forward_chunk = 3 * h;
    const int64_t backward_scratch = 5 * h;
    const int64_t backward_chunk = 5 * h;
    const ostinato_product product[3] = {{0, 0, 3, 0, 1, 0}, {1, 3, 2, 1, 1, 0}, {2, 5, 1, 2, 1, 2 * h}};
    const ostinato_piece piece[6] = {{0, H, H, 0, H}, {0, 2 * H, H, 0, 2 * H}, {0, 0, H, 0, 0}, {1, H, H, -1, 0}, {1, 0,
        H, -1, 0}, {1, 2 * H, H, -1, 0}};
    const ostinato_operand operand[3] = {{5, 0, D, 0}, {2, 3 * h, H, 0}, {2, 4 * h, H, 0}};
    const ostinato_back back[3] = {{0, 0, 3, 0, 0, D, 0}, {1, 3, 1, 0, 0, H, 0}, {2, 4, 2, h, 0, H, 0}};
    const ostinato_source source[6] = {{0, 0, H, 0, 0}, {0, 2 * H, H, 0, h}, {0, H, H, 0, 2 * h}, {1, 2 * H, H, 0, h},
        {1, 0, H, 0, 0}, {1, H, H, 0, 2 * h}};
    const ostinato_weight_gradient weight_gradient[6] = {{0, 0, H, 0, 0, 5, 0, D}, {0, 2 * H, H, 0, h, 5, 0, D}, {0, H,
        H, 0, 2 * h, 5, 0, D}, {1, 0, H, 0, 0, 3, 3 * h, H}, {1, H, H, 0, 2 * h, 3, 3 * h, H}, {1, 2 * H, H, 0, h, 3, 4
        * h, H}};
    const ostinato_vector_part vector_gradient[6] = {{1, 2 * H, H, h}, {0, 2 * H, H, h}, {1, 0, H, 0}, {0, 0, H, 0}, {1,
        H, H, 2 * h}, {0, H, H, 2 * h}};
    const ostinato_vector_part vector_part[3] = {{1, H, H, 0}, {1, 0, H, h}, {1, 2 * H, H, 2 * h}};
    const ostinato_state_part state_part[1] = {{0, 0, H, 0, 0, -1}};
    const int64_t input_width[3] = {D, H, H};
    const int64_t field_width[1] = {H};
    const int64_t matrix_shape[4] = {3 * H, D, 3 * H, H};
    const int64_t vector_width[2] = {3 * H, 3 * H};
    const int64_t forward_numbers[23] = {H, 0, 0, 3 * h, H, 0, 0, 0, h, 2 * h, h, h, 2 * h, 4 * h, H, h, 2 * h, 2 * h, 3
        * h, 0, 0, 0, 0};
    const int64_t backward_numbers[22] = {H, 0, 0, 3 * h, 2 * h, 4 * h, 0, 0, 2 * h, 0, h, 3 * h, 3 * h, h, 2 * h, H, 0,
        4 * h, 0, H, h, 0};

    static void forward_0(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            const float* p0 = r.before + n[1];
            const float* p1 = r.inputs[1] + n[2];
            float* p2 = r.scratch + n[3];
            for (int64_t at = 0, w = n[0]; at < w; at += W) {
                const int there = within(w - at);
                store(p2 + at, load(p0 + at) * load_part(p1 + at, there));
            }
        }
    }
    static void forward_1(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.chunk + n[5];
            float* p1 = r.scratch + n[6];
            const float* p2 = r.vectors + n[7];
            float* p3 = r.kept + n[8];
            float* p4 = r.chunk + n[9];
            float* p5 = r.scratch + n[10];
            const float* p6 = r.vectors + n[11];
            float* p7 = r.kept + n[12];
            const float* p8 = r.before + n[1];
            const float* p9 = r.inputs[1] + n[2];
            float* p10 = r.scratch + n[13];
            for (int64_t at = 0, w = n[4]; at < w; at += W) {
                const int there = within(w - at);
                store(p3 + at, sigmoid(load(p0 + at) + (load(p1 + at) + load(p2 + at))));
                const V v27 = sigmoid(load(p4 + at) + (load(p5 + at) + load(p6 + at)));
                store(p7 + at, v27);
                store(p10 + at, v27 * load(p8 + at) * load_part(p9 + at, there));
            }
        }
    }
    static void forward_2(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.chunk + n[15];
            float* p1 = r.scratch + n[16];
            const float* p2 = r.vectors + n[17];
            float* p3 = r.kept + n[18];
            const float* p4 = r.inputs[2] + n[19];
            const float* p5 = r.before + n[1];
            float* p6 = r.kept + n[8];
            float* p7 = r.results[0] + n[20];
            float* p8 = r.after + n[21];
            float* p9 = r.kept + n[22];
            for (int64_t at = 0, w = n[14]; at < w; at += W) {
                const int there = within(w - at);
                const V v34 = tanh(load(p0 + at) + (load(p1 + at) + load(p2 + at)));
                store(p3 + at, v34);
                const V v0 = load_part(p4 + at, there);
                const V v1 = load(p5 + at);
                const V v78 = fma(v0, v1, (broadcast(1.0f) - v0) * fma(load(p6 + at), v1 - v34, v34));
                store_part(p7 + at, v78, there);
                store(p8 + at, v78);
                store(p9 + at, v78);
            }
        }
    }

    static constexpr ostinato_stage forward_stages[] = {forward_0, forward_1, forward_2};
    static constexpr int64_t forward_over_chunk = 0;

    static void backward_0(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            const float* p0 = r.before + n[1];
            const float* p1 = r.inputs[1] + n[2];
            float* p2 = r.chunk + n[3];
            float* p3 = r.kept + n[4];
            float* p4 = r.chunk + n[5];
            const float* p5 = r.output_gradient + n[6];
            const float* p6 = r.upstream + n[7];
            float* p7 = r.scratch + n[8];
            const float* p8 = r.inputs[2] + n[9];
            float* p9 = r.kept + n[10];
            float* p10 = r.scratch + n[11];
            float* p11 = r.kept + n[12];
            float* p12 = r.chunk + n[13];
            float* p13 = r.chunk + n[14];
            for (int64_t at = 0, w = n[0]; at < w; at += W) {
                const int there = within(w - at);
                const V v1 = load(p0 + at);
                const V v9 = load_part(p1 + at, there);
                store(p2 + at, v1 * v9);
                store(p4 + at, load(p3 + at) * v1 * v9);
                const V v42 = load_part(p5 + at, there) + load(p6 + at);
                store(p7 + at, v42);
                const V v44 = v42 * (broadcast(1.0f) - load_part(p8 + at, there));
                const V v15 = load(p9 + at);
                const V v46 = v44 * v15;
                store(p10 + at, v46);
                const V v16 = broadcast(1.0f) - v15;
                const V v34 = load(p11 + at);
                store(p12 + at, v44 * v16 * tanh_slope(v34));
                store(p13 + at, v46 * v16 * (v1 - v34));
            }
        }
    }
    static void backward_1(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.scratch + n[16];
            const float* p1 = r.inputs[1] + n[2];
            float* p2 = r.kept + n[4];
            float* p3 = r.scratch + n[17];
            const float* p4 = r.before + n[1];
            float* p5 = r.chunk + n[18];
            for (int64_t at = 0, w = n[15]; at < w; at += W) {
                const int there = within(w - at);
                const V v27 = load(p2 + at);
                const V v55 = load(p0 + at) * load_part(p1 + at, there) * v27;
                store(p3 + at, v55);
                store(p5 + at, v55 * load(p4 + at) * (broadcast(1.0f) - v27));
            }
        }
    }
    static void backward_2(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.scratch + n[8];
            const float* p1 = r.inputs[2] + n[9];
            float* p2 = r.scratch + n[20];
            const float* p3 = r.inputs[1] + n[2];
            float* p4 = r.scratch + n[11];
            float* p5 = r.scratch + n[17];
            float* p6 = r.after + n[21];
            for (int64_t at = 0, w = n[19]; at < w; at += W) {
                const int there = within(w - at);
                const V v92 = fma(load(p0 + at), load_part(p1 + at, there), fma(load(p2 + at), load_part(p3 + at, there), load(p4 + at) + load(p5 + at)));
                store(p6 + at, v92);
            }
        }
    }

    static constexpr ostinato_stage backward_stages[] = {backward_0, backward_1, backward_2};
    static constexpr int64_t backward_over_chunk = 0;
};

struct GruResetBefore {
    static constexpr bool memory = false, projects = false;
    using Plain = GruResetBeforePlain;
    using Noisy = GruResetBeforeNoisy;
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
