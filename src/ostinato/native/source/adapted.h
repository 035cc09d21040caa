// Cells that run as programs (program.h) behind the interface of ostinato.h: a program's arrays from the operands of a run.
//
// The compiler makes of a cell's equations, for layers of every size, tables and stages: a struct `Plain`, and one `Noisy` for
// runs with a mask or zoneout. A cell's struct holds both.
#pragma once

#include "functions.h"
#include "general.h"
#include "kernels.h"

namespace ostinato {
namespace OSTINATO_ISA {

extern const ProgramKernels program;  // general.cpp

// An operand that a program takes as a matrix, or from a row of H numbers on as a vector.
struct RunOperand {
    const float* ostinato_run::* value;
    float* ostinato_run::* gradient;
    int64_t row = 0;
};

// As direction.py has it.
OSTINATO_INLINE int64_t row_stride(int64_t size) { return size + 16 * (size / 16 % 2 == 0 && size > 0); }

template <class A, int64_t n>
static constexpr int64_t length(const A (&)[n]) {
    return n;
}

// C: the cell, T: its tables.
template <class C, class T>
class Adapted {
public:
    Adapted(const ostinato_run& r, void* workspace) : run(r), tables{r.D, r.H, r.R} {
        Carver carver(workspace);
        const int64_t widest = larger(run.H, run.R);
        zeros_ = carver.take<float>(widest);
        ones_ = carver.take<float>(run.R);
        if (workspace) {
            zero(zeros_, widest);
            for (int64_t k = 0; k < run.R; ++k) ones_[k] = 1;
        }
        bytes_ = carver.used();
        describe();
        operands();
        state();
        described.workspace = static_cast<char*>(workspace) + bytes_;
    }

    // Bytes beside the program's own.
    int64_t bytes() const { return bytes_; }

    const ostinato_run& run;
    const T tables;
    ostinato_program described{};

private:
    static constexpr int fields = C::memory ? 2 : 1;
    static constexpr int64_t inputs = sizeof(T::input_width) / sizeof(int64_t), vectors = sizeof(T::vector_width) / sizeof(int64_t);
    static constexpr int64_t matrices = sizeof(T::matrix_shape) / sizeof(int64_t) / 2;

    void describe() {
        ostinato_program& p = described;
        p.isa = run.isa, p.N = run.N, p.T = run.T, p.threads = run.threads, p.split = run.split, p.reverse = run.reverse;
        p.lengths = run.lengths, p.resets = run.resets, p.precision = run.precision, p.packed = run.packed;
        p.state_size = row_stride(tables.state_size), p.kept_size = row_stride(tables.kept_size), p.vectors_size = tables.vectors_size;
        p.output_width = run.R;
        p.inputs = inputs, p.fields = fields, p.matrices = matrices, p.vectors = vectors;
        p.products = length(tables.product), p.backs = length(tables.back), p.weight_gradients = length(tables.weight_gradient);
        p.vector_gradients = length(tables.vector_gradient), p.vector_parts = length(tables.vector_part);
        p.state_parts = length(tables.state_part);
        p.forward = {length(T::forward_stages) - 1, T::forward_over_chunk, row_stride(tables.forward_scratch), row_stride(tables.forward_chunk),
                     T::forward_stages, tables.forward_numbers};
        p.backward = {length(T::backward_stages) - 1, T::backward_over_chunk, row_stride(tables.backward_scratch), row_stride(tables.backward_chunk),
                      T::backward_stages, tables.backward_numbers};
        p.product = tables.product, p.piece = tables.piece, p.operand = tables.operand, p.back = tables.back, p.source = tables.source;
        p.weight_gradient = tables.weight_gradient, p.vector_gradient = tables.vector_gradient, p.vector_part = tables.vector_part;
        p.state_part = tables.state_part;
        p.input_width = tables.input_width, p.field_width = tables.field_width, p.matrix_shape = tables.matrix_shape;
        p.vector_width = tables.vector_width;
    }

    void operands() {
        input(0, run.x, run.x_stride_t, run.x_stride_n), grad_input_[0] = run.grad_x;
        if constexpr (inputs > 1) {
            run.recurrent_mask ? input(1, run.recurrent_mask, 0, run.R) : input(1, ones_, 0, 0);
            share(2, run.zoneout_h, run.zoneout_h_stride_t, run.zoneout_h_stride_n);
            if constexpr (C::memory) share(3, run.zoneout_c, run.zoneout_c_stride_t, run.zoneout_c_stride_n);
        }
        for (int64_t i = 0; i < matrices; ++i) matrix_[i] = run.*T::matrices[i].value, grad_matrix_[i] = run.*T::matrices[i].gradient;
        for (int64_t i = 0; i < vectors; ++i) vector(i, T::vectors[i]);
        ostinato_program& p = described;
        p.input = input_, p.input_stride = stride_, p.matrix = matrix_, p.vector = vector_;
        p.grad_input = grad_input_, p.grad_matrix = grad_matrix_, p.grad_vector = grad_vector_;
    }

    void input(int64_t i, const float* from, int64_t stride_t, int64_t stride_n) {
        input_[i] = from, stride_[2 * i] = stride_t, stride_[2 * i + 1] = stride_n, grad_input_[i] = nullptr;
    }
    void share(int64_t i, const float* hold, int64_t stride_t, int64_t stride_n) {
        hold ? input(i, hold, stride_t, stride_n) : input(i, zeros_, 0, 0);
    }

    // None where there is no bias, nor in place of weights of a unit that are not given.
    void vector(int64_t i, const RunOperand& operand) {
        const float* value = run.*operand.value;
        float* gradient = run.*operand.gradient;
        const bool there = value && (operand.value != &ostinato_run::extra || operand.row < run.E);
        vector_[i] = there ? value + operand.row * run.H : nullptr;
        grad_vector_[i] = there && gradient ? gradient + operand.row * run.H : nullptr;
    }

    void state() {
        ostinato_program& p = described;
        state_[0] = run.h0, final_[0] = run.final_h, grad_final_[0] = run.grad_final_h, grad_state_[0] = run.grad_h0;
        reset_[0] = run.reset_h, grad_reset_[0] = run.grad_reset_h;
        if constexpr (C::memory) {
            state_[1] = run.c0, final_[1] = run.final_c, every_[1] = run.states_c;
            grad_final_[1] = run.grad_final_c, grad_every_[1] = run.grad_states_c, grad_state_[1] = run.grad_c0;
            reset_[1] = run.reset_c, grad_reset_[1] = run.grad_reset_c;
        }
        p.reset_state = reset_, p.grad_reset_state = grad_reset_;
        p.state = state_, p.final_state = final_, p.every_state = every_;
        p.grad_final = grad_final_, p.grad_every = grad_every_, p.grad_state = grad_state_;
        p.output = run.output, p.saved = run.saved, p.grad_output = run.grad_output;
    }

    float *zeros_, *ones_;
    const float *input_[inputs], *matrix_[matrices], *vector_[vectors], *state_[fields], *reset_[fields];
    const float *grad_final_[fields], *grad_every_[fields] = {};
    float *grad_input_[inputs], *grad_matrix_[matrices], *grad_vector_[vectors], *final_[fields], *every_[fields] = {};
    float *grad_state_[fields], *grad_reset_[fields];
    int64_t stride_[2 * inputs], bytes_;
};

// What an ostinato_run asks for, by the general recurrence of this build.
template <class C>
struct AdaptedKernels {
    template <class Body>
    static auto with_program(const ostinato_run& run, void* workspace, const Body& body) {
        if (noisy(run)) {
            Adapted<C, typename C::Noisy> adapted(run, workspace);
            return body(adapted.described, adapted.bytes());
        }
        Adapted<C, typename C::Plain> adapted(run, workspace);
        return body(adapted.described, adapted.bytes());
    }

    static int64_t saved(int64_t H, int64_t R, bool noisy) {
        return row_stride(noisy ? typename C::Noisy{1, H, R}.kept_size : typename C::Plain{1, H, R}.kept_size);
    }
    static int64_t workspace(const ostinato_run& run, bool backward) {
        return with_program(run, nullptr, [&](const ostinato_program& p, int64_t bytes) { return bytes + program.workspace(p, backward); });
    }
    static int64_t packed_size(const ostinato_run& run) {
        return with_program(run, nullptr, [](const ostinato_program& p, int64_t) { return program.packed_size(p); });
    }
    static void pack(const ostinato_run& run) {
        with_program(run, nullptr, [](const ostinato_program& p, int64_t) { program.pack(p); });
    }
    template <bool backward>
    static void compute(const ostinato_run& run) {
        with_program(run, run.workspace, [](const ostinato_program& p, int64_t) { program.compute(p, backward); });
    }
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
