// The recurrence of compiled cells for one instruction set and the precision of its products: compiled once for each.
#include "general_backward.h"
#include "general_forward.h"

namespace ostinato {
namespace OSTINATO_ISA {

using P = OSTINATO_OPERANDS;

extern const ProgramKernels program;
const ProgramKernels program = {
    [](const ostinato_program& run, bool backward) {
        return backward ? GeneralBackward<P>(run, nullptr).bytes() : GeneralForward<P>(run, nullptr).bytes();
    },
    [](const ostinato_program& run, bool backward) {
        if (backward)
            GeneralBackward<P>(run, run.workspace).compute();
        else
            GeneralForward<P>(run, run.workspace).compute();
    },
    [](const ostinato_program& run) { return GeneralForward<P>(run, nullptr).packed_bytes(); },
    [](const ostinato_program& run) { GeneralForward<P>(run, nullptr).pack_all(); },
};

}  // namespace OSTINATO_ISA
}  // namespace ostinato
