// The recurrence of compiled cells for one instruction set: compiled once for each.
#include "general_backward.h"
#include "general_forward.h"

namespace ostinato {
namespace OSTINATO_ISA {

int64_t program_workspace(const ostinato_program& run, bool backward);
void program_compute(const ostinato_program& run, bool backward);

int64_t program_workspace(const ostinato_program& run, bool backward) {
    return backward ? GeneralBackward(run, nullptr).bytes() : GeneralForward(run, nullptr).bytes();
}

void program_compute(const ostinato_program& run, bool backward) {
    if (backward)
        GeneralBackward(run, run.workspace).compute();
    else
        GeneralForward(run, run.workspace).compute();
}

}  // namespace OSTINATO_ISA
}  // namespace ostinato
