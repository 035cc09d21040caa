// The form of a cell: what the recurrence asks of the files beside this one, which the compiler makes of the equations.
//
// A cell's struct holds constants and two pure functions over vectors of units; `s` carries everything that goes in and
// out, so that all cells have the same two signatures. The recurrence has done the products; a cell never sees memory.
//
// Gates come in an order in which those whose recurrent product stays apart from that of the input (a GRU's candidate,
// n = tanh(x + r * h)) stand first on the input's side and last on the recurrent side:
//
//   gradient planes:  [ apart | merged | apart ]      input's side: the first `gates` planes
//                                                     recurrent side: the last `gates` planes
//
// so that either side of the gate gradients is one block of memory, ready as the operand of a product.
#pragma once

#include "../functions.h"

namespace ostinato {
namespace OSTINATO_ISA {

// Compiled cells may need more room.
#if defined(OSTINATO_COMPILED)
constexpr int MOST_APART = 4, MOST_EXTRA = 8, MOST_SAVED = 18, MOST_PLANES = 8;
#else
constexpr int MOST_APART = 1, MOST_EXTRA = 3, MOST_SAVED = 7, MOST_PLANES = 4;
#endif

// One step of W units forward.
struct Forward {
    V sum[4];     // in: recurrent order. Merged gates: both products and biases; gates apart: the recurrent ones
    V input[MOST_APART];   // in: input's side of the gates apart
    V extra[MOST_EXTRA];   // in: weights a unit has beside the products
    V h_before;   // in
    V c_before;   // in, cells with a memory
    V h, c;       // out: the state after
    V saved[MOST_SAVED];   // out: what backward wants to know
    V hold_h, hold_c;  // in, with noise: shares of the state before that stay
};

// One step of W units backward.
struct Backward {
    V saved[MOST_SAVED];       // in: as forward left them
    V saved_before;   // in, cells with a memory: c before the step
    V h, h_before;    // in, where the cell says it uses them
    V extra[MOST_EXTRA];       // in
    V dh, dc;         // in: gradients by the state after the step; dc becomes that by c before the step
    V carried;        // out, where the cell carries h over: the direct part of the gradient by h before the step
    V planes[MOST_PLANES];      // out: gradients by the gates' sums, in the order above
    V d_extra[MOST_EXTRA];     // in and out: the sums of the gradients by the extra weights
    V hold_h, hold_c;  // in, with noise
};

// Defaults; a cell derives from this and redefines what differs.
struct Cell {
    static constexpr int apart = 0;               // gates whose recurrent product stays apart
    static constexpr int saved = 0;               // vectors kept for backward
    static constexpr int memory = -1;             // which of the saved vectors is c; -1: no memory
    static constexpr int extra = 0;               // weights a unit has beside the products
    static constexpr int widest = 1;              // vectors of units side by side in a tile
    static constexpr bool uses_h = false;         // backward reads h after the step
    static constexpr bool uses_h_before = false;  // backward reads h before the step
    static constexpr bool carries = false;        // h before the step reaches h after it past the gates too
    static constexpr bool noisy = false;          // see noise.h
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
