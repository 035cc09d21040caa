// Noise on the state of any cell: recurrent dropout multiplies what is fed back by a mask, zoneout holds a share of the
// state before. A cell knows of neither, and without noise neither costs anything: `Noisy<C>` is a cell of its own.
//
//   h = hold_h * h' + (1 - hold_h) * (h of the cell),  c likewise
//
// Its two functions deal with zoneout; the recurrence multiplies by the mask where it sees `noisy`.
#pragma once

#include "cells/cell.h"

namespace ostinato {
namespace OSTINATO_ISA {

template <class C>
struct Noisy : C {
    static constexpr bool noisy = true;
    // Beside what the cell keeps: c after the step where there is one, and the cell's own h where backward wants it.
    static constexpr int memory = C::memory < 0 ? -1 : C::saved;
    static constexpr int own_h = C::saved + (C::memory < 0 ? 0 : 1);
    static constexpr int saved = own_h + (C::uses_h ? 1 : 0);
    static constexpr bool uses_h = false;
    static constexpr bool carries = true;

    // Exact where the share is 0 or 1.
    OSTINATO_INLINE V between(V hold, V before, V after) { return fma(hold, before, (broadcast(1.0f) - hold) * after); }

    OSTINATO_INLINE void forward(Forward& s) {
        C::forward(s);
        if constexpr (C::uses_h) s.saved[own_h] = s.h;
        s.h = between(s.hold_h, s.h_before, s.h);
        if constexpr (C::memory >= 0) s.saved[memory] = s.c = between(s.hold_c, s.c_before, s.c);
    }

    OSTINATO_INLINE void backward(Backward& s) {
        V held = s.hold_h * s.dh, held_c;
        s.dh = s.dh - held;
        if constexpr (C::memory >= 0) {
            held_c = s.hold_c * s.dc;
            s.dc = s.dc - held_c;
        }
        if constexpr (C::uses_h) s.h = s.saved[own_h];
        C::backward(s);
        s.carried = C::carries ? s.carried + held : held;
        if constexpr (C::memory >= 0) s.dc = s.dc + held_c;
    }
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
