// Made by `make kernels` from the equations of cells/lstm_layer_norm.py: do not edit.
// i, f, g, o = LN(W_ih x_t; norm_ih) + b_ih + LN(W_hh h_{t-1}; norm_hh) + b_hh
// c_t = sigmoid(f) * c_{t-1} + sigmoid(i) * tanh(g)
// h_t = sigmoid(o) * tanh(LN(c_t; norm_c) + shift_c)
// LN(v; gain) = gain * (v - mean(v)) / sqrt(variance(v) + eps)
#pragma once

#include "../adapted.h"

namespace ostinato {
namespace OSTINATO_ISA {

struct LstmLayerNormPlain {
    const int64_t D, H, R, h = plane(H), r = plane(R);
    static constexpr RunOperand matrices[] = {{&ostinato_run::weight_ih, &ostinato_run::grad_weight_ih},
        {&ostinato_run::weight_hh, &ostinato_run::grad_weight_hh}};
    static constexpr RunOperand vectors[] = {{&ostinato_run::extra, &ostinato_run::grad_extra, 0},
        {&ostinato_run::bias_ih, &ostinato_run::grad_bias_ih}, {&ostinato_run::extra, &ostinato_run::grad_extra, 4},
        {&ostinato_run::bias_hh, &ostinato_run::grad_bias_hh}, {&ostinato_run::extra, &ostinato_run::grad_extra, 8},
        {&ostinato_run::extra, &ostinato_run::grad_extra, 9}};
    const int64_t state_size = 2 * h;
    const int64_t kept_size = 10 * h + 64;
    const int64_t vectors_size = 18 * h;
    const int64_t output_width = H;
    const int64_t forward_scratch = 10 * h;
    const int64_t forward_chunk = 4 * h;
    const int64_t backward_scratch = 32 * h;
    const int64_t backward_chunk = 22 * h;
    const ostinato_product product[2] = {{0, 0, 4, 0, 1, 0}, {1, 4, 4, 1, 1, 0}};
    const ostinato_piece piece[8] = {{0, 3 * H, H, -1, 0}, {0, 0, H, -1, 0}, {0, H, H, -1, 0}, {0, 2 * H, H, -1, 0}, {1,
        3 * H, H, -1, 0}, {1, 0, H, -1, 0}, {1, H, H, -1, 0}, {1, 2 * H, H, -1, 0}};
    const ostinato_operand operand[2] = {{5, 0, D, 0}, {0, 0, H, 0}};
    const ostinato_back back[2] = {{0, 0, 4, 0, 0, D, 0}, {1, 4, 4, 0, 0, H, 0}};
    const ostinato_source source[8] = {{0, 2 * H, H, 0, 0}, {0, H, H, 0, h}, {0, 0, H, 0, 2 * h}, {0, 3 * H, H, 0, 3 *
        h}, {1, 2 * H, H, 0, 4 * h}, {1, H, H, 0, 5 * h}, {1, 0, H, 0, 6 * h}, {1, 3 * H, H, 0, 7 * h}};
    const ostinato_weight_gradient weight_gradient[8] = {{0, 2 * H, H, 0, 0, 5, 0, D}, {0, H, H, 0, h, 5, 0, D}, {0, 0,
        H, 0, 2 * h, 5, 0, D}, {0, 3 * H, H, 0, 3 * h, 5, 0, D}, {1, 2 * H, H, 0, 4 * h, 0, 0, H}, {1, H, H, 0, 5 * h,
        0, 0, H}, {1, 0, H, 0, 6 * h, 0, 0, H}, {1, 3 * H, H, 0, 7 * h, 0, 0, H}};
    const ostinato_vector_part vector_gradient[18] = {{5, 0, H, 8 * h}, {4, 0, H, 9 * h}, {3, 2 * H, H, 10 * h}, {1, 2 *
        H, H, 10 * h}, {2, 2 * H, H, 11 * h}, {0, 2 * H, H, 12 * h}, {3, 0, H, 13 * h}, {1, 0, H, 13 * h}, {2, 0, H, 14
        * h}, {0, 0, H, 15 * h}, {3, H, H, 16 * h}, {1, H, H, 16 * h}, {2, H, H, 17 * h}, {0, H, H, 18 * h}, {3, 3 * H,
        H, 19 * h}, {1, 3 * H, H, 19 * h}, {2, 3 * H, H, 20 * h}, {0, 3 * H, H, 21 * h}};
    const ostinato_vector_part vector_part[18] = {{5, 0, H, 0}, {0, 3 * H, H, h}, {1, 3 * H, H, 2 * h}, {2, 3 * H, H, 3
        * h}, {3, 3 * H, H, 4 * h}, {0, H, H, 5 * h}, {1, H, H, 6 * h}, {2, H, H, 7 * h}, {3, H, H, 8 * h}, {0, 0, H, 9
        * h}, {1, 0, H, 10 * h}, {2, 0, H, 11 * h}, {3, 0, H, 12 * h}, {0, 2 * H, H, 13 * h}, {1, 2 * H, H, 14 * h}, {2,
        2 * H, H, 15 * h}, {3, 2 * H, H, 16 * h}, {4, 0, H, 17 * h}};
    const ostinato_state_part state_part[2] = {{0, 0, H, 0, 0, -1}, {1, 0, H, h, h, -1}};
    const int64_t input_width[1] = {D};
    const int64_t field_width[2] = {H, H};
    const int64_t matrix_shape[4] = {4 * H, D, 4 * H, H};
    const int64_t vector_width[6] = {4 * H, 4 * H, 4 * H, 4 * H, H, H};
    const int64_t forward_numbers[59] = {H, h, 2 * h, 3 * h, 0, 4 * H, H, 2 * h, 3 * h, 4 * h, 5 * h, 6 * h, H, h, 2 *
        h, 4 * h, h, 2 * h, 3 * h, 0, 5 * h, 6 * h, 7 * h, 9 * h, 10 * h, 9 * h, 13 * h, 14 * h, 5 * h, H, 6 * h + 16, 7
        * h + 16, 8 * h + 16, 9 * h + 16, 10 * h + 16, H, 3 * h, 4 * h, 6 * h, 7 * h, 8 * h, h, 11 * h, 12 * h, 15 * h,
        16 * h, h, h, H, 10 * h + 32, H, 8 * h, 10 * h + 48, H, 17 * h, 0, 0, 0, 0};
    const int64_t backward_numbers[99] = {4 * H, H, 4 * h, 6 * h, 15 * h, 8 * h + 16, 10 * h + 16, 17 * h, 5 * h, 6 * h,
        7 * h, 8 * h, 18 * h, 3 * h, 20 * h, 7 * h + 16, 22 * h, 9 * h, 10 * h, 11 * h, 12 * h, 25 * h, 5 * h, 24 * h, 9
        * h + 16, 26 * h, 13 * h, 14 * h, 15 * h, 16 * h, 27 * h, h, 10 * h + 32, 29 * h, 0, 0, 2 * h, h, 2 * h, 6 * h +
        16, 3 * h, 4 * h, 10 * h + 48, 17 * h, 0, 8 * h, 9 * h, 5 * h, 9 * h, 12 * h, 8 * h, 19 * h, 20 * h, 23 * h, 21
        * h, 2 * h, H, H, 10 * h, H, h, 10 * h, 11 * h, 11 * h, 12 * h, 13 * h, 13 * h, 14 * h, 14 * h, 15 * h, 16 * h,
        h, h, 16 * h, 17 * h, 19 * h, 18 * h, 21 * h, H, 28 * h, 30 * h, 31 * h, h, 3 * h, 4 * h, 6 * h, 7 * h, H, 4 *
        h, 5 * h, 6 * h, 7 * h, 0, h, 2 * h, 3 * h, H, 0, 0};

    static void forward_0(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.chunk + n[1];
            float* p1 = r.chunk + n[2];
            float* p2 = r.chunk + n[3];
            float* p3 = r.chunk + n[4];
            float* p4 = r.kept + n[7];
            float* p5 = r.kept + n[8];
            float* p6 = r.kept + n[9];
            float* p7 = r.kept + n[10];
            float* p8 = r.kept + n[11];
            V a5 = broadcast(0.0f);
            V a6 = broadcast(0.0f);
            V a7 = broadcast(0.0f);
            V a8 = broadcast(0.0f);
            for (int64_t at = 0, w = n[0]; at < w; at += W) {
                const int there = within(w - at);
                const V v2 = load(p0 + at);
                a5 = a5 + (there < W ? first_of(v2, there) : v2);
                const V v3 = load(p1 + at);
                a6 = a6 + (there < W ? first_of(v3, there) : v3);
                const V v4 = load(p2 + at);
                a7 = a7 + (there < W ? first_of(v4, there) : v4);
                const V v1 = load(p3 + at);
                a8 = a8 + (there < W ? first_of(v1, there) : v1);
            }
            const V s5 = broadcast(sum_of(a5));
            const V s6 = broadcast(sum_of(a6));
            const V s7 = broadcast(sum_of(a7));
            const V s8 = broadcast(sum_of(a8));
            const V s9 = s5 + s6;
            const V s10 = s9 + s7;
            const V s11 = s10 + s8;
            const V s13 = s11 * broadcast(1.0f / static_cast<float>(n[5]));
            V a22 = broadcast(0.0f);
            V a23 = broadcast(0.0f);
            V a24 = broadcast(0.0f);
            V a25 = broadcast(0.0f);
            for (int64_t at = 0, w = n[6]; at < w; at += W) {
                const int there = within(w - at);
                const V v14 = load(p3 + at) - s13;
                store(p4 + at, v14);
                const V v15 = load(p0 + at) - s13;
                store(p5 + at, v15);
                const V v16 = load(p1 + at) - s13;
                store(p6 + at, v16);
                const V v17 = load(p2 + at) - s13;
                store(p7 + at, v17);
                const V v18 = v15 * v15;
                a22 = a22 + (there < W ? first_of(v18, there) : v18);
                const V v19 = v16 * v16;
                a23 = a23 + (there < W ? first_of(v19, there) : v19);
                const V v20 = v17 * v17;
                a24 = a24 + (there < W ? first_of(v20, there) : v20);
                const V v21 = v14 * v14;
                a25 = a25 + (there < W ? first_of(v21, there) : v21);
            }
            const V s22 = broadcast(sum_of(a22));
            const V s23 = broadcast(sum_of(a23));
            const V s24 = broadcast(sum_of(a24));
            const V s25 = broadcast(sum_of(a25));
            const V s26 = s22 + s23;
            const V s27 = s26 + s24;
            const V s28 = s27 + s25;
            const V s29 = s28 * broadcast(1.0f / static_cast<float>(n[5]));
            const V s31 = s29 + broadcast(1e-05f);
            const V s32 = rsqrt(s31);
            store(p8, s32);
        }
    }
    static void forward_1(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.kept + n[7];
            float* p1 = r.kept + n[11];
            const float* p2 = r.vectors + n[13];
            const float* p3 = r.vectors + n[14];
            float* p4 = r.scratch + n[15];
            float* p5 = r.scratch + n[16];
            float* p6 = r.scratch + n[17];
            float* p7 = r.scratch + n[18];
            float* p8 = r.scratch + n[19];
            float* p9 = r.kept + n[9];
            const float* p10 = r.vectors + n[20];
            const float* p11 = r.vectors + n[21];
            float* p12 = r.scratch + n[22];
            float* p13 = r.kept + n[8];
            const float* p14 = r.vectors + n[23];
            const float* p15 = r.vectors + n[24];
            float* p16 = r.scratch + n[25];
            float* p17 = r.kept + n[10];
            const float* p18 = r.vectors + n[26];
            const float* p19 = r.vectors + n[27];
            float* p20 = r.scratch + n[28];
            float* p21 = r.kept + n[30];
            float* p22 = r.kept + n[31];
            float* p23 = r.kept + n[32];
            float* p24 = r.kept + n[33];
            float* p25 = r.kept + n[34];
            const float* p26 = r.vectors + n[36];
            const float* p27 = r.vectors + n[37];
            float* p28 = r.scratch + n[38];
            const float* p29 = r.vectors + n[39];
            const float* p30 = r.vectors + n[40];
            const float* p31 = r.before + n[41];
            const float* p32 = r.vectors + n[42];
            const float* p33 = r.vectors + n[43];
            const float* p34 = r.vectors + n[44];
            const float* p35 = r.vectors + n[45];
            float* p36 = r.after + n[46];
            float* p37 = r.kept + n[47];
            float* p38 = r.kept + n[49];
            float* p39 = r.scratch + n[51];
            float* p40 = r.kept + n[52];
            const float* p41 = r.vectors + n[54];
            const float* p42 = r.vectors + n[55];
            float* p43 = r.results[0] + n[56];
            float* p44 = r.after + n[57];
            float* p45 = r.kept + n[58];
            const V s32 = broadcast(p1[0]);
            V a43 = broadcast(0.0f);
            V a44 = broadcast(0.0f);
            V a45 = broadcast(0.0f);
            V a46 = broadcast(0.0f);
            for (int64_t at = 0, w = n[12]; at < w; at += W) {
                const int there = within(w - at);
                store(p4 + at, fma(load(p0 + at) * s32, load(p2 + at), load(p3 + at)));
                const V v40 = load(p5 + at);
                a43 = a43 + (there < W ? first_of(v40, there) : v40);
                const V v41 = load(p6 + at);
                a44 = a44 + (there < W ? first_of(v41, there) : v41);
                const V v42 = load(p7 + at);
                a45 = a45 + (there < W ? first_of(v42, there) : v42);
                const V v39 = load(p8 + at);
                a46 = a46 + (there < W ? first_of(v39, there) : v39);
                store(p12 + at, fma(load(p9 + at) * s32, load(p10 + at), load(p11 + at)));
                store(p16 + at, fma(load(p13 + at) * s32, load(p14 + at), load(p15 + at)));
                store(p20 + at, fma(load(p17 + at) * s32, load(p18 + at), load(p19 + at)));
            }
            const V s43 = broadcast(sum_of(a43));
            const V s44 = broadcast(sum_of(a44));
            const V s45 = broadcast(sum_of(a45));
            const V s46 = broadcast(sum_of(a46));
            const V s47 = s43 + s44;
            const V s48 = s47 + s45;
            const V s49 = s48 + s46;
            const V s50 = s49 * broadcast(1.0f / static_cast<float>(n[5]));
            V a59 = broadcast(0.0f);
            V a60 = broadcast(0.0f);
            V a61 = broadcast(0.0f);
            V a62 = broadcast(0.0f);
            for (int64_t at = 0, w = n[29]; at < w; at += W) {
                const int there = within(w - at);
                const V v51 = load(p8 + at) - s50;
                store(p21 + at, v51);
                const V v52 = load(p5 + at) - s50;
                store(p22 + at, v52);
                const V v53 = load(p6 + at) - s50;
                store(p23 + at, v53);
                const V v54 = load(p7 + at) - s50;
                store(p24 + at, v54);
                const V v55 = v52 * v52;
                a59 = a59 + (there < W ? first_of(v55, there) : v55);
                const V v56 = v53 * v53;
                a60 = a60 + (there < W ? first_of(v56, there) : v56);
                const V v57 = v54 * v54;
                a61 = a61 + (there < W ? first_of(v57, there) : v57);
                const V v58 = v51 * v51;
                a62 = a62 + (there < W ? first_of(v58, there) : v58);
            }
            const V s59 = broadcast(sum_of(a59));
            const V s60 = broadcast(sum_of(a60));
            const V s61 = broadcast(sum_of(a61));
            const V s62 = broadcast(sum_of(a62));
            const V s63 = s59 + s60;
            const V s64 = s63 + s61;
            const V s65 = s64 + s62;
            const V s66 = s65 * broadcast(1.0f / static_cast<float>(n[5]));
            const V s67 = s66 + broadcast(1e-05f);
            const V s68 = rsqrt(s67);
            store(p25, s68);
            V a116 = broadcast(0.0f);
            for (int64_t at = 0, w = n[35]; at < w; at += W) {
                const int there = within(w - at);
                store(p28 + at, sigmoid(load(p4 + at) + fma(load(p21 + at) * s68, load(p26 + at), load(p27 + at))));
                const V v114 = sigmoid(load(p16 + at) + fma(load(p22 + at) * s68, load(p32 + at), load(p33 + at))) * tanh(load(p20 + at) + fma(load(p24 + at) * s68, load(p34 + at), load(p35 + at)));
                const V v115 = fma(sigmoid(load(p12 + at) + fma(load(p23 + at) * s68, load(p29 + at), load(p30 + at))), load(p31 + at), v114);
                store(p36 + at, v115);
                store(p37 + at, v115);
                a116 = a116 + (there < W ? first_of(v115, there) : v115);
            }
            const V s116 = broadcast(sum_of(a116));
            const V s118 = s116 * broadcast(1.0f / static_cast<float>(n[48]));
            store(p38, s118);
            V a121 = broadcast(0.0f);
            for (int64_t at = 0, w = n[50]; at < w; at += W) {
                const int there = within(w - at);
                const V v119 = load(p36 + at) - s118;
                store(p39 + at, v119);
                const V v120 = v119 * v119;
                a121 = a121 + (there < W ? first_of(v120, there) : v120);
            }
            const V s121 = broadcast(sum_of(a121));
            const V s122 = s121 * broadcast(1.0f / static_cast<float>(n[48]));
            const V s123 = s122 + broadcast(1e-05f);
            const V s124 = rsqrt(s123);
            store(p40, s124);
            for (int64_t at = 0, w = n[53]; at < w; at += W) {
                const int there = within(w - at);
                const V v131 = load(p28 + at) * tanh(fma(load(p39 + at) * s124, load(p41 + at), load(p42 + at)));
                store_part(p43 + at, v131, there);
                store(p44 + at, v131);
                store(p45 + at, v131);
            }
        }
    }

    static constexpr ostinato_stage forward_stages[] = {forward_0, forward_1};
    static constexpr int64_t forward_over_chunk = 0;

    static void backward_0(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.kept + n[2];
            float* p1 = r.kept + n[3];
            float* p2 = r.scratch + n[4];
            float* p3 = r.kept + n[5];
            float* p4 = r.kept + n[6];
            float* p5 = r.scratch + n[7];
            const float* p6 = r.vectors + n[8];
            const float* p7 = r.vectors + n[9];
            const float* p8 = r.vectors + n[10];
            const float* p9 = r.vectors + n[11];
            float* p10 = r.scratch + n[12];
            float* p11 = r.kept + n[13];
            float* p12 = r.scratch + n[14];
            float* p13 = r.kept + n[15];
            float* p14 = r.scratch + n[16];
            const float* p15 = r.vectors + n[17];
            const float* p16 = r.vectors + n[18];
            const float* p17 = r.vectors + n[19];
            const float* p18 = r.vectors + n[20];
            float* p19 = r.scratch + n[21];
            float* p20 = r.kept + n[22];
            float* p21 = r.scratch + n[23];
            float* p22 = r.kept + n[24];
            float* p23 = r.scratch + n[25];
            const float* p24 = r.vectors + n[26];
            const float* p25 = r.vectors + n[27];
            const float* p26 = r.vectors + n[28];
            const float* p27 = r.vectors + n[29];
            float* p28 = r.scratch + n[30];
            float* p29 = r.kept + n[31];
            float* p30 = r.kept + n[32];
            float* p31 = r.scratch + n[33];
            const float* p32 = r.output_gradient + n[34];
            const float* p33 = r.upstream + n[35];
            float* p34 = r.kept + n[36];
            const float* p35 = r.vectors + n[37];
            const float* p36 = r.vectors + n[38];
            float* p37 = r.kept + n[39];
            const float* p38 = r.vectors + n[40];
            const float* p39 = r.vectors + n[41];
            float* p40 = r.kept + n[42];
            const float* p41 = r.vectors + n[43];
            const float* p42 = r.vectors + n[44];
            float* p43 = r.chunk + n[45];
            float* p44 = r.chunk + n[46];
            float* p45 = r.scratch + n[47];
            float* p46 = r.scratch + n[48];
            float* p47 = r.scratch + n[49];
            float* p48 = r.scratch + n[50];
            float* p49 = r.chunk + n[51];
            float* p50 = r.chunk + n[52];
            float* p51 = r.scratch + n[53];
            float* p52 = r.chunk + n[54];
            float* p53 = r.scratch + n[55];
            float* p54 = r.scratch + n[58];
            const float* p55 = r.upstream + n[60];
            float* p56 = r.chunk + n[61];
            float* p57 = r.chunk + n[62];
            float* p58 = r.scratch + n[63];
            float* p59 = r.chunk + n[64];
            float* p60 = r.scratch + n[65];
            float* p61 = r.chunk + n[66];
            float* p62 = r.chunk + n[67];
            float* p63 = r.scratch + n[68];
            float* p64 = r.chunk + n[69];
            float* p65 = r.scratch + n[70];
            float* p66 = r.after + n[71];
            const float* p67 = r.before + n[72];
            float* p68 = r.chunk + n[73];
            float* p69 = r.chunk + n[74];
            float* p70 = r.scratch + n[75];
            float* p71 = r.chunk + n[76];
            float* p72 = r.scratch + n[77];
            float* p73 = r.scratch + n[79];
            float* p74 = r.scratch + n[80];
            float* p75 = r.scratch + n[81];
            float* p76 = r.scratch + n[82];
            float* p77 = r.scratch + n[83];
            float* p78 = r.scratch + n[84];
            float* p79 = r.scratch + n[85];
            float* p80 = r.scratch + n[86];
            float* p81 = r.chunk + n[88];
            float* p82 = r.chunk + n[89];
            float* p83 = r.chunk + n[90];
            float* p84 = r.chunk + n[91];
            float* p85 = r.chunk + n[92];
            float* p86 = r.chunk + n[93];
            float* p87 = r.chunk + n[94];
            float* p88 = r.chunk + n[95];
            const V s364 = broadcast(1.0f / static_cast<float>(n[0])) * broadcast(-0.5f);
            const V s32 = broadcast(p1[0]);
            const V s68 = broadcast(p4[0]);
            const V s118 = broadcast(p30[0]);
            const V s124 = broadcast(p40[0]);
            V a144 = broadcast(0.0f);
            V a359 = broadcast(0.0f);
            V a402 = broadcast(0.0f);
            for (int64_t at = 0, w = n[1]; at < w; at += W) {
                const int there = within(w - at);
                const V v76 = load(p0 + at) * s32;
                store(p2 + at, v76);
                const V v81 = load(p3 + at) * s68;
                store(p5 + at, v81);
                const V v87 = sigmoid(fma(v76, load(p6 + at), load(p7 + at)) + fma(v81, load(p8 + at), load(p9 + at)));
                store(p10 + at, v87);
                const V v90 = load(p11 + at) * s32;
                store(p12 + at, v90);
                const V v95 = load(p13 + at) * s68;
                store(p14 + at, v95);
                const V v101 = sigmoid(fma(v90, load(p15 + at), load(p16 + at)) + fma(v95, load(p17 + at), load(p18 + at)));
                store(p19 + at, v101);
                const V v102 = load(p20 + at) * s32;
                store(p21 + at, v102);
                const V v107 = load(p22 + at) * s68;
                store(p23 + at, v107);
                const V v113 = tanh(fma(v102, load(p24 + at), load(p25 + at)) + fma(v107, load(p26 + at), load(p27 + at)));
                store(p28 + at, v113);
                const V v119 = load(p29 + at) - s118;
                store(p31 + at, v119);
                const V v14 = load(p34 + at);
                const V v33 = v14 * s32;
                const V v34 = load(p35 + at);
                const V v51 = load(p37 + at);
                const V v69 = v51 * s68;
                const V v70 = load(p38 + at);
                const V v75 = sigmoid(fma(v33, v34, load(p36 + at)) + fma(v69, v70, load(p39 + at)));
                const V v137 = (load_part(p32 + at, there) + load(p33 + at)) * v75;
                const V v125 = v119 * s124;
                const V v126 = load(p41 + at);
                const V v130 = tanh(fma(v125, v126, load(p42 + at)));
                const V v139 = v137 * tanh_slope(v130);
                store(p43 + at, v139);
                store(p44 + at, v139 * v125);
                const V v140 = v139 * v126;
                const V v143 = v140 * v119;
                a144 = a144 + (there < W ? first_of(v143, there) : v143);
                store(p45 + at, tanh_slope(v113));
                store(p46 + at, broadcast(1.0f) - v101);
                store(p47 + at, broadcast(1.0f) - v87);
                store(p48 + at, s124 * v140);
                const V v354 = v137 * v130 * (broadcast(1.0f) - v75);
                store(p49 + at, v354);
                store(p50 + at, v354 * v69);
                const V v355 = v354 * v70;
                store(p51 + at, s68 * v355);
                const V v358 = v355 * v51;
                a359 = a359 + (there < W ? first_of(v358, there) : v358);
                store(p52 + at, v354 * v33);
                const V v398 = v354 * v34;
                store(p53 + at, s32 * v398);
                const V v401 = v398 * v14;
                a402 = a402 + (there < W ? first_of(v401, there) : v401);
            }
            const V s144 = broadcast(sum_of(a144));
            const V s359 = broadcast(sum_of(a359));
            const V s402 = broadcast(sum_of(a402));
            const V s301 = s144 * broadcast(1.0f / static_cast<float>(n[56]));
            const V s302 = s301 * s124;
            const V s303 = s302 * s124;
            const V s304 = s303 * s124;
            const V s305 = s304 * broadcast(-0.5f);
            V a310 = broadcast(0.0f);
            for (int64_t at = 0, w = n[57]; at < w; at += W) {
                const int there = within(w - at);
                const V v306 = s305 * load(p31 + at);
                const V v308 = load(p48 + at) + v306 + v306;
                store(p54 + at, v308);
                const V v309 = -v308;
                a310 = a310 + (there < W ? first_of(v309, there) : v309);
            }
            const V s310 = broadcast(sum_of(a310));
            const V s311 = s310 * broadcast(1.0f / static_cast<float>(n[56]));
            V a321 = broadcast(0.0f);
            V a326 = broadcast(0.0f);
            V a333 = broadcast(0.0f);
            V a338 = broadcast(0.0f);
            V a347 = broadcast(0.0f);
            V a352 = broadcast(0.0f);
            for (int64_t at = 0, w = n[59]; at < w; at += W) {
                const int there = within(w - at);
                const V v313 = load(p55 + at) + (load(p54 + at) + s311);
                const V v315 = v313 * load(p19 + at);
                const V v316 = v315 * load(p45 + at);
                store(p56 + at, v316);
                store(p57 + at, v316 * load(p23 + at));
                const V v317 = v316 * load(p26 + at);
                store(p58 + at, s68 * v317);
                const V v320 = v317 * load(p22 + at);
                a321 = a321 + (there < W ? first_of(v320, there) : v320);
                store(p59 + at, v316 * load(p21 + at));
                const V v322 = v316 * load(p24 + at);
                store(p60 + at, s32 * v322);
                const V v325 = v322 * load(p20 + at);
                a326 = a326 + (there < W ? first_of(v325, there) : v325);
                const V v328 = v315 * load(p28 + at) * load(p46 + at);
                store(p61 + at, v328);
                store(p62 + at, v328 * load(p14 + at));
                const V v329 = v328 * load(p17 + at);
                store(p63 + at, s68 * v329);
                const V v332 = v329 * load(p13 + at);
                a333 = a333 + (there < W ? first_of(v332, there) : v332);
                store(p64 + at, v328 * load(p12 + at));
                const V v334 = v328 * load(p15 + at);
                store(p65 + at, s32 * v334);
                const V v337 = v334 * load(p11 + at);
                a338 = a338 + (there < W ? first_of(v337, there) : v337);
                const V v340 = v313 * load(p10 + at);
                store(p66 + at, v340);
                const V v342 = v340 * load(p67 + at) * load(p47 + at);
                store(p68 + at, v342);
                store(p69 + at, v342 * load(p5 + at));
                const V v343 = v342 * load(p8 + at);
                store(p70 + at, s68 * v343);
                const V v346 = v343 * load(p3 + at);
                a347 = a347 + (there < W ? first_of(v346, there) : v346);
                store(p71 + at, v342 * load(p2 + at));
                const V v348 = v342 * load(p6 + at);
                store(p72 + at, s32 * v348);
                const V v351 = v348 * load(p0 + at);
                a352 = a352 + (there < W ? first_of(v351, there) : v351);
            }
            const V s321 = broadcast(sum_of(a321));
            const V s326 = broadcast(sum_of(a326));
            const V s333 = broadcast(sum_of(a333));
            const V s338 = broadcast(sum_of(a338));
            const V s347 = broadcast(sum_of(a347));
            const V s352 = broadcast(sum_of(a352));
            const V s360 = s321 + s333;
            const V s361 = s360 + s347;
            const V s362 = s361 + s359;
            const V s365 = s362 * s68;
            const V s366 = s365 * s68;
            const V s367 = s366 * s68;
            const V s368 = s367 * s364;
            const V s403 = s326 + s338;
            const V s404 = s403 + s352;
            const V s405 = s404 + s402;
            const V s407 = s405 * s32;
            const V s408 = s407 * s32;
            const V s409 = s408 * s32;
            const V s410 = s409 * s364;
            V a376 = broadcast(0.0f);
            V a380 = broadcast(0.0f);
            V a384 = broadcast(0.0f);
            V a388 = broadcast(0.0f);
            V a418 = broadcast(0.0f);
            V a422 = broadcast(0.0f);
            V a426 = broadcast(0.0f);
            V a430 = broadcast(0.0f);
            for (int64_t at = 0, w = n[78]; at < w; at += W) {
                const int there = within(w - at);
                const V v370 = s368 * load(p22 + at);
                const V v374 = load(p58 + at) + v370 + v370;
                store(p73 + at, v374);
                const V v375 = -v374;
                a376 = a376 + (there < W ? first_of(v375, there) : v375);
                const V v371 = s368 * load(p3 + at);
                const V v378 = load(p70 + at) + v371 + v371;
                store(p74 + at, v378);
                const V v379 = -v378;
                a380 = a380 + (there < W ? first_of(v379, there) : v379);
                const V v372 = s368 * load(p13 + at);
                const V v382 = load(p63 + at) + v372 + v372;
                store(p75 + at, v382);
                const V v383 = -v382;
                a384 = a384 + (there < W ? first_of(v383, there) : v383);
                const V v369 = s368 * load(p37 + at);
                const V v386 = load(p51 + at) + v369 + v369;
                store(p76 + at, v386);
                const V v387 = -v386;
                a388 = a388 + (there < W ? first_of(v387, there) : v387);
                const V v412 = s410 * load(p20 + at);
                const V v416 = load(p60 + at) + v412 + v412;
                store(p77 + at, v416);
                const V v417 = -v416;
                a418 = a418 + (there < W ? first_of(v417, there) : v417);
                const V v413 = s410 * load(p0 + at);
                const V v420 = load(p72 + at) + v413 + v413;
                store(p78 + at, v420);
                const V v421 = -v420;
                a422 = a422 + (there < W ? first_of(v421, there) : v421);
                const V v414 = s410 * load(p11 + at);
                const V v424 = load(p65 + at) + v414 + v414;
                store(p79 + at, v424);
                const V v425 = -v424;
                a426 = a426 + (there < W ? first_of(v425, there) : v425);
                const V v411 = s410 * load(p34 + at);
                const V v428 = load(p53 + at) + v411 + v411;
                store(p80 + at, v428);
                const V v429 = -v428;
                a430 = a430 + (there < W ? first_of(v429, there) : v429);
            }
            const V s376 = broadcast(sum_of(a376));
            const V s380 = broadcast(sum_of(a380));
            const V s384 = broadcast(sum_of(a384));
            const V s388 = broadcast(sum_of(a388));
            const V s418 = broadcast(sum_of(a418));
            const V s422 = broadcast(sum_of(a422));
            const V s426 = broadcast(sum_of(a426));
            const V s430 = broadcast(sum_of(a430));
            const V s389 = s376 + s380;
            const V s390 = s389 + s384;
            const V s391 = s390 + s388;
            const V s392 = s391 * broadcast(1.0f / static_cast<float>(n[0]));
            const V s431 = s418 + s422;
            const V s432 = s431 + s426;
            const V s433 = s432 + s430;
            const V s434 = s433 * broadcast(1.0f / static_cast<float>(n[0]));
            for (int64_t at = 0, w = n[87]; at < w; at += W) {
                store(p81 + at, load(p73 + at) + s392);
                store(p82 + at, load(p74 + at) + s392);
                store(p83 + at, load(p75 + at) + s392);
                store(p84 + at, load(p76 + at) + s392);
                store(p85 + at, load(p77 + at) + s434);
                store(p86 + at, load(p78 + at) + s434);
                store(p87 + at, load(p79 + at) + s434);
                store(p88 + at, load(p80 + at) + s434);
            }
        }
    }
    static void backward_1(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.scratch + n[97];
            float* p1 = r.after + n[98];
            for (int64_t at = 0, w = n[96]; at < w; at += W) {
                store(p1 + at, load(p0 + at));
            }
        }
    }

    static constexpr ostinato_stage backward_stages[] = {backward_0, backward_1};
    static constexpr int64_t backward_over_chunk = 0;
};

struct LstmLayerNormNoisy {
    const int64_t D, H, R, h = plane(H), r = plane(R);
    static constexpr RunOperand matrices[] = {{&ostinato_run::weight_ih, &ostinato_run::grad_weight_ih},
        {&ostinato_run::weight_hh, &ostinato_run::grad_weight_hh}};
    static constexpr RunOperand vectors[] = {{&ostinato_run::extra, &ostinato_run::grad_extra, 0},
        {&ostinato_run::bias_ih, &ostinato_run::grad_bias_ih}, {&ostinato_run::extra, &ostinato_run::grad_extra, 4},
        {&ostinato_run::bias_hh, &ostinato_run::grad_bias_hh}, {&ostinato_run::extra, &ostinato_run::grad_extra, 8},
        {&ostinato_run::extra, &ostinato_run::grad_extra, 9}};
    const int64_t state_size = 2 * h;
    const int64_t kept_size = 10 * h + 64;
    const int64_t vectors_size = 18 * h;
    const int64_t output_width = H;
    const int64_t forward_scratch = 15 * h;
    const int64_t forward_chunk = 4 * h;
    const int64_t backward_scratch = 35 * h;
    const int64_t backward_chunk = 22 * h;
    const ostinato_product product[2] = {{0, 0, 4, 0, 1, 0}, {1, 4, 4, 1, 1, 0}};
    const ostinato_piece piece[8] = {{0, 3 * H, H, -1, 0}, {0, 0, H, -1, 0}, {0, H, H, -1, 0}, {0, 2 * H, H, -1, 0}, {1,
        3 * H, H, -1, 0}, {1, 0, H, -1, 0}, {1, H, H, -1, 0}, {1, 2 * H, H, -1, 0}};
    const ostinato_operand operand[2] = {{5, 0, D, 0}, {4, 5 * h + 16, H, 0}};
    const ostinato_back back[2] = {{0, 0, 4, 0, 0, D, 0}, {1, 4, 4, 0, 0, H, 0}};
    const ostinato_source source[8] = {{0, 2 * H, H, 0, 0}, {0, H, H, 0, h}, {0, 0, H, 0, 2 * h}, {0, 3 * H, H, 0, 3 *
        h}, {1, 2 * H, H, 0, 4 * h}, {1, H, H, 0, 5 * h}, {1, 0, H, 0, 6 * h}, {1, 3 * H, H, 0, 7 * h}};
    const ostinato_weight_gradient weight_gradient[8] = {{0, 2 * H, H, 0, 0, 5, 0, D}, {0, H, H, 0, h, 5, 0, D}, {0, 0,
        H, 0, 2 * h, 5, 0, D}, {0, 3 * H, H, 0, 3 * h, 5, 0, D}, {1, 2 * H, H, 0, 4 * h, 4, 5 * h + 16, H}, {1, H, H, 0,
        5 * h, 4, 5 * h + 16, H}, {1, 0, H, 0, 6 * h, 4, 5 * h + 16, H}, {1, 3 * H, H, 0, 7 * h, 4, 5 * h + 16, H}};
    const ostinato_vector_part vector_gradient[18] = {{5, 0, H, 8 * h}, {4, 0, H, 9 * h}, {3, 2 * H, H, 10 * h}, {1, 2 *
        H, H, 10 * h}, {2, 2 * H, H, 11 * h}, {0, 2 * H, H, 12 * h}, {3, 0, H, 13 * h}, {1, 0, H, 13 * h}, {2, 0, H, 14
        * h}, {0, 0, H, 15 * h}, {3, H, H, 16 * h}, {1, H, H, 16 * h}, {2, H, H, 17 * h}, {0, H, H, 18 * h}, {3, 3 * H,
        H, 19 * h}, {1, 3 * H, H, 19 * h}, {2, 3 * H, H, 20 * h}, {0, 3 * H, H, 21 * h}};
    const ostinato_vector_part vector_part[18] = {{4, 0, H, 0}, {5, 0, H, h}, {0, 3 * H, H, 2 * h}, {1, 3 * H, H, 3 *
        h}, {2, 3 * H, H, 4 * h}, {3, 3 * H, H, 5 * h}, {0, H, H, 6 * h}, {1, H, H, 7 * h}, {2, H, H, 8 * h}, {3, H, H,
        9 * h}, {0, 0, H, 10 * h}, {1, 0, H, 11 * h}, {2, 0, H, 12 * h}, {3, 0, H, 13 * h}, {0, 2 * H, H, 14 * h}, {1, 2
        * H, H, 15 * h}, {2, 2 * H, H, 16 * h}, {3, 2 * H, H, 17 * h}};
    const ostinato_state_part state_part[2] = {{0, 0, H, 0, -1, -1}, {1, 0, H, h, 0, -1}};
    const int64_t input_width[4] = {D, H, H, H};
    const int64_t field_width[2] = {H, H};
    const int64_t matrix_shape[4] = {4 * H, D, 4 * H, H};
    const int64_t vector_width[6] = {4 * H, 4 * H, 4 * H, 4 * H, H, H};
    const int64_t forward_numbers[68] = {H, h, 2 * h, 3 * h, 0, 0, 0, 5 * h + 16, 4 * H, H, h, 2 * h, 3 * h, 4 * h, 5 *
        h, H, 0, 4 * h, 5 * h, 2 * h, 3 * h, 8 * h, h, 2 * h, 3 * h, 0, 6 * h, 7 * h, 10 * h, 10 * h, 11 * h, 11 * h, 14
        * h, 15 * h, 12 * h, 0, h, 6 * h, 7 * h, H, 6 * h + 16, 7 * h + 16, 8 * h + 16, 9 * h + 16, 10 * h + 16, H, 4 *
        h, 5 * h, 9 * h, 8 * h, 9 * h, 12 * h, 13 * h, 16 * h, 17 * h, 13 * h, h, 0, H, 10 * h + 32, H, 14 * h, 10 * h +
        48, H, 0, h, 0, 0};
    const int64_t backward_numbers[104] = {4 * H, H, 3 * h, 5 * h, 18 * h, 8 * h + 16, 10 * h + 16, 20 * h, 6 * h, 7 *
        h, 8 * h, 9 * h, 22 * h, 2 * h, 24 * h, 7 * h + 16, 25 * h, 10 * h, 11 * h, 12 * h, 13 * h, 27 * h, 4 * h, 29 *
        h, 9 * h + 16, 30 * h, 14 * h, 15 * h, 16 * h, 17 * h, 32 * h, 0, 10 * h + 32, 34 * h, h, 0, 3 * h, 5 * h, 0, 0,
        6 * h, 0, h, 2 * h, 3 * h, 6 * h + 16, 4 * h, 5 * h, 10 * h + 48, 0, h, 8 * h, 9 * h, 10 * h, 14 * h, 19 * h, 15
        * h, 19 * h, 20 * h, h, 21 * h, 9 * h, H, H, 17 * h, H, 10 * h, 11 * h, 21 * h, 12 * h, 23 * h, 13 * h, 14 * h,
        26 * h, 15 * h, 28 * h, h, 16 * h, 17 * h, 31 * h, 18 * h, 33 * h, H, 2 * h, 4 * h, 7 * h, 8 * h, 11 * h, 12 *
        h, 13 * h, 16 * h, H, 4 * h, 5 * h, 6 * h, 7 * h, 0, h, 2 * h, 3 * h, H, 0, 0, 0};

    static void forward_0(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.chunk + n[1];
            float* p1 = r.chunk + n[2];
            float* p2 = r.chunk + n[3];
            float* p3 = r.chunk + n[4];
            const float* p4 = r.before + n[5];
            const float* p5 = r.inputs[1] + n[6];
            float* p6 = r.kept + n[7];
            float* p7 = r.kept + n[10];
            float* p8 = r.kept + n[11];
            float* p9 = r.kept + n[12];
            float* p10 = r.kept + n[13];
            float* p11 = r.kept + n[14];
            V a10 = broadcast(0.0f);
            V a11 = broadcast(0.0f);
            V a12 = broadcast(0.0f);
            V a13 = broadcast(0.0f);
            for (int64_t at = 0, w = n[0]; at < w; at += W) {
                const int there = within(w - at);
                const V v7 = load(p0 + at);
                a10 = a10 + (there < W ? first_of(v7, there) : v7);
                const V v8 = load(p1 + at);
                a11 = a11 + (there < W ? first_of(v8, there) : v8);
                const V v9 = load(p2 + at);
                a12 = a12 + (there < W ? first_of(v9, there) : v9);
                const V v6 = load(p3 + at);
                a13 = a13 + (there < W ? first_of(v6, there) : v6);
                store(p6 + at, load(p4 + at) * load_part(p5 + at, there));
            }
            const V s10 = broadcast(sum_of(a10));
            const V s11 = broadcast(sum_of(a11));
            const V s12 = broadcast(sum_of(a12));
            const V s13 = broadcast(sum_of(a13));
            const V s14 = s10 + s11;
            const V s15 = s14 + s12;
            const V s16 = s15 + s13;
            const V s18 = s16 * broadcast(1.0f / static_cast<float>(n[8]));
            V a27 = broadcast(0.0f);
            V a28 = broadcast(0.0f);
            V a29 = broadcast(0.0f);
            V a30 = broadcast(0.0f);
            for (int64_t at = 0, w = n[9]; at < w; at += W) {
                const int there = within(w - at);
                const V v19 = load(p3 + at) - s18;
                store(p7 + at, v19);
                const V v20 = load(p0 + at) - s18;
                store(p8 + at, v20);
                const V v21 = load(p1 + at) - s18;
                store(p9 + at, v21);
                const V v22 = load(p2 + at) - s18;
                store(p10 + at, v22);
                const V v23 = v20 * v20;
                a27 = a27 + (there < W ? first_of(v23, there) : v23);
                const V v24 = v21 * v21;
                a28 = a28 + (there < W ? first_of(v24, there) : v24);
                const V v25 = v22 * v22;
                a29 = a29 + (there < W ? first_of(v25, there) : v25);
                const V v26 = v19 * v19;
                a30 = a30 + (there < W ? first_of(v26, there) : v26);
            }
            const V s27 = broadcast(sum_of(a27));
            const V s28 = broadcast(sum_of(a28));
            const V s29 = broadcast(sum_of(a29));
            const V s30 = broadcast(sum_of(a30));
            const V s31 = s27 + s28;
            const V s32 = s31 + s29;
            const V s33 = s32 + s30;
            const V s34 = s33 * broadcast(1.0f / static_cast<float>(n[8]));
            const V s36 = s34 + broadcast(1e-05f);
            const V s37 = rsqrt(s36);
            store(p11, s37);
        }
    }
    static void forward_1(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            const float* p0 = r.inputs[2] + n[16];
            const float* p1 = r.before + n[5];
            float* p2 = r.scratch + n[17];
            float* p3 = r.scratch + n[18];
            float* p4 = r.kept + n[10];
            float* p5 = r.kept + n[14];
            const float* p6 = r.vectors + n[19];
            const float* p7 = r.vectors + n[20];
            float* p8 = r.scratch + n[21];
            float* p9 = r.scratch + n[22];
            float* p10 = r.scratch + n[23];
            float* p11 = r.scratch + n[24];
            float* p12 = r.scratch + n[25];
            float* p13 = r.kept + n[12];
            const float* p14 = r.vectors + n[26];
            const float* p15 = r.vectors + n[27];
            float* p16 = r.scratch + n[28];
            float* p17 = r.kept + n[11];
            const float* p18 = r.vectors + n[29];
            const float* p19 = r.vectors + n[30];
            float* p20 = r.scratch + n[31];
            float* p21 = r.kept + n[13];
            const float* p22 = r.vectors + n[32];
            const float* p23 = r.vectors + n[33];
            float* p24 = r.scratch + n[34];
            const float* p25 = r.inputs[3] + n[35];
            const float* p26 = r.before + n[36];
            float* p27 = r.scratch + n[37];
            float* p28 = r.scratch + n[38];
            float* p29 = r.kept + n[40];
            float* p30 = r.kept + n[41];
            float* p31 = r.kept + n[42];
            float* p32 = r.kept + n[43];
            float* p33 = r.kept + n[44];
            const float* p34 = r.vectors + n[46];
            const float* p35 = r.vectors + n[47];
            float* p36 = r.scratch + n[48];
            const float* p37 = r.vectors + n[49];
            const float* p38 = r.vectors + n[50];
            const float* p39 = r.vectors + n[51];
            const float* p40 = r.vectors + n[52];
            const float* p41 = r.vectors + n[53];
            const float* p42 = r.vectors + n[54];
            float* p43 = r.scratch + n[55];
            float* p44 = r.after + n[56];
            float* p45 = r.kept + n[57];
            float* p46 = r.kept + n[59];
            float* p47 = r.scratch + n[61];
            float* p48 = r.kept + n[62];
            const float* p49 = r.vectors + n[64];
            const float* p50 = r.vectors + n[65];
            float* p51 = r.results[0] + n[66];
            float* p52 = r.after + n[67];
            const V s37 = broadcast(p5[0]);
            V a49 = broadcast(0.0f);
            V a50 = broadcast(0.0f);
            V a51 = broadcast(0.0f);
            V a52 = broadcast(0.0f);
            for (int64_t at = 0, w = n[15]; at < w; at += W) {
                const int there = within(w - at);
                const V v0 = load_part(p0 + at, there);
                store(p2 + at, v0 * load(p1 + at));
                store(p3 + at, broadcast(1.0f) - v0);
                store(p8 + at, fma(load(p4 + at) * s37, load(p6 + at), load(p7 + at)));
                const V v46 = load(p9 + at);
                a49 = a49 + (there < W ? first_of(v46, there) : v46);
                const V v47 = load(p10 + at);
                a50 = a50 + (there < W ? first_of(v47, there) : v47);
                const V v48 = load(p11 + at);
                a51 = a51 + (there < W ? first_of(v48, there) : v48);
                const V v45 = load(p12 + at);
                a52 = a52 + (there < W ? first_of(v45, there) : v45);
                store(p16 + at, fma(load(p13 + at) * s37, load(p14 + at), load(p15 + at)));
                store(p20 + at, fma(load(p17 + at) * s37, load(p18 + at), load(p19 + at)));
                store(p24 + at, fma(load(p21 + at) * s37, load(p22 + at), load(p23 + at)));
                const V v140 = load_part(p25 + at, there);
                store(p27 + at, v140 * load(p26 + at));
                store(p28 + at, broadcast(1.0f) - v140);
            }
            const V s49 = broadcast(sum_of(a49));
            const V s50 = broadcast(sum_of(a50));
            const V s51 = broadcast(sum_of(a51));
            const V s52 = broadcast(sum_of(a52));
            const V s53 = s49 + s50;
            const V s54 = s53 + s51;
            const V s55 = s54 + s52;
            const V s56 = s55 * broadcast(1.0f / static_cast<float>(n[8]));
            V a65 = broadcast(0.0f);
            V a66 = broadcast(0.0f);
            V a67 = broadcast(0.0f);
            V a68 = broadcast(0.0f);
            for (int64_t at = 0, w = n[39]; at < w; at += W) {
                const int there = within(w - at);
                const V v57 = load(p12 + at) - s56;
                store(p29 + at, v57);
                const V v58 = load(p9 + at) - s56;
                store(p30 + at, v58);
                const V v59 = load(p10 + at) - s56;
                store(p31 + at, v59);
                const V v60 = load(p11 + at) - s56;
                store(p32 + at, v60);
                const V v61 = v58 * v58;
                a65 = a65 + (there < W ? first_of(v61, there) : v61);
                const V v62 = v59 * v59;
                a66 = a66 + (there < W ? first_of(v62, there) : v62);
                const V v63 = v60 * v60;
                a67 = a67 + (there < W ? first_of(v63, there) : v63);
                const V v64 = v57 * v57;
                a68 = a68 + (there < W ? first_of(v64, there) : v64);
            }
            const V s65 = broadcast(sum_of(a65));
            const V s66 = broadcast(sum_of(a66));
            const V s67 = broadcast(sum_of(a67));
            const V s68 = broadcast(sum_of(a68));
            const V s69 = s65 + s66;
            const V s70 = s69 + s67;
            const V s71 = s70 + s68;
            const V s72 = s71 * broadcast(1.0f / static_cast<float>(n[8]));
            const V s73 = s72 + broadcast(1e-05f);
            const V s74 = rsqrt(s73);
            store(p33, s74);
            V a122 = broadcast(0.0f);
            for (int64_t at = 0, w = n[45]; at < w; at += W) {
                const int there = within(w - at);
                store(p36 + at, sigmoid(load(p8 + at) + fma(load(p29 + at) * s74, load(p34 + at), load(p35 + at))));
                const V v120 = sigmoid(load(p20 + at) + fma(load(p30 + at) * s74, load(p39 + at), load(p40 + at))) * tanh(load(p24 + at) + fma(load(p32 + at) * s74, load(p41 + at), load(p42 + at)));
                const V v121 = fma(sigmoid(load(p16 + at) + fma(load(p31 + at) * s74, load(p37 + at), load(p38 + at))), load(p26 + at), v120);
                store(p43 + at, v121);
                a122 = a122 + (there < W ? first_of(v121, there) : v121);
                const V v144 = fma(load(p28 + at), v121, load(p27 + at));
                store(p44 + at, v144);
                store(p45 + at, v144);
            }
            const V s122 = broadcast(sum_of(a122));
            const V s124 = s122 * broadcast(1.0f / static_cast<float>(n[58]));
            store(p46, s124);
            V a127 = broadcast(0.0f);
            for (int64_t at = 0, w = n[60]; at < w; at += W) {
                const int there = within(w - at);
                const V v125 = load(p43 + at) - s124;
                store(p47 + at, v125);
                const V v126 = v125 * v125;
                a127 = a127 + (there < W ? first_of(v126, there) : v126);
            }
            const V s127 = broadcast(sum_of(a127));
            const V s128 = s127 * broadcast(1.0f / static_cast<float>(n[58]));
            const V s129 = s128 + broadcast(1e-05f);
            const V s130 = rsqrt(s129);
            store(p48, s130);
            for (int64_t at = 0, w = n[63]; at < w; at += W) {
                const int there = within(w - at);
                const V v139 = fma(load(p3 + at), load(p36 + at) * tanh(fma(load(p47 + at) * s130, load(p49 + at), load(p50 + at))), load(p2 + at));
                store_part(p51 + at, v139, there);
                store(p52 + at, v139);
            }
        }
    }

    static constexpr ostinato_stage forward_stages[] = {forward_0, forward_1};
    static constexpr int64_t forward_over_chunk = 0;

    static void backward_0(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.kept + n[2];
            float* p1 = r.kept + n[3];
            float* p2 = r.scratch + n[4];
            float* p3 = r.kept + n[5];
            float* p4 = r.kept + n[6];
            float* p5 = r.scratch + n[7];
            const float* p6 = r.vectors + n[8];
            const float* p7 = r.vectors + n[9];
            const float* p8 = r.vectors + n[10];
            const float* p9 = r.vectors + n[11];
            float* p10 = r.scratch + n[12];
            float* p11 = r.kept + n[13];
            float* p12 = r.scratch + n[14];
            float* p13 = r.kept + n[15];
            float* p14 = r.scratch + n[16];
            const float* p15 = r.vectors + n[17];
            const float* p16 = r.vectors + n[18];
            const float* p17 = r.vectors + n[19];
            const float* p18 = r.vectors + n[20];
            float* p19 = r.scratch + n[21];
            float* p20 = r.kept + n[22];
            float* p21 = r.scratch + n[23];
            float* p22 = r.kept + n[24];
            float* p23 = r.scratch + n[25];
            const float* p24 = r.vectors + n[26];
            const float* p25 = r.vectors + n[27];
            const float* p26 = r.vectors + n[28];
            const float* p27 = r.vectors + n[29];
            float* p28 = r.scratch + n[30];
            const float* p29 = r.before + n[31];
            float* p30 = r.kept + n[32];
            float* p31 = r.scratch + n[33];
            const float* p32 = r.upstream + n[34];
            const float* p33 = r.inputs[3] + n[35];
            float* p34 = r.scratch + n[36];
            float* p35 = r.scratch + n[37];
            const float* p36 = r.output_gradient + n[38];
            const float* p37 = r.upstream + n[39];
            float* p38 = r.scratch + n[40];
            const float* p39 = r.inputs[2] + n[41];
            float* p40 = r.kept + n[42];
            const float* p41 = r.vectors + n[43];
            const float* p42 = r.vectors + n[44];
            float* p43 = r.kept + n[45];
            const float* p44 = r.vectors + n[46];
            const float* p45 = r.vectors + n[47];
            float* p46 = r.kept + n[48];
            const float* p47 = r.vectors + n[49];
            const float* p48 = r.vectors + n[50];
            float* p49 = r.chunk + n[51];
            float* p50 = r.chunk + n[52];
            float* p51 = r.scratch + n[53];
            float* p52 = r.scratch + n[54];
            float* p53 = r.scratch + n[55];
            float* p54 = r.scratch + n[56];
            float* p55 = r.chunk + n[57];
            float* p56 = r.chunk + n[58];
            float* p57 = r.scratch + n[59];
            float* p58 = r.chunk + n[60];
            float* p59 = r.scratch + n[61];
            float* p60 = r.scratch + n[64];
            float* p61 = r.chunk + n[66];
            float* p62 = r.chunk + n[67];
            float* p63 = r.scratch + n[68];
            float* p64 = r.chunk + n[69];
            float* p65 = r.scratch + n[70];
            float* p66 = r.chunk + n[71];
            float* p67 = r.chunk + n[72];
            float* p68 = r.scratch + n[73];
            float* p69 = r.chunk + n[74];
            float* p70 = r.scratch + n[75];
            float* p71 = r.after + n[76];
            float* p72 = r.chunk + n[77];
            float* p73 = r.chunk + n[78];
            float* p74 = r.scratch + n[79];
            float* p75 = r.chunk + n[80];
            float* p76 = r.scratch + n[81];
            float* p77 = r.scratch + n[83];
            float* p78 = r.scratch + n[84];
            float* p79 = r.scratch + n[85];
            float* p80 = r.scratch + n[86];
            float* p81 = r.scratch + n[87];
            float* p82 = r.scratch + n[88];
            float* p83 = r.scratch + n[89];
            float* p84 = r.scratch + n[90];
            float* p85 = r.chunk + n[92];
            float* p86 = r.chunk + n[93];
            float* p87 = r.chunk + n[94];
            float* p88 = r.chunk + n[95];
            float* p89 = r.chunk + n[96];
            float* p90 = r.chunk + n[97];
            float* p91 = r.chunk + n[98];
            float* p92 = r.chunk + n[99];
            const V s393 = broadcast(1.0f / static_cast<float>(n[0])) * broadcast(-0.5f);
            const V s37 = broadcast(p1[0]);
            const V s74 = broadcast(p4[0]);
            const V s124 = broadcast(p30[0]);
            const V s130 = broadcast(p46[0]);
            V a165 = broadcast(0.0f);
            V a388 = broadcast(0.0f);
            V a432 = broadcast(0.0f);
            for (int64_t at = 0, w = n[1]; at < w; at += W) {
                const int there = within(w - at);
                const V v82 = load(p0 + at) * s37;
                store(p2 + at, v82);
                const V v87 = load(p3 + at) * s74;
                store(p5 + at, v87);
                const V v93 = sigmoid(fma(v82, load(p6 + at), load(p7 + at)) + fma(v87, load(p8 + at), load(p9 + at)));
                store(p10 + at, v93);
                const V v96 = load(p11 + at) * s37;
                store(p12 + at, v96);
                const V v101 = load(p13 + at) * s74;
                store(p14 + at, v101);
                const V v107 = sigmoid(fma(v96, load(p15 + at), load(p16 + at)) + fma(v101, load(p17 + at), load(p18 + at)));
                store(p19 + at, v107);
                const V v108 = load(p20 + at) * s37;
                store(p21 + at, v108);
                const V v113 = load(p22 + at) * s74;
                store(p23 + at, v113);
                const V v119 = tanh(fma(v108, load(p24 + at), load(p25 + at)) + fma(v113, load(p26 + at), load(p27 + at)));
                store(p28 + at, v119);
                const V v125 = fma(v93, load(p29 + at), v107 * v119) - s124;
                store(p31 + at, v125);
                const V v147 = load(p32 + at);
                const V v140 = load_part(p33 + at, there);
                store(p34 + at, v147 * (broadcast(1.0f) - v140));
                store(p35 + at, v147 * v140);
                const V v154 = load_part(p36 + at, there) + load(p37 + at);
                store(p38 + at, v154);
                const V v19 = load(p40 + at);
                const V v38 = v19 * s37;
                const V v39 = load(p41 + at);
                const V v57 = load(p43 + at);
                const V v75 = v57 * s74;
                const V v76 = load(p44 + at);
                const V v81 = sigmoid(fma(v38, v39, load(p42 + at)) + fma(v75, v76, load(p45 + at)));
                const V v158 = v154 * (broadcast(1.0f) - load_part(p39 + at, there)) * v81;
                const V v131 = v125 * s130;
                const V v132 = load(p47 + at);
                const V v136 = tanh(fma(v131, v132, load(p48 + at)));
                const V v160 = v158 * tanh_slope(v136);
                store(p49 + at, v160);
                store(p50 + at, v160 * v131);
                const V v161 = v160 * v132;
                const V v164 = v161 * v125;
                a165 = a165 + (there < W ? first_of(v164, there) : v164);
                store(p51 + at, tanh_slope(v119));
                store(p52 + at, broadcast(1.0f) - v107);
                store(p53 + at, broadcast(1.0f) - v93);
                store(p54 + at, s130 * v161);
                const V v383 = v158 * v136 * (broadcast(1.0f) - v81);
                store(p55 + at, v383);
                store(p56 + at, v383 * v75);
                const V v384 = v383 * v76;
                store(p57 + at, s74 * v384);
                const V v387 = v384 * v57;
                a388 = a388 + (there < W ? first_of(v387, there) : v387);
                store(p58 + at, v383 * v38);
                const V v428 = v383 * v39;
                store(p59 + at, s37 * v428);
                const V v431 = v428 * v19;
                a432 = a432 + (there < W ? first_of(v431, there) : v431);
            }
            const V s165 = broadcast(sum_of(a165));
            const V s388 = broadcast(sum_of(a388));
            const V s432 = broadcast(sum_of(a432));
            const V s329 = s165 * broadcast(1.0f / static_cast<float>(n[62]));
            const V s330 = s329 * s130;
            const V s331 = s330 * s130;
            const V s332 = s331 * s130;
            const V s333 = s332 * broadcast(-0.5f);
            V a338 = broadcast(0.0f);
            for (int64_t at = 0, w = n[63]; at < w; at += W) {
                const int there = within(w - at);
                const V v334 = s333 * load(p31 + at);
                const V v336 = load(p54 + at) + v334 + v334;
                store(p60 + at, v336);
                const V v337 = -v336;
                a338 = a338 + (there < W ? first_of(v337, there) : v337);
            }
            const V s338 = broadcast(sum_of(a338));
            const V s339 = s338 * broadcast(1.0f / static_cast<float>(n[62]));
            V a349 = broadcast(0.0f);
            V a354 = broadcast(0.0f);
            V a361 = broadcast(0.0f);
            V a366 = broadcast(0.0f);
            V a376 = broadcast(0.0f);
            V a381 = broadcast(0.0f);
            for (int64_t at = 0, w = n[65]; at < w; at += W) {
                const int there = within(w - at);
                const V v341 = load(p34 + at) + (load(p60 + at) + s339);
                const V v343 = v341 * load(p19 + at);
                const V v344 = v343 * load(p51 + at);
                store(p61 + at, v344);
                store(p62 + at, v344 * load(p23 + at));
                const V v345 = v344 * load(p26 + at);
                store(p63 + at, s74 * v345);
                const V v348 = v345 * load(p22 + at);
                a349 = a349 + (there < W ? first_of(v348, there) : v348);
                store(p64 + at, v344 * load(p21 + at));
                const V v350 = v344 * load(p24 + at);
                store(p65 + at, s37 * v350);
                const V v353 = v350 * load(p20 + at);
                a354 = a354 + (there < W ? first_of(v353, there) : v353);
                const V v356 = v343 * load(p28 + at) * load(p52 + at);
                store(p66 + at, v356);
                store(p67 + at, v356 * load(p14 + at));
                const V v357 = v356 * load(p17 + at);
                store(p68 + at, s74 * v357);
                const V v360 = v357 * load(p13 + at);
                a361 = a361 + (there < W ? first_of(v360, there) : v360);
                store(p69 + at, v356 * load(p12 + at));
                const V v362 = v356 * load(p15 + at);
                store(p70 + at, s37 * v362);
                const V v365 = v362 * load(p11 + at);
                a366 = a366 + (there < W ? first_of(v365, there) : v365);
                const V v368 = v341 * load(p10 + at);
                store(p71 + at, load(p35 + at) + v368);
                const V v371 = v368 * load(p29 + at) * load(p53 + at);
                store(p72 + at, v371);
                store(p73 + at, v371 * load(p5 + at));
                const V v372 = v371 * load(p8 + at);
                store(p74 + at, s74 * v372);
                const V v375 = v372 * load(p3 + at);
                a376 = a376 + (there < W ? first_of(v375, there) : v375);
                store(p75 + at, v371 * load(p2 + at));
                const V v377 = v371 * load(p6 + at);
                store(p76 + at, s37 * v377);
                const V v380 = v377 * load(p0 + at);
                a381 = a381 + (there < W ? first_of(v380, there) : v380);
            }
            const V s349 = broadcast(sum_of(a349));
            const V s354 = broadcast(sum_of(a354));
            const V s361 = broadcast(sum_of(a361));
            const V s366 = broadcast(sum_of(a366));
            const V s376 = broadcast(sum_of(a376));
            const V s381 = broadcast(sum_of(a381));
            const V s389 = s349 + s361;
            const V s390 = s389 + s376;
            const V s391 = s390 + s388;
            const V s394 = s391 * s74;
            const V s395 = s394 * s74;
            const V s396 = s395 * s74;
            const V s397 = s396 * s393;
            const V s433 = s354 + s366;
            const V s434 = s433 + s381;
            const V s435 = s434 + s432;
            const V s437 = s435 * s37;
            const V s438 = s437 * s37;
            const V s439 = s438 * s37;
            const V s440 = s439 * s393;
            V a405 = broadcast(0.0f);
            V a409 = broadcast(0.0f);
            V a413 = broadcast(0.0f);
            V a417 = broadcast(0.0f);
            V a448 = broadcast(0.0f);
            V a452 = broadcast(0.0f);
            V a456 = broadcast(0.0f);
            V a460 = broadcast(0.0f);
            for (int64_t at = 0, w = n[82]; at < w; at += W) {
                const int there = within(w - at);
                const V v399 = s397 * load(p22 + at);
                const V v403 = load(p63 + at) + v399 + v399;
                store(p77 + at, v403);
                const V v404 = -v403;
                a405 = a405 + (there < W ? first_of(v404, there) : v404);
                const V v400 = s397 * load(p3 + at);
                const V v407 = load(p74 + at) + v400 + v400;
                store(p78 + at, v407);
                const V v408 = -v407;
                a409 = a409 + (there < W ? first_of(v408, there) : v408);
                const V v401 = s397 * load(p13 + at);
                const V v411 = load(p68 + at) + v401 + v401;
                store(p79 + at, v411);
                const V v412 = -v411;
                a413 = a413 + (there < W ? first_of(v412, there) : v412);
                const V v398 = s397 * load(p43 + at);
                const V v415 = load(p57 + at) + v398 + v398;
                store(p80 + at, v415);
                const V v416 = -v415;
                a417 = a417 + (there < W ? first_of(v416, there) : v416);
                const V v442 = s440 * load(p20 + at);
                const V v446 = load(p65 + at) + v442 + v442;
                store(p81 + at, v446);
                const V v447 = -v446;
                a448 = a448 + (there < W ? first_of(v447, there) : v447);
                const V v443 = s440 * load(p0 + at);
                const V v450 = load(p76 + at) + v443 + v443;
                store(p82 + at, v450);
                const V v451 = -v450;
                a452 = a452 + (there < W ? first_of(v451, there) : v451);
                const V v444 = s440 * load(p11 + at);
                const V v454 = load(p70 + at) + v444 + v444;
                store(p83 + at, v454);
                const V v455 = -v454;
                a456 = a456 + (there < W ? first_of(v455, there) : v455);
                const V v441 = s440 * load(p40 + at);
                const V v458 = load(p59 + at) + v441 + v441;
                store(p84 + at, v458);
                const V v459 = -v458;
                a460 = a460 + (there < W ? first_of(v459, there) : v459);
            }
            const V s405 = broadcast(sum_of(a405));
            const V s409 = broadcast(sum_of(a409));
            const V s413 = broadcast(sum_of(a413));
            const V s417 = broadcast(sum_of(a417));
            const V s448 = broadcast(sum_of(a448));
            const V s452 = broadcast(sum_of(a452));
            const V s456 = broadcast(sum_of(a456));
            const V s460 = broadcast(sum_of(a460));
            const V s418 = s405 + s409;
            const V s419 = s418 + s413;
            const V s420 = s419 + s417;
            const V s421 = s420 * broadcast(1.0f / static_cast<float>(n[0]));
            const V s461 = s448 + s452;
            const V s462 = s461 + s456;
            const V s463 = s462 + s460;
            const V s464 = s463 * broadcast(1.0f / static_cast<float>(n[0]));
            for (int64_t at = 0, w = n[91]; at < w; at += W) {
                store(p85 + at, load(p77 + at) + s421);
                store(p86 + at, load(p78 + at) + s421);
                store(p87 + at, load(p79 + at) + s421);
                store(p88 + at, load(p80 + at) + s421);
                store(p89 + at, load(p81 + at) + s464);
                store(p90 + at, load(p82 + at) + s464);
                store(p91 + at, load(p83 + at) + s464);
                store(p92 + at, load(p84 + at) + s464);
            }
        }
    }
    static void backward_1(const ostinato_row* rows, int64_t count, const int64_t* n) {
        for (int64_t i = 0; i < count; ++i) {
            const ostinato_row& r = rows[i];
            float* p0 = r.scratch + n[101];
            const float* p1 = r.inputs[1] + n[102];
            float* p2 = r.scratch + n[40];
            const float* p3 = r.inputs[2] + n[41];
            float* p4 = r.after + n[103];
            for (int64_t at = 0, w = n[100]; at < w; at += W) {
                const int there = within(w - at);
                store(p4 + at, fma(load(p0 + at), load_part(p1 + at, there), load(p2 + at) * load_part(p3 + at, there)));
            }
        }
    }

    static constexpr ostinato_stage backward_stages[] = {backward_0, backward_1};
    static constexpr int64_t backward_over_chunk = 0;
};

struct LstmLayerNorm {
    static constexpr bool memory = true, projects = false;
    using Plain = LstmLayerNormPlain;
    using Noisy = LstmLayerNormNoisy;
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
