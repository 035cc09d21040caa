/* Cells that are compiled from their equations: the C interface of their recurrence.
 *
 * A program says which products a step has and where the numbers of a row lie; generated functions, its stages, do the rest of
 * a step, row by row. Everything is float32, but for what is rounded for a product of less precision. Offsets and sizes count floats; a plane, the numbers of one value of a row,
 * begins at a multiple of 16 and may be written up to the next. N, T, lengths and directions are as in ostinato.h.
 *
 * A step forward:   stage 0, products of level 1, stage 1, products of level 2, ...
 * A step backward:  the same with the products' way back, from the last step to the first
 *
 * Levels that the recurrence does not wait for are left to whole chunks of steps: forward the last ones, after the chunk's
 * steps, backward the first ones, before them.
 */
#ifndef OSTINATO_PROGRAM_H
#define OSTINATO_PROGRAM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whose row a plane lies in. Forward: the state before and after the step; scratch, of any content when a step begins; the
 * chunk's, which holds products of inputs, and whatever goes between steps and levels of the whole chunk; what is kept for backward. Backward: BEFORE is what the step before kept (or the
 * initial state, in the same places), AFTER the gradient by the state before the step, UPSTREAM that by the state after it;
 * chunk rows stay until their steps' gradients by the weights are computed. INPUT: an input's own row; the offset is its
 * index times 2^32, plus the first number. */
enum { OSTINATO_BEFORE = 0, OSTINATO_AFTER = 1, OSTINATO_SCRATCH = 2, OSTINATO_CHUNK = 3, OSTINATO_KEPT = 4, OSTINATO_INPUT = 5 };

/* Of a step's rows: floats from what is kept of a row, from its output, and from each of its inputs and results, to those of a
 * row that is needed soon; and whether what is written is more than caches hold. */
typedef struct __attribute__((aligned(64))) {
    int64_t kept, output;
    const int64_t *inputs, *results;
    int64_t past_caches;
} ostinato_ahead;

/* Whole lines of cache: rows side by side may be different threads'. */
typedef struct __attribute__((aligned(64))) {
    const float *before;
    float *after, *scratch, *chunk, *kept;
    const float *upstream;
    const float *vectors;          /* the program's vectors, in planes */
    const float *const *inputs;    /* of each input, this row at this step */
    float *const *results;         /* forward: the output; backward: gradients by the inputs, each or NULL */
    const float *output_gradient;  /* backward */
    const float *output, *output_before; /* backward: the output at this step and at that of `before` */
    const ostinato_ahead *ahead;
} ostinato_row;

typedef void (*ostinato_stage)(const ostinato_row *rows, int64_t count, const int64_t *numbers);

/* Rows of a matrix that are multiplied with the same operands, and numbers of a vector to add, or -1. */
typedef struct { int64_t matrix, row, rows, vector, begin; } ostinato_piece;
/* Numbers of a row, times the columns of each piece's matrix from `column` on. */
typedef struct { int64_t space, offset, width, column; } ostinato_operand;
/* Results lie side by side, each piece's padded to 16. Level 0: of an input, over all steps, into the chunk; of a level of the
 * whole chunk: of what lies in the chunk, into it; otherwise into scratch. */
typedef struct { int64_t level, first_piece, pieces, first_operand, operands, result; } ostinato_product;
/* The gradient by an operand. Level 0: by the input `result`, from `column` on, and added to what the stages wrote there where
 * `add` says so; of a level of the whole chunk into that; otherwise into scratch. */
typedef struct { int64_t level, first_source, sources, result, column, width, add; } ostinato_back;
/* A gradient in the chunk, times these rows of a matrix from `column` on. */
typedef struct { int64_t matrix, row, rows, column, plane; } ostinato_source;
/* Of part of a matrix: a gradient in the chunk, times an operand. */
typedef struct { int64_t matrix, row, rows, column, plane, space, offset, width; } ostinato_weight_gradient;
/* Numbers of a vector, and where they are: among the row's vectors; or their gradient in the chunk. */
typedef struct { int64_t vector, begin, width, plane; } ostinato_vector_part;
/* Numbers of a state field, where they are in a row of state, and in what is kept or in the output, each or -1. */
typedef struct { int64_t field, begin, width, plane, kept, output; } ostinato_state_part;

/* One direction of a program. */
typedef struct {
    int64_t levels, over_chunk;    /* how many of the levels are of the whole chunk */
    int64_t scratch_size, chunk_size;
    const ostinato_stage *stages;  /* [levels + 1], NULL where there is nothing to do */
    const int64_t *numbers;        /* what the stages ask for */
} ostinato_direction;

typedef struct ostinato_program {
    int64_t isa, N, T, threads, split, reverse;
    const int64_t *lengths;
    const uint8_t *resets;         /* [T, N], or NULL: before these steps a sequence's state is `reset_state` */
    /* The program */
    int64_t state_size, kept_size, vectors_size, output_width;
    int64_t inputs, fields, matrices, vectors;
    int64_t products, backs, weight_gradients, vector_gradients, vector_parts, state_parts;
    int64_t clear_inputs;          /* whether some numbers of the inputs' gradients are written by nobody */
    ostinato_direction forward, backward;
    const ostinato_product *product;
    const ostinato_piece *piece;
    const ostinato_operand *operand;
    const ostinato_back *back;
    const ostinato_source *source;
    const ostinato_weight_gradient *weight_gradient;
    const ostinato_vector_part *vector_gradient, *vector_part;
    const ostinato_state_part *state_part;
    const int64_t *input_width, *field_width, *matrix_shape, *vector_width;  /* [inputs], [fields], [matrices, 2], [vectors] */
    /* Read; a vector may be NULL: zeros */
    const float *const *input;         /* [T, N, width], units side by side */
    const int64_t *input_stride;       /* [inputs, 2]: from step to step, from sequence to sequence */
    const float *const *matrix, *const *vector, *const *state, *const *reset_state;
    /* Written by forward, `saved` read by backward */
    float *output;                     /* [T, N, output_width] */
    float *saved;                      /* ostinato_program_saved floats, or NULL */
    float *const *final_state, *const *every_state; /* [N, width]; [T, N, width], each or NULL */
    /* Read by backward, each or NULL */
    const float *grad_output;
    const float *const *grad_final, *const *grad_every;
    /* Written by backward, each or NULL */
    float *const *grad_input, *const *grad_matrix, *const *grad_vector, *const *grad_state, *const *grad_reset_state;
    void *workspace;                   /* ostinato_program_workspace bytes, aligned to 64 */
    int64_t precision;                 /* of the products: OSTINATO_HIGHEST, _HIGH or _MEDIUM */
    void *packed;                      /* or NULL; where matrices and vectors lie as forward reads them */
} ostinato_program;

__attribute__((visibility("default"))) int64_t ostinato_program_saved(const ostinato_program *run);
__attribute__((visibility("default"))) int64_t ostinato_program_workspace(const ostinato_program *run, int64_t backward);
__attribute__((visibility("default"))) int64_t ostinato_program_forward(const ostinato_program *run);
__attribute__((visibility("default"))) int64_t ostinato_program_backward(const ostinato_program *run);

#ifdef __cplusplus
}
#endif
#endif
