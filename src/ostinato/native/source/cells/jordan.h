// Made by `make kernels` from the equations of cells/jordan.py: do not edit.
// h_t = tanh(W_ih x_t + b_ih + W_hh y_{t-1} + b_hh)
// y_t = tanh(W_ho h_t + b_ho)
#pragma once

#include "../adapted.h"

namespace ostinato {
namespace OSTINATO_ISA {

struct JordanPlain {
    const int64_t D, H, R, h = plane(H), r = plane(R);
    static constexpr RunOperand matrices[] = {{&ostinato_run::weight_ih, &ostinato_run::grad_weight_ih},
        {&ostinato_run::weight_hh, &ostinato_run::grad_weight_hh}, {&ostinato_run::weight_out,
        &ostinato_run::grad_weight_out}};
    static constexpr RunOperand vectors[] = {{&ostinato_run::bias_ih, &ostinato_run::grad_bias_ih},
        {&ostinato_run::bias_hh, &ostinato_run::grad_bias_hh}, {&ostinato_run::bias_out, &ostinato_run::grad_bias_out}};
    const int64_t state_size = r;
    const int64_t kept_size = h + r;
    const int64_t vectors_size = h + r;
    const int64_t output_width = R;
    const int64_t forward_scratch = h + r;
    const int64_t forward_chunk = h;
    const int64_t backward_scratch = h + r;
    const int64_t backward_chunk = h + r;
    const ostinato_product product[3] = {{0, 0, 1, 0, 1, 0}, {1, 1, 1, 1, 1, 0}, {2, 2, 1, 2, 1, h}};
    const ostinato_piece piece[3] = {{0, 0, H, 0, 0}, {1, 0, H, -1, 0}, {2, 0, R, -1, 0}};
    const ostinato_operand operand[3] = {{5, 0, D, 0}, {0, 0, R, 0}, {4, r, H, 0}};
    const ostinato_back back[3] = {{0, 0, 1, 0, 0, D, 0}, {1, 1, 1, 0, 0, H, 0}, {2, 2, 1, h, 0, R, 0}};
    const ostinato_source source[3] = {{0, 0, H, 0, 0}, {2, 0, R, 0, h}, {1, 0, H, 0, 0}};
    const ostinato_weight_gradient weight_gradient[3] = {{0, 0, H, 0, 0, 5, 0, D}, {1, 0, H, 0, 0, 0, 0, R}, {2, 0, R,
        0, h, 4, r, H}};
    const ostinato_vector_part vector_gradient[3] = {{2, 0, R, h}, {1, 0, H, 0}, {0, 0, H, 0}};
    const ostinato_vector_part vector_part[2] = {{2, 0, R, 0}, {1, 0, H, r}};
    const ostinato_state_part state_part[1] = {{0, 0, R, 0, 0, -1}};
    const int64_t input_width[1] = {D};
    const int64_t field_width[1] = {R};
    const int64_t matrix_shape[6] = {H, D, H, R, R, H};
    const int64_t vector_width[3] = {H, H, R};
    const int64_t forward_numbers[11] = {H, 0, 0, r, r, R, h, 0, 0, 0, 0};
    const int64_t backward_numbers[12] = {R, 0, 0, 0, h, H, 0, r, 0, R, h, 0};

    static void forward_1(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.chunk + n[1];
            float* p1 = r.scratch + n[2];
            const float* p2 = r.vectors + n[3];
            float* p3 = r.kept + n[4];
            for (int64_t at = 0, w = n[0]; at < w; at += W) {
                store(p3 + at, tanh(load(p0 + at) + (load(p1 + at) + load(p2 + at))));
            }
        }
    }
    static void forward_2(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.scratch + n[6];
            const float* p1 = r.vectors + n[7];
            float* p2 = r.results[0] + n[8];
            float* p3 = r.after + n[9];
            float* p4 = r.kept + n[10];
            for (int64_t at = 0, w = n[5]; at < w; at += W) {
                const int there = within(w - at);
                const V v13 = tanh(load(p0 + at) + load(p1 + at));
                store_part(p2 + at, v13, there);
                store(p3 + at, v13);
                store(p4 + at, v13);
            }
        }
    }

    static constexpr ostinato_stage forward_stages[] = {nullptr, forward_1, forward_2};
    static constexpr int64_t forward_over_chunk = 0;

    static void backward_0(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            const float* p0 = r.output_gradient + n[1];
            const float* p1 = r.upstream + n[2];
            float* p2 = r.kept + n[3];
            float* p3 = r.chunk + n[4];
            for (int64_t at = 0, w = n[0]; at < w; at += W) {
                const int there = within(w - at);
                store(p3 + at, (load_part(p0 + at, there) + load(p1 + at)) * tanh_slope(load(p2 + at)));
            }
        }
    }
    static void backward_1(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.scratch + n[6];
            float* p1 = r.kept + n[7];
            float* p2 = r.chunk + n[8];
            for (int64_t at = 0, w = n[5]; at < w; at += W) {
                store(p2 + at, load(p0 + at) * tanh_slope(load(p1 + at)));
            }
        }
    }
    static void backward_2(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.scratch + n[10];
            float* p1 = r.after + n[11];
            for (int64_t at = 0, w = n[9]; at < w; at += W) {
                store(p1 + at, load(p0 + at));
            }
        }
    }

    static constexpr ostinato_stage backward_stages[] = {backward_0, backward_1, backward_2};
    static constexpr int64_t backward_over_chunk = 0;
};

struct JordanNoisy {
    const int64_t D, H, R, h = plane(H), r = plane(R);
    static constexpr RunOperand matrices[] = {{&ostinato_run::weight_ih, &ostinato_run::grad_weight_ih},
        {&ostinato_run::weight_hh, &ostinato_run::grad_weight_hh}, {&ostinato_run::weight_out,
        &ostinato_run::grad_weight_out}};
    static constexpr RunOperand vectors[] = {{&ostinato_run::bias_ih, &ostinato_run::grad_bias_ih},
        {&ostinato_run::bias_hh, &ostinato_run::grad_bias_hh}, {&ostinato_run::bias_out, &ostinato_run::grad_bias_out}};
    const int64_t state_size = r;
    const int64_t kept_size = h + 2 * r;
    const int64_t vectors_size = h + r;
    const int64_t output_width = R;
    const int64_t forward_scratch = h + r;
    const int64_t forward_chunk = h;
    const int64_t backward_scratch = h + 2 * r;
    const int64_t backward_chunk = h + r;
    const ostinato_product product[3] = {{0, 0, 1, 0, 1, 0}, {1, 1, 1, 1, 1, 0}, {2, 2, 1, 2, 1, h}};
    const ostinato_piece piece[3] = {{0, 0, H, 0, 0}, {1, 0, H, -1, 0}, {2, 0, R, -1, 0}};
    const ostinato_operand operand[3] = {{5, 0, D, 0}, {4, 0, R, 0}, {4, r, H, 0}};
    const ostinato_back back[3] = {{0, 0, 1, 0, 0, D, 0}, {1, 1, 1, 0, 0, H, 0}, {2, 2, 1, h, 0, R, 0}};
    const ostinato_source source[3] = {{0, 0, H, 0, 0}, {2, 0, R, 0, h}, {1, 0, H, 0, 0}};
    const ostinato_weight_gradient weight_gradient[3] = {{0, 0, H, 0, 0, 5, 0, D}, {1, 0, H, 0, 0, 4, 0, R}, {2, 0, R,
        0, h, 4, r, H}};
    const ostinato_vector_part vector_gradient[3] = {{2, 0, R, h}, {1, 0, H, 0}, {0, 0, H, 0}};
    const ostinato_vector_part vector_part[2] = {{1, 0, H, 0}, {2, 0, R, h}};
    const ostinato_state_part state_part[1] = {{0, 0, R, 0, -1, -1}};
    const int64_t input_width[3] = {D, R, R};
    const int64_t field_width[1] = {R};
    const int64_t matrix_shape[6] = {H, D, H, R, R, H};
    const int64_t vector_width[3] = {H, H, R};
    const int64_t forward_numbers[16] = {R, 0, 0, 0, H, 0, 0, 0, r, R, h, h, h + r, 0, 0, 0};
    const int64_t backward_numbers[15] = {R, 0, 0, h + r, 0, h + r, h, H, 0, r, 0, R, h, 0, 0};

    static void forward_0(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            const float* p0 = r.before + n[1];
            const float* p1 = r.inputs[1] + n[2];
            float* p2 = r.kept + n[3];
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
            for (int64_t at = 0, w = n[4]; at < w; at += W) {
                store(p3 + at, tanh(load(p0 + at) + (load(p1 + at) + load(p2 + at))));
            }
        }
    }
    static void forward_2(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.scratch + n[10];
            const float* p1 = r.vectors + n[11];
            float* p2 = r.kept + n[12];
            const float* p3 = r.inputs[2] + n[13];
            const float* p4 = r.before + n[1];
            float* p5 = r.results[0] + n[14];
            float* p6 = r.after + n[15];
            for (int64_t at = 0, w = n[9]; at < w; at += W) {
                const int there = within(w - at);
                const V v19 = tanh(load(p0 + at) + load(p1 + at));
                store(p2 + at, v19);
                const V v0 = load_part(p3 + at, there);
                const V v21 = fma(v0, load(p4 + at), (broadcast(1.0f) - v0) * v19);
                store_part(p5 + at, v21, there);
                store(p6 + at, v21);
            }
        }
    }

    static constexpr ostinato_stage forward_stages[] = {forward_0, forward_1, forward_2};
    static constexpr int64_t forward_over_chunk = 0;

    static void backward_0(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            const float* p0 = r.output_gradient + n[1];
            const float* p1 = r.upstream + n[2];
            float* p2 = r.scratch + n[3];
            const float* p3 = r.inputs[2] + n[4];
            float* p4 = r.kept + n[5];
            float* p5 = r.chunk + n[6];
            for (int64_t at = 0, w = n[0]; at < w; at += W) {
                const int there = within(w - at);
                const V v24 = load_part(p0 + at, there) + load(p1 + at);
                store(p2 + at, v24);
                store(p5 + at, v24 * (broadcast(1.0f) - load_part(p3 + at, there)) * tanh_slope(load(p4 + at)));
            }
        }
    }
    static void backward_1(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.scratch + n[8];
            float* p1 = r.kept + n[9];
            float* p2 = r.chunk + n[10];
            for (int64_t at = 0, w = n[7]; at < w; at += W) {
                store(p2 + at, load(p0 + at) * tanh_slope(load(p1 + at)));
            }
        }
    }
    static void backward_2(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.scratch + n[12];
            const float* p1 = r.inputs[1] + n[13];
            float* p2 = r.scratch + n[3];
            const float* p3 = r.inputs[2] + n[4];
            float* p4 = r.after + n[14];
            for (int64_t at = 0, w = n[11]; at < w; at += W) {
                const int there = within(w - at);
                store(p4 + at, fma(load(p0 + at), load_part(p1 + at, there), load(p2 + at) * load_part(p3 + at, there)));
            }
        }
    }

    static constexpr ostinato_stage backward_stages[] = {backward_0, backward_1, backward_2};
    static constexpr int64_t backward_over_chunk = 0;
};

struct Jordan {
    static constexpr bool memory = false, projects = true;
    using Plain = JordanPlain;
    using Noisy = JordanNoisy;
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
