/* Recurrent cells over whole sequences on the CPU: the C interface of the native library.
 *
 * The library knows no framework: raw pointers, sizes and strides, nothing allocated, nothing kept between calls.
 * Several threads may call at once, each with buffers of its own.
 *
 * Legend
 *   N  sequences side by side      T  time steps        D  input features      H  hidden units
 *   R  units of the output, which is what is fed back: H, except for lstm_projected and jordan
 *   G  gates of the cell (rnn, rnn_relu, jordan 1; gru, gru_reset_before 3; lstm and its kin 4)
 *   E  weights a unit has beside the products, or fewer, where the rest is zero: lstm_peephole 3 (to input, forget and
 *      output gate); lstm_layer_norm 10 (gains of the four gates' input and recurrent products, of the memory, and its
 *      shift); otherwise 0
 *   K  floats kept for backward: ostinato_saved_size
 *
 * Arrays are float32 and dense in C order, except where strides are named; strides count floats. No output may overlap
 * another array. A pointer described as "or NULL" may be NULL; a cell without a memory ignores every *_c.
 *
 * Lengths. Sequence n has lengths[n] valid steps, 0 to T, padded on the right. What the padding of an input holds is
 * never read; outputs and gradients there are written as zero; the state is that after a sequence's own last step. With
 * `reverse`, each sequence runs from its own last valid step to its first, and row t of the output is the state after
 * reading row t of the input.
 *
 * Precision, that of the factors of products; sums, gates and state are float32 always. An instruction set that lacks
 * the one asked for, for all cells or for this one, computes the next higher: ostinato_precision says which it will be.
 * Every array is float32 in all.
 *
 * Whole numbers of 8 bits, for inference alone: each row of a weight matrix is 127 steps up and down, as large as its largest number
 * asks for; so is each row that is multiplied with it, whenever it is. D and H are then at most 131072, and there is no mask.
 *
 * Bits. With the same instruction set and precision, the outputs of a sequence are the same bits whatever else is in the batch and
 * however many threads run; gradients are the same bits on every run with the same number of threads.
 */
#ifndef OSTINATO_H
#define OSTINATO_H

#include <stdint.h>

#include "structs.h"  /* OSTINATO_ABI, ostinato_run, ostinato_softmax, ostinato_matmul, ostinato_linear */

#define OSTINATO_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

enum { OSTINATO_OK = 0, OSTINATO_BAD_ISA = 1, OSTINATO_BAD_CELL = 2, OSTINATO_BAD_SIZE = 3, OSTINATO_BAD_LENGTH = 4,
       OSTINATO_BAD_PRECISION = 5 };

/* Factors as they are; each as the sum of two bf16, of whose four products the three larger count; rounded to bf16; whole
 * numbers of 8 bits, forward only. */
enum { OSTINATO_HIGHEST = 0, OSTINATO_HIGH = 1, OSTINATO_MEDIUM = 2, OSTINATO_INT8 = 3 };

/* How the work is shared among threads: by sequences (no waiting for one another within a chunk of steps), or by units
 * (all threads meet after every step). */
enum { OSTINATO_SPLIT_AUTO = 0, OSTINATO_SPLIT_SEQUENCES = 1, OSTINATO_SPLIT_UNITS = 2 };

/* OSTINATO_ABI of the library: a caller refuses another one. */
OSTINATO_API int64_t ostinato_abi(void);

/* Start threads by an OpenMP runtime: its functions GOMP_parallel, omp_get_thread_num and omp_get_num_threads, which libgomp has
 * and LLVM's libomp too. Called once, before any run; until then, or with NULL, every run has one thread. So a process that has
 * a runtime already is spared a second one. Gives what a cell compiled by itself starts threads by: its ostinato_cell_join. */
OSTINATO_API const void *ostinato_use_openmp(void *parallel, void *thread, void *threads);

/* Names in order of preference, NULL past the last; whether this machine (processor and system) can run it. */
OSTINATO_API const char *ostinato_isa(int64_t index);
OSTINATO_API int64_t ostinato_isa_supported(int64_t index);

/* The precision that an instruction set computes a cell in where this one is asked for: the same or a higher one. */
OSTINATO_API int64_t ostinato_precision(int64_t isa, int64_t cell, int64_t precision);

/* How it multiplies numbers of 8 bits: "vnni", "avx2", "neon" or "plain"; NULL past the last. */
OSTINATO_API const char *ostinato_int8(int64_t isa);

/* What the processor says of its maker, "GenuineIntel" or "AuthenticAMD"; "" where it says nothing. */
OSTINATO_API const char *ostinato_processor(void);

/* Names of the cells, NULL past the last. */
OSTINATO_API const char *ostinato_cell(int64_t index);

/* Floats that forward keeps for backward, for sequences of T steps each; the same for every set and precision. `noisy`:
 * whether the run has a mask or zoneout. */
OSTINATO_API int64_t ostinato_saved_size(int64_t cell, int64_t N, int64_t T, int64_t H, int64_t R, int64_t noisy);

/* Bytes of scratch a call needs; reads only what the run is to compute and which pointers are NULL. */
OSTINATO_API int64_t ostinato_workspace_size(const ostinato_run *run, int64_t backward);

/* Weights in the order in which forward reads them, for callers that run the same weights often over few steps. Bytes
 * that `packed` needs, aligned to 64; and what writes them there. Reads of the run what to compute, weights and biases.
 * What is packed holds for one cell, instruction set, precision, D, H and R, with noise or without, and for any N, T,
 * number of threads and direction. */
OSTINATO_API int64_t ostinato_packed_size(const ostinato_run *run);
OSTINATO_API int64_t ostinato_pack(const ostinato_run *run);

/* OSTINATO_OK, or which argument is wrong; then nothing was written. */
OSTINATO_API int64_t ostinato_forward(const ostinato_run *run);
OSTINATO_API int64_t ostinato_backward(const ostinato_run *run);
OSTINATO_API int64_t ostinato_exponentials(const ostinato_softmax *run);

/* A mask of dropout: each of n numbers is 0 with a probability of dropped / 2^32, else `kept`. The same seed gives the same mask,
 * whatever the instruction set and the number of threads. */
OSTINATO_API int64_t ostinato_fill_mask(int64_t isa, int64_t threads, int64_t n, int64_t seed, int64_t dropped, float kept, float *mask);

/* Bytes of scratch that a product of matrices needs, and the product. */
OSTINATO_API int64_t ostinato_matmul_workspace_size(const ostinato_matmul *run);
OSTINATO_API int64_t ostinato_multiply(const ostinato_matmul *run);

/* The same four of a linear layer in 8 bits; `packed` has to be there, and may be kept for any M and number of threads. */
OSTINATO_API int64_t ostinato_linear_workspace_size(const ostinato_linear *run);
OSTINATO_API int64_t ostinato_linear_packed_size(const ostinato_linear *run);
OSTINATO_API int64_t ostinato_linear_pack(const ostinato_linear *run);
OSTINATO_API int64_t ostinato_linear_forward(const ostinato_linear *run);

/* Where processes that share memory wait for each other. Each of them has a count of its own there. Sets the own one, counts[own],
 * to `value`: what was written before is seen by whoever sees it. Then waits until each of the `size` counts has come to `value`,
 * for so many microseconds at most. 1 once they have, 0 until then: it can be called again. It does not sleep, since waking up
 * takes longer than such waits do; after the first `kept` microseconds it lets others have the processor. */
OSTINATO_API int64_t ostinato_meet(int64_t *const *counts, int64_t size, int64_t own, int64_t value, int64_t kept, int64_t microseconds);

/* Which of `size` weights, none below 0, a number `share` from 0 to 1 draws: the first up to which they add up to more than that share
 * of all. -1 where there is none, as rounding or the weights may have it. */
OSTINATO_API int64_t ostinato_draw(const float *weights, int64_t size, double share);

#ifdef __cplusplus
}
#endif
#endif
