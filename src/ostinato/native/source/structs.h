/* Made by `make kernels` from native/operands.py: do not edit. The legend is that of ostinato.h. */
#ifndef OSTINATO_STRUCTS_H
#define OSTINATO_STRUCTS_H

#include <stdint.h>

#define OSTINATO_ABI 10

/* A cell over whole sequences. */
typedef struct {
    /* What to compute */
    int64_t cell;                    /* index by ostinato_cell */
    int64_t isa;                     /* index by ostinato_isa; the machine must support it */
    int64_t precision;               /* OSTINATO_HIGHEST, _HIGH, _MEDIUM or _INT8 */
    int64_t threads;                 /* at most this many, 1 or more */
    int64_t split;                   /* OSTINATO_SPLIT_* */
    int64_t reverse;                 /* 0 or 1 */
    /* Sizes */
    int64_t N;
    int64_t T;
    int64_t D;
    int64_t H;
    int64_t R;
    int64_t E;                       /* rows of `extra`; what a cell has more is zero */
    /* Read by forward and backward */
    const float *x;                  /* [T, N, D]; features side by side */
    int64_t x_stride_t, x_stride_n;
    const float *weight_ih;          /* [G*H, D]; gates in the order of torch.nn */
    const float *weight_hh;          /* [G*H, R] */
    const float *bias_ih;            /* [G*H], or NULL */
    const float *bias_hh;            /* [G*H], or NULL */
    const float *extra;              /* [E, H], or NULL; weights that a unit has beside the products */
    const float *weight_out;         /* [R, H], or NULL; lstm_projected, jordan */
    const float *bias_out;           /* [R], or NULL */
    const float *h0;                 /* [N, R] */
    const float *c0;                 /* [N, H], or NULL */
    const int64_t *lengths;          /* [N], or NULL; if not, all are T */
    const float *recurrent_mask;     /* [N, R], or NULL; h is multiplied by it where it is fed back */
    const float *zoneout_h;          /* [T, N, R], or NULL; share of h that stays in a step */
    int64_t zoneout_h_stride_t, zoneout_h_stride_n;
    const float *zoneout_c;          /* [T, N, H], or NULL; the same of c */
    int64_t zoneout_c_stride_t, zoneout_c_stride_n;
    const uint8_t *resets;           /* [T, N], or NULL; before these steps a sequence's state is that of a reset */
    const float *reset_h;            /* [N, R], or NULL; needed with `resets` */
    const float *reset_c;            /* [N, H], or NULL; the same */
    /* Written by forward, read by backward */
    float *output;                   /* [T, N, R] */
    float *saved;                    /* [K], or NULL; if not, no backward will follow */
    /* Written by forward */
    float *final_h;                  /* [N, R]; may be h0 itself where `saved` is NULL */
    float *final_c;                  /* [N, H], or NULL; may be c0 itself where `saved` is NULL */
    float *states_c;                 /* [T, N, H], or NULL; c after every step; needs `saved` */
    /* Read by backward: gradients of the loss, NULL for zero; of any content beyond the lengths */
    const float *grad_output;        /* [T, N, R], or NULL */
    const float *grad_final_h;       /* [N, R], or NULL */
    const float *grad_final_c;       /* [N, H], or NULL */
    const float *grad_states_c;      /* [T, N, H], or NULL */
    /* Written by backward, all of it (nothing is added to what is there); matrices all or none */
    float *grad_x;                   /* [T, N, D], or NULL */
    float *grad_weight_ih;           /* [G*H, D], or NULL */
    float *grad_weight_hh;           /* [G*H, R], or NULL */
    float *grad_bias_ih;             /* [G*H], or NULL */
    float *grad_bias_hh;             /* [G*H], or NULL */
    float *grad_extra;               /* [E, H], or NULL */
    float *grad_weight_out;          /* [R, H], or NULL */
    float *grad_bias_out;            /* [R], or NULL */
    float *grad_h0;                  /* [N, R], or NULL */
    float *grad_c0;                  /* [N, H], or NULL */
    float *grad_reset_h;             /* [N, R], or NULL */
    float *grad_reset_c;             /* [N, H], or NULL */
    /* Scratch, aligned to 64 bytes */
    void *workspace;                 /* of ostinato_workspace_size; of any content */
    void *packed;                    /* or NULL; from ostinato_pack: read instead of all weights */
} ostinato_run;

/* A softmax over each of M rows of V scores. Bits of all but `total` do not depend on threads. */
typedef struct {
    /* What to compute */
    int64_t isa;                     /* as above */
    int64_t bfloat16;                /* 1: the scores are of bfloat16, not of float32 */
    int64_t threads;                 /* at most this many, 1 or more */
    /* Sizes */
    int64_t M;
    int64_t V;
    /* Read by forward and backward */
    const float *weights;            /* [M], or NULL; needed where `total` is wanted */
    /* Written by forward */
    float *largest;                  /* [M]; each row's largest score */
    float *sum;                      /* [M]; each row's sum of exponentials */
    float *total;                    /* [threads, V], or NULL; first the rows' probabilities, times `weights`, added up */
    /* Read and written */
    void *scores;                    /* [M, V]; become exp(score - the row's largest) */
} ostinato_softmax;

/* c = a b + bias of matrices, or c += that. Whatever else is in it, a row's bits stay. */
typedef struct {
    /* What to compute */
    int64_t isa;                     /* as above */
    int64_t threads;                 /* at most this many, 1 or more */
    int64_t transposed_a;            /* 1: a is [K, M] */
    int64_t transposed_b;            /* 1: b is [N, K] */
    int64_t add;                     /* 1: to what c holds */
    int64_t dots;                    /* 1: b, which is transposed, is read where it lies: for few rows; a is not transposed */
    /* Sizes */
    int64_t M;
    int64_t N;
    int64_t K;
    int64_t a_stride;                /* floats from a row to the next, in memory */
    int64_t b_stride;                /* the same */
    int64_t c_stride;                /* the same */
    /* Read by forward and backward */
    const float *a;                  /* [M, K] */
    const float *b;                  /* [K, N] */
    const float *bias;               /* [N], or NULL; added to every row */
    /* Read and written */
    float *c;                        /* [M, N] */
    /* Scratch, aligned to 64 bytes */
    void *workspace;                 /* of ostinato_matmul_workspace_size; of any content */
} ostinato_matmul;

/* A linear layer over M rows, its weights in 8 bits. Whatever else is in it, a row's bits stay. */
typedef struct {
    /* What to compute */
    int64_t isa;                     /* as above */
    int64_t threads;                 /* at most this many, 1 or more */
    /* Sizes */
    int64_t M;
    int64_t D;
    int64_t V;
    /* Read by forward and backward */
    const float *x;                  /* [M, D] */
    const float *weight;             /* [V, D], or NULL; read when it is packed */
    const float *bias;               /* [V], or NULL; the same */
    /* Written by forward */
    float *output;                   /* [M, V] */
    /* Scratch, aligned to 64 bytes */
    void *workspace;                 /* of ostinato_linear_workspace_size; of any content */
    void *packed;                    /* from ostinato_linear_pack */
} ostinato_linear;

#endif
