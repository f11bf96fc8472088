// The numbers that the formulas of rules.hpp multiply with, worked out once a step.
#pragma once

#include "formulas/tables.hpp"

namespace chainrule {

// η is the learning rate, g the gradient; a rule has those of its formula, the others are 0.
enum Constant {
    RATE,  // η, with whatever corrects it in this update
    KEEP,  // mean ← KEEP mean + TAKE g
    TAKE,
    KEEP_SQUARE,  // mean of squares ← KEEP_SQUARE mean + TAKE_SQUARE g²
    TAKE_SQUARE,
    KEEP_NEXT,  // Lion: the mean for the next update, while KEEP and TAKE make this one's
    TAKE_NEXT,
    ROOT,  // the divisor ROOT √v + EPSILON
    EPSILON,
    DECAY,   // η λ: the share of θ that weight decay takes
    AHEAD,   // NAdam: of the gradient itself
    SHRINK,  // Rprop: of the step size, where the gradient turned and where it did not, and its ends
    GROW,
    SMALLEST,
    LARGEST,
    CONSTANTS
};

// The constants of a rule at update number t; the settings are in the order of its row in tables.hpp.
void rule_constants(Rule rule, const double* settings, double learning_rate, double t, double (&c)[CONSTANTS]);

}  // namespace chainrule
