// What a trainer is made from. The lists of fields are as in step/layer_fields.hpp.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "run/instruction_sets.hpp"
#include "step/plan.hpp"

namespace chainrule {

using NoiseSpec = Noise<double>;
using LayerSpec = LayerFields<double>;
using Numbers = std::map<std::string, double>;

// λ₁ and λ₂ on one kind of parameter: given as they are, and divided by the batch's total weight; `shrink` is the λ₁
// of a proximal step.
#define CHAINRULE_PENALTY_FIELDS(NEEDED, OPTIONAL) \
    OPTIONAL(double, l1, 0)                        \
    OPTIONAL(double, l2, 0)                        \
    OPTIONAL(double, shrink, 0)                    \
    OPTIONAL(double, l1_per_sample, 0)             \
    OPTIONAL(double, l2_per_sample, 0)             \
    OPTIONAL(double, shrink_per_sample, 0)

struct PenaltySpec {
    CHAINRULE_PENALTY_FIELDS(CHAINRULE_DECLARE, CHAINRULE_DEFAULT)

    bool any() const { return l1 || l2 || shrink || l1_per_sample || l2_per_sample || shrink_per_sample; }
    bool shrinks() const { return shrink || shrink_per_sample; }
};

template <class F>
void each_field(PenaltySpec& fields, F f){CHAINRULE_PENALTY_FIELDS(CHAINRULE_NEEDED, CHAINRULE_OPTIONAL)}
// What a step does beside its rule; see recipe.py. `rates` are factors of the learning rate by kind of parameter,
// `share` is the least part of the way to θ that its average goes in a step, a batch normalisation sees `part` rows at
// a time.
#define CHAINRULE_RECIPE_FIELDS(NEEDED, OPTIONAL) \
    OPTIONAL(Clip, clip, NO_CLIP)                 \
    OPTIONAL(double, limit, 0)                    \
    OPTIONAL(double, max_norm, 0)                 \
    NEEDED(Numbers, rates)                        \
    OPTIONAL(double, share, 0)                    \
    NEEDED(Index, part)                           \
    OPTIONAL(std::vector<AugmentationSpec>, augmentations, {})

struct RecipeSpec {
    CHAINRULE_RECIPE_FIELDS(CHAINRULE_DECLARE, CHAINRULE_DEFAULT)
};

template <class F>
void each_field(RecipeSpec& fields, F f){CHAINRULE_RECIPE_FIELDS(CHAINRULE_NEEDED, CHAINRULE_OPTIONAL)}
// `batch` is the most rows of one step; 0 for prediction only. `settings` are the rule's, by name.
#define CHAINRULE_PLAN_FIELDS(NEEDED, OPTIONAL) \
    NEEDED(std::string, dtype)                  \
    NEEDED(std::string, set)                    \
    NEEDED(Index, inputs)                       \
    NEEDED(NoiseSpec, input)                    \
    NEEDED(std::vector<LayerSpec>, layers)      \
    NEEDED(Index, parameters)                   \
    NEEDED(Index, batch)                        \
    NEEDED(LossKind, loss)                      \
    NEEDED(double, loss_setting)                \
    NEEDED(Rule, rule)                          \
    NEEDED(Numbers, settings)                   \
    NEEDED(PenaltySpec, weights)                \
    NEEDED(PenaltySpec, biases)                 \
    NEEDED(RecipeSpec, recipe)

struct Spec {
    CHAINRULE_PLAN_FIELDS(CHAINRULE_DECLARE, CHAINRULE_DEFAULT)

    const InstructionSet* instructions = nullptr;  // `set`
    std::vector<double> numbers;                   // `settings` in the order of the rule's row
    double rates[KINDS] = {};                      // the recipe's
};

template <class F> void each_field(Spec& fields, F f) { CHAINRULE_PLAN_FIELDS(CHAINRULE_NEEDED, CHAINRULE_OPTIONAL) }

}  // namespace chainrule
