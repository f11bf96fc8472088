// The names that Python and the core share, in one table per kind: X(name in Python, type in C++).
#pragma once

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

// X(name, type, arrays of memory, settings). The last row stores the gradient instead of moving θ.
#define CHAINRULE_RULES(X)                                                                                         \
    X(SGD, PlainDescent, 0, 0) X(Momentum, HeavyBall, 1, 1) X(Nesterov, LookAhead, 1, 1) X(AdaGrad, SquareSum, 1, 1) \
    X(AdaDelta, DeltaMean, 2, 2) X(RMSProp, SquareMean, 1, 2) X(Adam, Moments, 2, 3) X(AdamW, DecayedMoments, 3, 4) \
    X(NAdam, MomentsAhead, 2, 4) X(AMSGrad, LargestMoments, 3, 3) X(RAdam, Moments, 2, 3) X(Lion, Signs, 2, 3)     \
    X(Rprop, Resilient, 2, 4) X(gradient, Record, 1, 0)

// Activations that learn or draw their slope, from 1 on.
#define CHAINRULE_LIVE_ACTIVATIONS(X) X(prelu, LearntSlope) X(rrelu, DrawnSlope) X(noisy_relu, DrawnNoise)

#define CHAINRULE_CLIPS(X) X(none) X(value) X(norm) X(unit)

#define CHAINRULE_NORMALIZATIONS(X) X(none) X(batch) X(layer)

// X(name, type, numbers).
#define CHAINRULE_AUGMENTATIONS(X) X(noise, AddNoise, 1) X(mask, MaskInputs, 2) X(deformation, DeformImage, 7)

#define CHAINRULE_LINKS(X) X(identity) X(softmax) X(sigmoid) X(exp)

namespace chainrule {

#define NAME(name, ...) #name,
inline constexpr const char* ACTIVATION_NAMES[] = {CHAINRULE_ACTIVATIONS(NAME)};
inline constexpr const char* LOSS_NAMES[] = {CHAINRULE_ELEMENT_LOSSES(NAME) CHAINRULE_ROW_LOSSES(NAME)};
inline constexpr const char* RULE_NAMES[] = {CHAINRULE_RULES(NAME)};
inline constexpr const char* LIVE_NAMES[] = {"none", CHAINRULE_LIVE_ACTIVATIONS(NAME)};
inline constexpr const char* NORMALIZATION_NAMES[] = {CHAINRULE_NORMALIZATIONS(NAME)};
inline constexpr const char* CLIP_NAMES[] = {CHAINRULE_CLIPS(NAME)};
inline constexpr const char* AUGMENTATION_NAMES[] = {CHAINRULE_AUGMENTATIONS(NAME)};
inline constexpr const char* LINK_NAMES[] = {CHAINRULE_LINKS(NAME)};
#undef NAME

#define MEMORIES(name, type, memories, settings) memories,
#define SETTINGS(name, type, memories, settings) settings,
inline constexpr int RULE_MEMORIES[] = {CHAINRULE_RULES(MEMORIES)};
inline constexpr int RULE_SETTINGS[] = {CHAINRULE_RULES(SETTINGS)};
#define NUMBERS(name, type, numbers) numbers,
inline constexpr int AUGMENTATION_NUMBERS[] = {CHAINRULE_AUGMENTATIONS(NUMBERS)};
#undef NUMBERS
#undef MEMORIES
#undef SETTINGS

#define ONE(...) +1
inline constexpr int ELEMENT_LOSSES = CHAINRULE_ELEMENT_LOSSES(ONE);
#undef ONE

}  // namespace chainrule
