// The names that Python and the core share, in one table per kind: X(name in Python, type in C++).
#pragma once

// clang-format off: rows of a table
#define CHAINRULE_ACTIVATIONS(X)                                                                                   \
    X(identity, Identity) X(step, HeavisideStep) X(sign, Sign) X(sigmoid, Sigmoid) X(tanh, Tanh)                   \
    X(algebraic_sigmoid, AlgebraicSigmoid) X(arctan, Arctan) X(relu, Relu) X(leaky_relu, LeakyRelu) X(elu, Elu)    \
    X(selu, Selu) X(softplus, Softplus) X(gelu, Gelu) X(silu, Silu) X(mish, Mish)

#define CHAINRULE_ELEMENT_LOSSES(X)                                                                                \
    X(squared_error, SquaredError) X(absolute_error, AbsoluteError) X(huber, Huber) X(quantile, Quantile)          \
    X(poisson, Poisson) X(sigmoid_cross_entropy, SigmoidCrossEntropy) X(logistic, Logistic) X(hinge, Hinge)        \
    X(squared_hinge, SquaredHinge) X(perceptron, Perceptron)

#define CHAINRULE_ROW_LOSSES(X)                                                                                    \
    X(cross_entropy, CrossEntropy) X(multiclass_hinge, MulticlassHinge)                                            \
    X(squared_multiclass_hinge, SquaredMulticlassHinge)

// X(name, what it remembers, its settings): the names of its arrays of memory and of its numbers, as Python has them.
// The last row stores the gradient instead of moving θ.
#define CHAINRULE_LIST(...) {__VA_ARGS__}
#define CHAINRULE_RULES(X) \
    X(SGD, CHAINRULE_LIST(), CHAINRULE_LIST()) \
    X(Momentum, CHAINRULE_LIST("delta"), CHAINRULE_LIST("momentum")) \
    X(Nesterov, CHAINRULE_LIST("delta"), CHAINRULE_LIST("momentum")) \
    X(AdaGrad, CHAINRULE_LIST("square_sum"), CHAINRULE_LIST("epsilon")) \
    X(AdaDelta, CHAINRULE_LIST("square_mean", "delta_mean"), CHAINRULE_LIST("rho", "epsilon")) \
    X(RMSProp, CHAINRULE_LIST("square_mean"), CHAINRULE_LIST("rho", "epsilon")) \
    X(Adam, CHAINRULE_LIST("mean", "square_mean"), CHAINRULE_LIST("beta_1", "beta_2", "epsilon")) \
    X(AdamW, CHAINRULE_LIST("mean", "square_mean", "decayed"), \
      CHAINRULE_LIST("beta_1", "beta_2", "epsilon", "weight_decay")) \
    X(NAdam, CHAINRULE_LIST("mean", "square_mean"), CHAINRULE_LIST("beta_1", "beta_2", "epsilon", "momentum_decay")) \
    X(AMSGrad, CHAINRULE_LIST("mean", "square_mean", "largest"), CHAINRULE_LIST("beta_1", "beta_2", "epsilon")) \
    X(RAdam, CHAINRULE_LIST("mean", "square_mean"), CHAINRULE_LIST("beta_1", "beta_2", "epsilon")) \
    X(Lion, CHAINRULE_LIST("mean", "decayed"), CHAINRULE_LIST("beta_1", "beta_2", "weight_decay")) \
    X(Rprop, CHAINRULE_LIST("gradient", "step_size"), CHAINRULE_LIST("eta_minus", "eta_plus", "step_min", "step_max")) \
    X(Gradient, CHAINRULE_LIST("gradient"), CHAINRULE_LIST())

// Activations that learn or draw their slope, from 1 on.
#define CHAINRULE_LIVE_ACTIVATIONS(X) X(prelu, LearntSlope) X(rrelu, DrawnSlope) X(noisy_relu, DrawnNoise)

// Kinds of parameters, for penalties and learning rates.
#define CHAINRULE_KINDS(X) X(weight) X(bias) X(scale) X(slope)

#define CHAINRULE_CLIPS(X) X(none) X(value) X(norm) X(unit)

#define CHAINRULE_NORMALIZATIONS(X) X(none) X(batch) X(layer)

// X(name, type, numbers).
#define CHAINRULE_AUGMENTATIONS(X) X(noise, AddNoise, 1) X(mask, MaskInputs, 2) X(deformation, DeformImage, 7)

#define CHAINRULE_LINKS(X) X(identity) X(softmax) X(sigmoid) X(exp)
// clang-format on

namespace chainrule {

#define NAME(name, ...) #name,
inline constexpr const char* ACTIVATION_NAMES[] = {CHAINRULE_ACTIVATIONS(NAME)};
inline constexpr const char* LOSS_NAMES[] = {CHAINRULE_ELEMENT_LOSSES(NAME) CHAINRULE_ROW_LOSSES(NAME)};
inline constexpr const char* RULE_NAMES[] = {CHAINRULE_RULES(NAME)};
inline constexpr const char* KIND_NAMES[] = {CHAINRULE_KINDS(NAME)};
inline constexpr const char* LIVE_NAMES[] = {"none", CHAINRULE_LIVE_ACTIVATIONS(NAME)};
inline constexpr const char* NORMALIZATION_NAMES[] = {CHAINRULE_NORMALIZATIONS(NAME)};
inline constexpr const char* CLIP_NAMES[] = {CHAINRULE_CLIPS(NAME)};
inline constexpr const char* AUGMENTATION_NAMES[] = {CHAINRULE_AUGMENTATIONS(NAME)};
inline constexpr const char* LINK_NAMES[] = {CHAINRULE_LINKS(NAME)};
#undef NAME

// An update rule: the names of its arrays of memory and of its settings, in the core's own order.
constexpr int MOST_MEMORIES = 3, MOST_SETTINGS = 4;
struct RuleRow {
    const char* name;
    const char* memory[MOST_MEMORIES];  // null from the end on
    const char* settings[MOST_SETTINGS];
};
#define ROW(name, memory, settings) {#name, memory, settings},
inline constexpr RuleRow RULES[] = {CHAINRULE_RULES(ROW)};
#undef ROW
#define ROW(name, ...) name,
enum class Rule : int { CHAINRULE_RULES(ROW) };
#undef ROW

constexpr const RuleRow& row_of(Rule rule) { return RULES[static_cast<int>(rule)]; }

template <int N> constexpr int count_of(const char* const (&names)[N]) {
    int count = 0;
    while (count < N && names[count]) ++count;
    return count;
}

// The kinds that Python names, with their names and the word for them in an error.
enum Activation : int { IDENTITY };
enum LiveActivation : int { NOT_LIVE, LEARNT_SLOPE };
enum LossKind : int {};
enum Normalization : int { NO_NORM, BATCH_NORM, LAYER_NORM };
enum Clip : int { NO_CLIP, CLIP_VALUE, CLIP_NORM, CLIP_UNIT };
enum Kind : int { WEIGHTS, BIASES, SCALES, SLOPES, KINDS };
enum Link : int {};
enum AugmentationKind : int {};

template <class Row> struct Named;
#define NAMED(Row, NAMES, WORD)                     \
    template <> struct Named<Row> {                 \
        static constexpr const auto& names = NAMES; \
        static constexpr const char* word = WORD;   \
    };
NAMED(Activation, ACTIVATION_NAMES, "activation")
NAMED(LiveActivation, LIVE_NAMES, "live activation")
NAMED(LossKind, LOSS_NAMES, "loss")
NAMED(Normalization, NORMALIZATION_NAMES, "normalisation")
NAMED(Clip, CLIP_NAMES, "clip")
NAMED(Kind, KIND_NAMES, "kind of parameters")
NAMED(Link, LINK_NAMES, "link")
NAMED(AugmentationKind, AUGMENTATION_NAMES, "augmentation")
NAMED(Rule, RULE_NAMES, "update rule")
#undef NAMED

#define NUMBERS(name, type, numbers) numbers,
inline constexpr int AUGMENTATION_NUMBERS[] = {CHAINRULE_AUGMENTATIONS(NUMBERS)};
#undef NUMBERS

#define ONE(...) +1
inline constexpr int ELEMENT_LOSSES = CHAINRULE_ELEMENT_LOSSES(ONE);
#undef ONE

}  // namespace chainrule
