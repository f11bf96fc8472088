// The constants of an update rule.
#pragma once

#include <vector>

namespace chainrule {

// What a rule is made of at update number t: the numbers its formula multiplies with (see rules.hpp).
void rule_constants(int rule, const std::vector<double>& settings, double learning_rate, double t, double (&c)[8]);

}  // namespace chainrule
