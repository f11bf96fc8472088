// How a layer is described to the core: one list of fields, of which everything else is made (the struct, the copy of
// it in the precision of a step, what Python may give by name).
//
// A list calls NEEDED(type, name) or OPTIONAL(type, name, default) for each field; Real is the precision.
#pragma once

#include <cstdint>

#include "formulas/tables.hpp"
#include "vector/panels.hpp"

namespace chainrule {

constexpr Index ABSENT = -1;  // the place in θ of parameters that are not there

#define CHAINRULE_DECLARE(type, name) type name;
#define CHAINRULE_DEFAULT(type, name, value) type name = value;
#define CHAINRULE_COPY(type, name, ...) to.name = static_cast<decltype(to.name)>(from.name);
#define CHAINRULE_NEEDED(type, name) f(#name, fields.name, true);
#define CHAINRULE_OPTIONAL(type, name, value) f(#name, fields.name, false);

// Dropout and Gaussian noise on the outputs of a layer, or on the inputs, and the numbers of their blocks. `dropped` of
// the 65536 values of 16 bits mean that an entry is left out; 0: none.
#define CHAINRULE_NOISE_FIELDS(NEEDED, OPTIONAL) \
    OPTIONAL(Real, dropped, 0)                   \
    OPTIONAL(std::uint64_t, dropout_block, 0)    \
    OPTIONAL(Real, deviation, 0)                 \
    OPTIONAL(std::uint64_t, noise_block, 0)

template <class Real> struct Noise {
    CHAINRULE_NOISE_FIELDS(CHAINRULE_DECLARE, CHAINRULE_DEFAULT)

    [[gnu::always_inline]] bool disturbs() const { return dropped || deviation; }
};

// An affine map and what follows it, y = noise(f(norm(x W + b))). Places are offsets in θ: W (inputs, outputs), b, γ
// and β of the normalisation, its running mean and variance, the slopes of an activation that learns them. `live` is an
// activation that learns or draws its slope, instead of `activation` while it trains; drawn slopes lie between `lowest`
// and `highest`. `disconnected` of 65536: weights left out at random.
#define CHAINRULE_LAYER_FIELDS(NEEDED, OPTIONAL) \
    NEEDED(Index, outputs)                       \
    NEEDED(Index, weights)                       \
    OPTIONAL(Index, biases, ABSENT)              \
    OPTIONAL(Index, scales, ABSENT)              \
    OPTIONAL(Index, shifts, ABSENT)              \
    OPTIONAL(Index, slopes, ABSENT)              \
    OPTIONAL(Index, mean, ABSENT)                \
    OPTIONAL(Index, variance, ABSENT)            \
    OPTIONAL(Real, disconnected, 0)              \
    OPTIONAL(std::uint64_t, connect_block, 0)    \
    OPTIONAL(Normalization, norm, NO_NORM)       \
    OPTIONAL(Real, epsilon, 1)                   \
    OPTIONAL(Real, momentum, 0)                  \
    OPTIONAL(Activation, activation, IDENTITY)   \
    OPTIONAL(Real, setting, 0)                   \
    OPTIONAL(LiveActivation, live, NOT_LIVE)     \
    OPTIONAL(std::uint64_t, live_block, 0)       \
    OPTIONAL(bool, shared_slope, false)          \
    OPTIONAL(Real, lowest, 0)                    \
    OPTIONAL(Real, highest, 0)

template <class Real> struct LayerFields : Noise<Real> {
    CHAINRULE_LAYER_FIELDS(CHAINRULE_DECLARE, CHAINRULE_DEFAULT)
};

template <class To, class From> void copy_fields(const Noise<From>& from, Noise<To>& to) {
    CHAINRULE_NOISE_FIELDS(CHAINRULE_COPY, CHAINRULE_COPY)
}

template <class To, class From> void copy_fields(const LayerFields<From>& from, LayerFields<To>& to) {
    copy_fields(static_cast<const Noise<From>&>(from), static_cast<Noise<To>&>(to));
    CHAINRULE_LAYER_FIELDS(CHAINRULE_COPY, CHAINRULE_COPY)
}

// Call f(name, field, whether it must be given) for every field.
template <class Real, class F> void each_field(Noise<Real>& fields, F f) {
    CHAINRULE_NOISE_FIELDS(CHAINRULE_NEEDED, CHAINRULE_OPTIONAL)
}

template <class Real, class F> void each_field(LayerFields<Real>& fields, F f) {
    CHAINRULE_LAYER_FIELDS(CHAINRULE_NEEDED, CHAINRULE_OPTIONAL)
    each_field(static_cast<Noise<Real>&>(fields), f);
}

}  // namespace chainrule
