// Made by `make kernels` from the equations of cells/lstm.py: do not edit.
// i_t = sigmoid(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi)      input gate
// f_t = sigmoid(W_if x_t + b_if + W_hf h_{t-1} + b_hf)      forget gate
// g_t =    tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)      candidate
// o_t = sigmoid(W_io x_t + b_io + W_ho h_{t-1} + b_ho)      output gate
// c_t = f_t * c_{t-1} + i_t * g_t
// h_t = o_t * tanh(c_t), or W_hr (o_t * tanh(c_t)) with projection
#pragma once

#include "../adapted.h"

namespace ostinato {
namespace OSTINATO_ISA {

struct LstmProjectedPlain {
    const int64_t D, H, R, h = plane(H), r = plane(R);
    static constexpr RunOperand matrices[] = {{&ostinato_run::weight_ih, &ostinato_run::grad_weight_ih},
        {&ostinato_run::weight_hh, &ostinato_run::grad_weight_hh}, {&ostinato_run::weight_out,
        &ostinato_run::grad_weight_out}};
    static constexpr RunOperand vectors[] = {{&ostinato_run::bias_ih, &ostinato_run::grad_bias_ih},
        {&ostinato_run::bias_hh, &ostinato_run::grad_bias_hh}};
    const int64_t state_size = h + r;
    const int64_t kept_size = 5 * h + r;
    const int64_t vectors_size = 4 * h;
    const int64_t output_width = R;
    const int64_t forward_scratch = 5 * h + r;
    const int64_t forward_chunk = 4 * h;
    const int64_t backward_scratch = 2 * h + r;
    const int64_t backward_chunk = 5 * h + r;
    const ostinato_product product[3] = {{0, 0, 4, 0, 1, 0}, {1, 4, 4, 1, 1, 0}, {2, 8, 1, 2, 1, 4 * h}};
    const ostinato_piece piece[9] = {{0, 3 * H, H, 0, 3 * H}, {0, H, H, 0, H}, {0, 0, H, 0, 0}, {0, 2 * H, H, 0, 2 * H},
        {1, 3 * H, H, -1, 0}, {1, H, H, -1, 0}, {1, 0, H, -1, 0}, {1, 2 * H, H, -1, 0}, {2, 0, R, -1, 0}};
    const ostinato_operand operand[3] = {{5, 0, D, 0}, {0, 0, R, 0}, {2, 4 * h + r, H, 0}};
    const ostinato_back back[3] = {{0, 0, 4, 0, 0, D, 0}, {1, 4, 1, 0, 0, H, 0}, {2, 5, 4, h, 0, R, 0}};
    const ostinato_source source[9] = {{0, 2 * H, H, 0, 0}, {0, 0, H, 0, h}, {0, H, H, 0, 2 * h}, {0, 3 * H, H, 0, 3 *
        h}, {2, 0, R, 0, 4 * h}, {1, 2 * H, H, 0, 0}, {1, 0, H, 0, h}, {1, H, H, 0, 2 * h}, {1, 3 * H, H, 0, 3 * h}};
    const ostinato_weight_gradient weight_gradient[9] = {{0, 2 * H, H, 0, 0, 5, 0, D}, {0, 0, H, 0, h, 5, 0, D}, {0, H,
        H, 0, 2 * h, 5, 0, D}, {0, 3 * H, H, 0, 3 * h, 5, 0, D}, {1, 2 * H, H, 0, 0, 0, 0, R}, {1, 0, H, 0, h, 0, 0, R},
        {1, H, H, 0, 2 * h, 0, 0, R}, {1, 3 * H, H, 0, 3 * h, 0, 0, R}, {2, 0, R, 0, 4 * h, 3, 4 * h + r, H}};
    const ostinato_vector_part vector_gradient[8] = {{1, 2 * H, H, 0}, {0, 2 * H, H, 0}, {1, 0, H, h}, {0, 0, H, h}, {1,
        H, H, 2 * h}, {0, H, H, 2 * h}, {1, 3 * H, H, 3 * h}, {0, 3 * H, H, 3 * h}};
    const ostinato_vector_part vector_part[4] = {{1, 2 * H, H, 0}, {1, 3 * H, H, h}, {1, H, H, 2 * h}, {1, 0, H, 3 *
        h}};
    const ostinato_state_part state_part[2] = {{0, 0, R, 0, 0, -1}, {1, 0, H, r, r, -1}};
    const int64_t input_width[1] = {D};
    const int64_t field_width[2] = {R, H};
    const int64_t matrix_shape[6] = {4 * H, D, 4 * H, R, R, H};
    const int64_t vector_width[2] = {4 * H, 4 * H};
    const int64_t forward_numbers[26] = {H, 0, 0, h, h + r, h, h, 2 * h, 2 * h + r, 2 * h, 2 * h, 3 * h, 3 * h + r, 3 *
        h, 3 * h, 0, 4 * h + r, r, r, r, 4 * h + r, R, 4 * h, 0, 0, 0};
    const int64_t backward_numbers[24] = {H, r, h + r, h + r, 4 * h + r, R, 0, 0, 4 * h, H, 0, r, 3 * h + r, 4 * h + r,
        0, 2 * h + r, r, h, r, 2 * h, 3 * h, R, h, 0};

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
            float* p8 = r.chunk + n[9];
            float* p9 = r.scratch + n[10];
            const float* p10 = r.vectors + n[11];
            float* p11 = r.kept + n[12];
            float* p12 = r.chunk + n[13];
            float* p13 = r.scratch + n[14];
            const float* p14 = r.vectors + n[15];
            float* p15 = r.kept + n[16];
            const float* p16 = r.before + n[17];
            float* p17 = r.after + n[18];
            float* p18 = r.kept + n[19];
            float* p19 = r.scratch + n[20];
            for (int64_t at = 0, w = n[0]; at < w; at += W) {
                const V v9 = sigmoid(load(p0 + at) + (load(p1 + at) + load(p2 + at)));
                store(p3 + at, v9);
                const V v17 = sigmoid(load(p4 + at) + (load(p5 + at) + load(p6 + at)));
                store(p7 + at, v17);
                const V v27 = sigmoid(load(p8 + at) + (load(p9 + at) + load(p10 + at)));
                store(p11 + at, v27);
                const V v35 = tanh(load(p12 + at) + (load(p13 + at) + load(p14 + at)));
                store(p15 + at, v35);
                const V v37 = fma(v17, load(p16 + at), v27 * v35);
                store(p17 + at, v37);
                store(p18 + at, v37);
                store(p19 + at, v9 * tanh(v37));
            }
        }
    }
    static void forward_2(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.scratch + n[22];
            float* p1 = r.results[0] + n[23];
            float* p2 = r.after + n[24];
            float* p3 = r.kept + n[25];
            for (int64_t at = 0, w = n[21]; at < w; at += W) {
                const int there = within(w - at);
                const V v40 = load(p0 + at);
                store_part(p1 + at, v40, there);
                store(p2 + at, v40);
                store(p3 + at, v40);
            }
        }
    }

    static constexpr ostinato_stage forward_stages[] = {nullptr, forward_1, forward_2};
    static constexpr int64_t forward_over_chunk = 0;

    static void backward_0(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.kept + n[1];
            float* p1 = r.scratch + n[2];
            float* p2 = r.kept + n[3];
            float* p3 = r.chunk + n[4];
            const float* p4 = r.output_gradient + n[6];
            const float* p5 = r.upstream + n[7];
            float* p6 = r.chunk + n[8];
            for (int64_t at = 0, w = n[0]; at < w; at += W) {
                const V v38 = tanh(load(p0 + at));
                store(p1 + at, v38);
                store(p3 + at, load(p2 + at) * v38);
            }
            for (int64_t at = 0, w = n[5]; at < w; at += W) {
                const int there = within(w - at);
                store(p6 + at, load_part(p4 + at, there) + load(p5 + at));
            }
        }
    }
    static void backward_1(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.scratch + n[10];
            float* p1 = r.kept + n[3];
            float* p2 = r.scratch + n[2];
            const float* p3 = r.upstream + n[11];
            float* p4 = r.kept + n[12];
            float* p5 = r.kept + n[13];
            float* p6 = r.chunk + n[14];
            float* p7 = r.kept + n[15];
            float* p8 = r.after + n[16];
            float* p9 = r.chunk + n[17];
            const float* p10 = r.before + n[18];
            float* p11 = r.chunk + n[19];
            float* p12 = r.chunk + n[20];
            for (int64_t at = 0, w = n[9]; at < w; at += W) {
                const V v9 = load(p1 + at);
                const V v47 = load(p0 + at) * v9;
                const V v38 = load(p2 + at);
                const V v50 = fma(v47, tanh_slope(v38), load(p3 + at));
                const V v27 = load(p4 + at);
                const V v52 = v50 * v27;
                const V v35 = load(p5 + at);
                store(p6 + at, v52 * tanh_slope(v35));
                const V v17 = load(p7 + at);
                const V v60 = v50 * v17;
                store(p8 + at, v60);
                store(p9 + at, v52 * v35 * (broadcast(1.0f) - v27));
                store(p11 + at, v60 * load(p10 + at) * (broadcast(1.0f) - v17));
                store(p12 + at, v47 * v38 * (broadcast(1.0f) - v9));
            }
        }
    }
    static void backward_2(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.scratch + n[22];
            float* p1 = r.after + n[23];
            for (int64_t at = 0, w = n[21]; at < w; at += W) {
                store(p1 + at, load(p0 + at));
            }
        }
    }

    static constexpr ostinato_stage backward_stages[] = {backward_0, backward_1, backward_2};
    static constexpr int64_t backward_over_chunk = 0;
};

struct LstmProjectedNoisy {
    const int64_t D, H, R, h = plane(H), r = plane(R);
    static constexpr RunOperand matrices[] = {{&ostinato_run::weight_ih, &ostinato_run::grad_weight_ih},
        {&ostinato_run::weight_hh, &ostinato_run::grad_weight_hh}, {&ostinato_run::weight_out,
        &ostinato_run::grad_weight_out}};
    static constexpr RunOperand vectors[] = {{&ostinato_run::bias_ih, &ostinato_run::grad_bias_ih},
        {&ostinato_run::bias_hh, &ostinato_run::grad_bias_hh}};
    const int64_t state_size = h + r;
    const int64_t kept_size = 5 * h + r;
    const int64_t vectors_size = 4 * h;
    const int64_t output_width = R;
    const int64_t forward_scratch = 5 * h + r;
    const int64_t forward_chunk = 4 * h;
    const int64_t backward_scratch = 2 * h + 2 * r;
    const int64_t backward_chunk = 5 * h + r;
    const ostinato_product product[3] = {{0, 0, 4, 0, 1, 0}, {1, 4, 4, 1, 1, 0}, {2, 8, 1, 2, 1, 4 * h}};
    const ostinato_piece piece[9] = {{0, 3 * H, H, 0, 3 * H}, {0, H, H, 0, H}, {0, 0, H, 0, 0}, {0, 2 * H, H, 0, 2 * H},
        {1, 3 * H, H, -1, 0}, {1, H, H, -1, 0}, {1, 0, H, -1, 0}, {1, 2 * H, H, -1, 0}, {2, 0, R, -1, 0}};
    const ostinato_operand operand[3] = {{5, 0, D, 0}, {4, h, R, 0}, {2, 4 * h + r, H, 0}};
    const ostinato_back back[3] = {{0, 0, 4, 0, 0, D, 0}, {1, 4, 1, 0, 0, H, 0}, {2, 5, 4, h, 0, R, 0}};
    const ostinato_source source[9] = {{0, 2 * H, H, 0, 0}, {0, 0, H, 0, h}, {0, H, H, 0, 2 * h}, {0, 3 * H, H, 0, 3 *
        h}, {2, 0, R, 0, 4 * h}, {1, 2 * H, H, 0, 0}, {1, 0, H, 0, h}, {1, H, H, 0, 2 * h}, {1, 3 * H, H, 0, 3 * h}};
    const ostinato_weight_gradient weight_gradient[9] = {{0, 2 * H, H, 0, 0, 5, 0, D}, {0, 0, H, 0, h, 5, 0, D}, {0, H,
        H, 0, 2 * h, 5, 0, D}, {0, 3 * H, H, 0, 3 * h, 5, 0, D}, {1, 2 * H, H, 0, 0, 4, h, R}, {1, 0, H, 0, h, 4, h, R},
        {1, H, H, 0, 2 * h, 4, h, R}, {1, 3 * H, H, 0, 3 * h, 4, h, R}, {2, 0, R, 0, 4 * h, 3, 4 * h + r, H}};
    const ostinato_vector_part vector_gradient[8] = {{1, 2 * H, H, 0}, {0, 2 * H, H, 0}, {1, 0, H, h}, {0, 0, H, h}, {1,
        H, H, 2 * h}, {0, H, H, 2 * h}, {1, 3 * H, H, 3 * h}, {0, 3 * H, H, 3 * h}};
    const ostinato_vector_part vector_part[4] = {{1, 2 * H, H, 0}, {1, 3 * H, H, h}, {1, H, H, 2 * h}, {1, 0, H, 3 *
        h}};
    const ostinato_state_part state_part[2] = {{0, 0, R, 0, -1, -1}, {1, 0, H, r, 0, -1}};
    const int64_t input_width[4] = {D, R, R, H};
    const int64_t field_width[2] = {R, H};
    const int64_t matrix_shape[6] = {4 * H, D, 4 * H, R, R, H};
    const int64_t vector_width[2] = {4 * H, 4 * H};
    const int64_t forward_numbers[31] = {R, 0, 0, h, H, 0, 0, h, h + r, h, h, 2 * h, 2 * h + r, 2 * h, 2 * h, 3 * h, 3 *
        h + r, 3 * h, 3 * h, 0, 4 * h + r, r, 4 * h + r, 0, r, 0, R, 0, 4 * h, 0, 0};
    const int64_t backward_numbers[27] = {R, 0, 0, 2 * h + r, 0, 4 * h, H, 2 * h + r, 0, 3 * h + r, 4 * h + r, h + r, h
        + r, 4 * h + r, H, r, 0, 0, 0, r, h, 2 * h, 3 * h, R, h, 0, 0};

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
            float* p4 = r.chunk + n[9];
            float* p5 = r.scratch + n[10];
            const float* p6 = r.vectors + n[11];
            float* p7 = r.kept + n[12];
            float* p8 = r.chunk + n[13];
            float* p9 = r.scratch + n[14];
            const float* p10 = r.vectors + n[15];
            float* p11 = r.kept + n[16];
            float* p12 = r.chunk + n[17];
            float* p13 = r.scratch + n[18];
            const float* p14 = r.vectors + n[19];
            float* p15 = r.kept + n[20];
            const float* p16 = r.before + n[21];
            float* p17 = r.scratch + n[22];
            const float* p18 = r.inputs[3] + n[23];
            float* p19 = r.after + n[24];
            float* p20 = r.kept + n[25];
            for (int64_t at = 0, w = n[4]; at < w; at += W) {
                const int there = within(w - at);
                const V v15 = sigmoid(load(p0 + at) + (load(p1 + at) + load(p2 + at)));
                store(p3 + at, v15);
                const V v23 = sigmoid(load(p4 + at) + (load(p5 + at) + load(p6 + at)));
                store(p7 + at, v23);
                const V v33 = sigmoid(load(p8 + at) + (load(p9 + at) + load(p10 + at)));
                store(p11 + at, v33);
                const V v41 = tanh(load(p12 + at) + (load(p13 + at) + load(p14 + at)));
                store(p15 + at, v41);
                const V v24 = load(p16 + at);
                const V v43 = fma(v23, v24, v33 * v41);
                store(p17 + at, v15 * tanh(v43));
                const V v49 = load_part(p18 + at, there);
                const V v53 = fma(v49, v24, (broadcast(1.0f) - v49) * v43);
                store(p19 + at, v53);
                store(p20 + at, v53);
            }
        }
    }
    static void forward_2(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            const float* p0 = r.inputs[2] + n[27];
            const float* p1 = r.before + n[1];
            float* p2 = r.scratch + n[28];
            float* p3 = r.results[0] + n[29];
            float* p4 = r.after + n[30];
            for (int64_t at = 0, w = n[26]; at < w; at += W) {
                const int there = within(w - at);
                const V v0 = load_part(p0 + at, there);
                const V v48 = fma(v0, load(p1 + at), (broadcast(1.0f) - v0) * load(p2 + at));
                store_part(p3 + at, v48, there);
                store(p4 + at, v48);
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
            float* p4 = r.chunk + n[5];
            float* p5 = r.kept + n[7];
            const float* p6 = r.before + n[8];
            float* p7 = r.kept + n[9];
            float* p8 = r.kept + n[10];
            float* p9 = r.scratch + n[11];
            float* p10 = r.kept + n[12];
            float* p11 = r.chunk + n[13];
            for (int64_t at = 0, w = n[0]; at < w; at += W) {
                const int there = within(w - at);
                const V v63 = load_part(p0 + at, there) + load(p1 + at);
                store(p2 + at, v63);
                store(p4 + at, v63 * (broadcast(1.0f) - load_part(p3 + at, there)));
            }
            for (int64_t at = 0, w = n[6]; at < w; at += W) {
                const V v44 = tanh(fma(load(p5 + at), load(p6 + at), load(p7 + at) * load(p8 + at)));
                store(p9 + at, v44);
                store(p11 + at, load(p10 + at) * v44);
            }
        }
    }
    static void backward_1(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            const float* p0 = r.upstream + n[15];
            const float* p1 = r.inputs[3] + n[16];
            float* p2 = r.scratch + n[17];
            float* p3 = r.kept + n[12];
            float* p4 = r.scratch + n[11];
            float* p5 = r.kept + n[9];
            float* p6 = r.kept + n[10];
            float* p7 = r.chunk + n[18];
            float* p8 = r.kept + n[7];
            float* p9 = r.after + n[19];
            float* p10 = r.chunk + n[20];
            const float* p11 = r.before + n[8];
            float* p12 = r.chunk + n[21];
            float* p13 = r.chunk + n[22];
            for (int64_t at = 0, w = n[14]; at < w; at += W) {
                const int there = within(w - at);
                const V v56 = load(p0 + at);
                const V v49 = load_part(p1 + at, there);
                const V v15 = load(p3 + at);
                const V v68 = load(p2 + at) * v15;
                const V v44 = load(p4 + at);
                const V v71 = fma(v56, broadcast(1.0f) - v49, v68 * tanh_slope(v44));
                const V v33 = load(p5 + at);
                const V v73 = v71 * v33;
                const V v41 = load(p6 + at);
                store(p7 + at, v73 * tanh_slope(v41));
                const V v23 = load(p8 + at);
                const V v80 = v71 * v23;
                store(p9 + at, fma(v56, v49, v80));
                store(p10 + at, v73 * v41 * (broadcast(1.0f) - v33));
                store(p12 + at, v80 * load(p11 + at) * (broadcast(1.0f) - v23));
                store(p13 + at, v68 * v44 * (broadcast(1.0f) - v15));
            }
        }
    }
    static void backward_2(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.scratch + n[24];
            const float* p1 = r.inputs[1] + n[25];
            float* p2 = r.scratch + n[3];
            const float* p3 = r.inputs[2] + n[4];
            float* p4 = r.after + n[26];
            for (int64_t at = 0, w = n[23]; at < w; at += W) {
                const int there = within(w - at);
                store(p4 + at, fma(load(p0 + at), load_part(p1 + at, there), load(p2 + at) * load_part(p3 + at, there)));
            }
        }
    }

    static constexpr ostinato_stage backward_stages[] = {backward_0, backward_1, backward_2};
    static constexpr int64_t backward_over_chunk = 0;
};

struct LstmProjected {
    static constexpr bool memory = true, projects = true;
    using Plain = LstmProjectedPlain;
    using Noisy = LstmProjectedNoisy;
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
