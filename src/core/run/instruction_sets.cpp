#include "run/instruction_sets.hpp"

namespace chainrule {

#if defined(__x86_64__)
extern const InstructionSet set_avx512, set_avx2, set_baseline;

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
extern const InstructionSet set_native;

std::vector<const InstructionSet*> instruction_sets() { return {&set_native}; }
#endif

}  // namespace chainrule
