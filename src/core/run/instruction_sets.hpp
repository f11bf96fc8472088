// The instruction sets that this processor and this build share.
#pragma once

#include <vector>

#include "step/plan.hpp"

namespace chainrule {

// Fastest first; the last is always there.
std::vector<const InstructionSet*> instruction_sets();

}  // namespace chainrule
