// A cell compiled from its equations in the form of cells/cell.h, as the functions that program.h's have for others. The one
// who includes this has defined the struct's roles: FusedRoles.
#pragma once

#include "backward.h"
#include "forward.h"
#include "functions.h"
#include "noise.h"
#include "pages.h"
#include "program.h"

namespace ostinato {
namespace OSTINATO_ISA {

// Which of a program's arrays are a cell's operands; -1 where there is none.
struct FusedRoles {
    int weight_ih, weight_hh, bias_ih, bias_hh;
    int extra[8];
    bool masked, zoned;
};

// Rows of the weights that a unit has beside the products, and of their gradients.
struct FusedRun {
    ostinato_run run{};
    float *extra, *grad_extra;
    int64_t bytes;
};

template <class C>
static FusedRun fused_run(const ostinato_program& p, const FusedRoles& roles, bool backward) {
    FusedRun made;
    ostinato_run& run = made.run;
    run.N = p.N, run.T = p.T, run.D = p.input_width[0], run.H = run.R = p.field_width[0], run.E = C::extra;
    run.threads = p.threads, run.split = p.split, run.reverse = p.reverse, run.lengths = p.lengths;
    run.x = p.input[0], run.x_stride_t = p.input_stride[0], run.x_stride_n = p.input_stride[1];
    run.weight_ih = p.matrix[roles.weight_ih], run.weight_hh = p.matrix[roles.weight_hh];
    if (roles.bias_ih >= 0) run.bias_ih = p.vector[roles.bias_ih];
    if (roles.bias_hh >= 0) run.bias_hh = p.vector[roles.bias_hh];
    run.h0 = p.state[0], run.c0 = C::memory >= 0 ? p.state[1] : nullptr;
    int64_t noise = 1;
    if (roles.masked) run.recurrent_mask = p.input[noise++];
    if (roles.zoned) {
        run.zoneout_h = p.input[noise], run.zoneout_h_stride_t = p.input_stride[2 * noise], run.zoneout_h_stride_n = p.input_stride[2 * noise + 1];
        ++noise;
        if (C::memory >= 0)
            run.zoneout_c = p.input[noise], run.zoneout_c_stride_t = p.input_stride[2 * noise], run.zoneout_c_stride_n = p.input_stride[2 * noise + 1];
    }
    if (p.resets) run.resets = p.resets, run.reset_h = p.reset_state[0], run.reset_c = C::memory >= 0 ? p.reset_state[1] : nullptr;
    run.output = p.output, run.saved = p.saved;
    Carver carver(p.workspace);
    made.extra = carver.take<float>(C::extra * run.H), made.grad_extra = carver.take<float>(C::extra * run.H);
    made.bytes = carver.used();
    run.workspace = static_cast<char*>(p.workspace) + made.bytes;
    run.extra = made.extra;
    if (!backward) {
        run.final_h = p.final_state[0], run.final_c = C::memory >= 0 ? p.final_state[1] : nullptr;
        run.states_c = C::memory >= 0 ? p.every_state[1] : nullptr;
        return made;
    }
    run.grad_output = p.grad_output, run.grad_final_h = p.grad_final[0], run.grad_x = p.grad_input[0], run.grad_h0 = p.grad_state[0];
    if (p.resets) run.grad_reset_h = p.grad_reset_state[0], run.grad_reset_c = C::memory >= 0 ? p.grad_reset_state[1] : nullptr;
    if (C::memory >= 0) run.grad_final_c = p.grad_final[1], run.grad_states_c = p.grad_every[1], run.grad_c0 = p.grad_state[1];
    run.grad_weight_ih = p.grad_matrix[roles.weight_ih], run.grad_weight_hh = p.grad_matrix[roles.weight_hh];
    if (roles.bias_ih >= 0) run.grad_bias_ih = p.grad_vector[roles.bias_ih];
    if (roles.bias_hh >= 0) run.grad_bias_hh = p.grad_vector[roles.bias_hh];
    if (C::extra && p.grad_vector[roles.extra[0]]) run.grad_extra = made.grad_extra;
    return made;
}

// Floats that a row and step keep for backward.
template <class C>
static int64_t fused_kept(const ostinato_program& p) {
    return C::saved * ceil_div(p.field_width[0], 16) * 16;
}

template <template <class, class> class Pass, class C>
static int64_t fused_workspace(const ostinato_program& p, const FusedRoles& roles, bool backward) {
    FusedRun made = fused_run<C>(p, roles, backward);
    return made.bytes + Pass<C, Single>(made.run, nullptr).bytes();
}

template <template <class, class> class Pass, class C>
static void fused_compute(const ostinato_program& p, const FusedRoles& roles, bool backward) {
    FusedRun made = fused_run<C>(p, roles, backward);
    const int64_t H = made.run.H, rows = p.T * p.N;
    if (backward) {
        expect_large(made.run.grad_x, rows * made.run.D);
    } else {
        expect_large(p.saved, rows * fused_kept<C>(p));
        expect_large(p.output, rows * H);
    }
    for (int e = 0; e < C::extra; ++e) copy(made.extra + e * H, p.vector[roles.extra[e]], H);
    Pass<C, Single>(made.run, made.run.workspace).compute();
    for (int e = 0; e < C::extra && made.run.grad_extra; ++e) copy(p.grad_vector[roles.extra[e]], made.grad_extra + e * H, H);
}

}  // namespace OSTINATO_ISA
}  // namespace ostinato
