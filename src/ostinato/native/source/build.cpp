// The recurrence of every cell for one instruction set and the precision of its products: compiled once for each, with
// OSTINATO_ISA the name of the set and OSTINATO_OPERANDS that of the precision's struct in operands.h.

#include "adapted.h"
#include "backward.h"
#include "bytes.h"
#include "cells/all.h"
#include "forward.h"
#include "kernels.h"
#include "noise.h"

namespace ostinato {
namespace OSTINATO_ISA {

using P = OSTINATO_OPERANDS;

template <template <class, class> class Pass, class C>
static int64_t bytes(const ostinato_run& run) {
    return noisy(run) ? Pass<Noisy<C>, P>(run, nullptr).bytes() : Pass<C, P>(run, nullptr).bytes();
}

template <template <class, class> class Pass, class C>
static void compute(const ostinato_run& run) {
    if (noisy(run))
        Pass<Noisy<C>, P>(run, run.workspace).compute();
    else
        Pass<C, P>(run, run.workspace).compute();
}

template <class C>
static int64_t packed_size(const ostinato_run& run) {
    return noisy(run) ? ForwardPass<Noisy<C>, P>(run, nullptr).packed_bytes() : ForwardPass<C, P>(run, nullptr).packed_bytes();
}

template <class C>
static void pack(const ostinato_run& run) {
    if (noisy(run))
        ForwardPass<Noisy<C>, P>(run, nullptr).pack_all();
    else
        ForwardPass<C, P>(run, nullptr).pack_all();
}

template <class C>
static int64_t workspace(const ostinato_run& run, bool backward) {
    if constexpr (!P::quantised)
        if (backward) return bytes<BackwardPass, C>(run);
    return bytes<ForwardPass, C>(run);
}

// There are no gradients of what is quantised.
template <class C>
static constexpr auto backward_of() -> void (*)(const ostinato_run&) {
    if constexpr (P::quantised)
        return nullptr;
    else
        return compute<BackwardPass, C>;
}

template <class C>
static constexpr CellKernels kernels_of(const char* name) {
    return {
        name,
        C::memory >= 0,
        false,
        [](int64_t H, int64_t, bool noisy) { return (noisy ? Noisy<C>::saved : C::saved) * ceil_div(H, 16) * 16; },
        workspace<C>,
        packed_size<C>,
        pack<C>,
        compute<ForwardPass, C>,
        backward_of<C>(),
    };
}

// The same of cells of any other form, which are not quantised.
template <class C>
static constexpr CellKernels adapted(const char* name) {
    using A = AdaptedKernels<C>;
    if constexpr (P::quantised)
        return {name};
    else
        return {name, C::memory, C::projects, A::saved, A::workspace, A::packed_size, A::pack, A::template compute<false>, A::template compute<true>};
}

#define OSTINATO_FUSED(C, name) kernels_of<C>(name),
#define OSTINATO_ADAPTED(C, name) adapted<C>(name),

extern const CellKernels cells[];
const CellKernels cells[] = {OSTINATO_FUSED_CELLS(OSTINATO_FUSED) OSTINATO_ADAPTED_CELLS(OSTINATO_ADAPTED) {}};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
