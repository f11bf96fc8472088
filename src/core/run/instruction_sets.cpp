// The instruction sets of this build, and which of them this processor has.
#include "run/instruction_sets.hpp"

namespace chainrule {

#define SET(set)                                                  \
    extern const Program<float> program_##set##_float;            \
    extern const Program<double> program_##set##_double;          \
    extern const SecondOrder<float> second_order_##set##_float;   \
    extern const SecondOrder<double> second_order_##set##_double; \
    extern const Matrices matrices_##set;                         \
    const InstructionSet set_##set{#set,                          \
                                   program_##set##_float,         \
                                   program_##set##_double,        \
                                   second_order_##set##_float,    \
                                   second_order_##set##_double,   \
                                   matrices_##set};

#if defined(__x86_64__)
SET(avx512)
SET(avx2)
SET(baseline)

std::vector<const InstructionSet*> instruction_sets() {
    std::vector<const InstructionSet*> sets;
    __builtin_cpu_init();
    const bool fused = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (fused && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        sets.push_back(&set_avx512);
    if (fused) sets.push_back(&set_avx2);
    sets.push_back(&set_baseline);
    return sets;
}
#else
SET(native)

std::vector<const InstructionSet*> instruction_sets() { return {&set_native}; }
#endif
#undef SET

}  // namespace chainrule
