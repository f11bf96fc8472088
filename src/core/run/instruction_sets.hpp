// The instruction sets that this processor and this build share.
#pragma once

#include <vector>

#include "step/matrices.hpp"
#include "step/plan.hpp"
#include "step/second_order.hpp"

namespace chainrule {

struct InstructionSet {
    const char* name;
    const Program<float>& single;
    const Program<double>& twofold;
    const SecondOrder<float>& second_single;
    const SecondOrder<double>& second_twofold;
    const Matrices& matrices;
};

template <class T> const Program<T>& program_of(const InstructionSet& set) {
    if constexpr (sizeof(T) == 4) return set.single;
    else return set.twofold;
}

template <class T> const SecondOrder<T>& second_order_of(const InstructionSet& set) {
    if constexpr (sizeof(T) == 4) return set.second_single;
    else return set.second_twofold;
}

// Fastest first; the last is always there.
std::vector<const InstructionSet*> instruction_sets();

}  // namespace chainrule
