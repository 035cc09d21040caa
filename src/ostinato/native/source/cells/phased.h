// The form of a cell whose step takes more than one phase, because something has to be known of all units in between:
//
//   1  sums = W_hh (h as it is fed back), of the first `first` gates
//   2  forward: gates, memory, and an `operand`                                           over the units of the gates
//   3  either a second product, of the operand, or the operand normalised over all units
//   4  finish: the output                                                                  over the units of the output
//
// Backward goes the other way, 4 to 1. As in cell.h, a cell is constants and pure functions over vectors of units.
#pragma once

#include "../vectors.h"

namespace ostinato {
namespace OSTINATO_ISA {

struct PhasedForward {
    V input[4];      // in: input's side of the gates; biases included, unless the cell is normalised
    V sum[4];        // in: the recurrent products of the first gates
    V bias[4];       // in, normalised cells
    V extra[10];     // in: weights a unit has beside the products
    V h_before, fed_before;  // in, where the output has the units of the gates; `fed`: as it is fed back
    V c_before;      // in, cells with a memory
    V second;        // in, finish: what came of the operand
    V c;             // out, forward
    V operand;       // out, forward
    V h;             // out, finish
    V saved[14];     // out, forward, but `memory` is the recurrence's to fill; in again in finish, where units are the same
    V late;          // out, finish
};

struct PhasedBackward {
    V saved[14];     // in: as forward left them
    V own_output;    // in, where the cell keeps its output
    V extra[10];     // in
    V h_before, fed_before, c_before;  // in
    V dh;            // in, finish
    V second;        // out, finish: the gradient by `second`
    V carried;       // out, finish, where the cell carries h over
    V d_operand;     // in, backward
    V dc;            // in and out, backward
    V gates[4];      // out: gradients by the gates' sums; those from `early` on in finish, the others in backward
    V operand;       // out, backward: as it was, for the gradients by the weights
    V fed;           // out, backward, where `uses_fed`: the gradient by fed_before that went past the first product
    V d_input[4], d_sum[4];  // out, backward, normalised cells: gradients by normalised input and sums
    V d_extra[10];   // in and out: sums of the gradients by the extra weights
};

struct PhasedCell {
    static constexpr int widest = 4;
    static constexpr int saved = 0;             // vectors a unit of the gates keeps for backward
    static constexpr int memory = -1;           // which of them is c, as noise left it
    static constexpr int late = -1;             // which of them finish fills
    static constexpr int extra = 0;
    static constexpr bool second_within = false;  // the second product's weights are the last gate of W_hh
    static constexpr bool second_apart = false;   // or a matrix of their own; its rows are the units of the output
    static constexpr bool normalised = false;     // products over all gates, and the operand, are normalised
    static constexpr bool keeps_output = false;   // the cell's own output is kept for backward
    static constexpr bool carries = false;        // h before the step reaches h after it past the products too
    static constexpr bool uses_fed = false;       // the operand depends on h as it is fed back
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
