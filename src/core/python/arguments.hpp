// From what Python gives to what the core takes. Everything is checked here: no argument, however wrong, gets further.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "run/trainer.hpp"

namespace nb = nanobind;

namespace chainrule {

using In = nb::ndarray<nb::ro>;
using InOut = nb::ndarray<>;

[[noreturn]] inline void refuse(const std::string& message) { throw nb::value_error(message.c_str()); }

inline std::string shape_of(const std::vector<Index>& shape) {
    std::string text = "(";
    for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + (shape[i] < 0 ? "any" : std::to_string(shape[i]));
    return text + (shape.size() == 1 ? ",)" : ")");
}

// The memory of an array, if it has this dtype and shape, lies in C order and on the CPU; a negative length is any.
template <class T, class Array> auto* memory_of(const Array& a, const char* name, const std::vector<Index>& shape) {
    if (a.device_type() != nb::device::cpu::value) refuse(std::string(name) + " must lie in the CPU's memory");
    if (a.dtype() != nb::dtype<T>())
        refuse(std::string(name) + " must hold " + (std::is_integral_v<T> ? "int64" : sizeof(T) == 4 ? "float32" : "float64") +
               " numbers");
    bool fits = a.ndim() == shape.size();
    for (std::size_t i = 0; fits && i < shape.size(); ++i) fits = shape[i] < 0 || static_cast<Index>(a.shape(i)) == shape[i];
    if (!fits) {
        std::vector<Index> given;
        for (std::size_t i = 0; i < a.ndim(); ++i) given.push_back(static_cast<Index>(a.shape(i)));
        refuse(std::string(name) + " must have shape " + shape_of(shape) + ", got " + shape_of(given));
    }
    Index apart = 1;
    for (std::size_t i = a.size() ? a.ndim() : 0; i-- > 0; apart *= static_cast<Index>(a.shape(i)))
        if (a.shape(i) > 1 && a.stride(i) != apart) refuse(std::string(name) + " must be contiguous, in C order");
    using Pointer = std::conditional_t<std::is_same_v<Array, In>, const T, T>;
    auto* at = static_cast<Pointer*>(a.data());
    if (reinterpret_cast<std::uintptr_t>(at) % alignof(T)) refuse(std::string(name) + " must be aligned");
    return at;
}

template <std::size_t N> int row_of(const std::string& name, const char* const (&names)[N], const char* kind) {
    for (std::size_t i = 0; i < N; ++i)
        if (name == names[i]) return static_cast<int>(i);
    refuse("the native engine has no " + std::string(kind) + " " + name);
}

inline const InstructionSet* set_of(const std::string& name) {
    for (const InstructionSet* set : instruction_sets())
        if (name.empty() || name == set->name) return set;
    refuse("this processor has no instruction set " + name);
}

using PenaltyArgument = std::tuple<double, double, double, double, double, double>;

constexpr Index MOST = Index{1} << 40;  // of any size: beyond it products of sizes would not fit

// One entry of a dict, as a number (or text) of its kind.
template <class V> V entry(const nb::dict& dict, const char* name) {
    if (!dict.contains(name)) refuse(std::string("the entry is missing: ") + name);
    try {
        return nb::cast<V>(dict[name]);
    } catch (const nb::cast_error&) {
        refuse(std::string("the entry ") + name + " is of the wrong type");
    }
}

inline double share_of(const nb::dict& dict, const char* name) {
    const double dropped = entry<double>(dict, name);
    if (!(dropped >= 0 && dropped < 65536)) refuse(std::string(name) + " is out of range");
    return dropped;
}

inline NoiseSpec noise_of(const nb::dict& dict) {
    return {share_of(dict, "dropped"), entry<double>(dict, "deviation"), entry<std::uint64_t>(dict, "dropout_block"),
            entry<std::uint64_t>(dict, "noise_block")};
}

inline void check_place(Index at, Index count, Index parameters, bool needed) {
    if (!needed && at == -1) return;
    if (at < 0 || count > parameters || at > parameters - count) refuse("a layer's parameters lie outside θ");
}

inline void check_layer(const LayerSpec& layer, Index inputs, Index parameters) {
    if (layer.outputs < 1 || layer.outputs > MOST / inputs) refuse("a layer's outputs are out of range");
    check_place(layer.weights, inputs * layer.outputs, parameters, true);
    for (int k = 0; k < UNIT_PARAMETERS; ++k) {
        const bool norm = k == SCALE || k == SHIFT, needed = (norm && layer.norm) || (k == SLOPE && layer.live == 1);
        if (!needed && k != BIAS && layer.units[k] != -1) refuse("a layer has parameters that it does not use");
        check_place(layer.units[k], k == SLOPE && layer.shared_slope ? 1 : layer.outputs, parameters, needed);
    }
    check_place(layer.mean, layer.outputs, parameters, layer.norm == BATCH_NORM);
    check_place(layer.variance, layer.outputs, parameters, layer.norm == BATCH_NORM);
}

inline LayerSpec layer_of(const nb::dict& dict) {
    const auto place = [&](const char* name) { return entry<Index>(dict, name); };
    return {place("outputs"),
            place("weights"),
            {place("biases"), place("scales"), place("shifts"), place("slopes")},
            row_of(entry<std::string>(dict, "activation"), ACTIVATION_NAMES, "activation"),
            entry<double>(dict, "setting"),
            row_of(entry<std::string>(dict, "live"), LIVE_NAMES, "live activation"),
            entry<bool>(dict, "shared_slope"),
            entry<double>(dict, "lowest"),
            entry<double>(dict, "highest"),
            entry<std::uint64_t>(dict, "live_block"),
            static_cast<Normalization>(row_of(entry<std::string>(dict, "norm"), NORMALIZATION_NAMES, "normalisation")),
            entry<double>(dict, "epsilon"),
            entry<double>(dict, "momentum"),
            place("mean"),
            place("variance"),
            noise_of(dict),
            share_of(dict, "disconnected"),
            entry<std::uint64_t>(dict, "connect_block")};
}

using ShapeArgument = std::tuple<Index, Index, Index>;

constexpr Index LONGEST_SIDE = 1 << 15, LARGEST_IMAGE = 1 << 24;

// Refuses what would not fit; the numbers are those of `numbers` in augmentation.py.
inline AugmentationSpec augmentation_of(const std::string& name, const std::vector<double>& numbers, const ShapeArgument& shape) {
    AugmentationSpec spec{row_of(name, AUGMENTATION_NAMES, "augmentation"), {}, std::get<0>(shape), std::get<1>(shape),
                          std::get<2>(shape)};
    if (numbers.size() != static_cast<std::size_t>(AUGMENTATION_NUMBERS[spec.kind]))
        refuse("the augmentation " + name + " has other numbers");
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (!std::isfinite(numbers[i])) refuse("the numbers of an augmentation must be finite");
        spec.numbers[i] = numbers[i];
    }
    Index size = 1;
    const Index longest = name == "deformation" ? LONGEST_SIDE : LARGEST_IMAGE;
    for (const Index length : {spec.rows, spec.columns, spec.channels}) {
        if (length < 1 || length > longest || length > LARGEST_IMAGE / size) refuse("such an image is too large, or empty");
        size *= length;
    }
    if (name == "deformation" && !(numbers[5] >= 1)) refuse("smoothness must be at least 1");
    return spec;
}

using AugmentationArgument = std::tuple<std::string, std::vector<double>, ShapeArgument>;

inline RecipeSpec recipe_of(const nb::dict& dict, Index inputs, Index batch) {
    RecipeSpec recipe{static_cast<Clip>(row_of(entry<std::string>(dict, "clip"), CLIP_NAMES, "clip")), entry<double>(dict, "limit"),
                      entry<double>(dict, "max_norm"), {}, entry<double>(dict, "share"), entry<Index>(dict, "part"), {}};
    const auto rates = entry<std::vector<double>>(dict, "rates");
    if (rates.size() != KINDS) refuse("the recipe needs a rate for each kind of parameters");
    std::copy(rates.begin(), rates.end(), recipe.rates);
    for (const auto& [name, numbers, shape] : entry<std::vector<AugmentationArgument>>(dict, "augmentations")) {
        recipe.augmentations.push_back(augmentation_of(name, numbers, shape));
        if (recipe.augmentations.back().inputs() != inputs) refuse("an augmentation is for other inputs");
    }
    if (batch && (recipe.part < 1 || recipe.part > batch)) refuse("the parts of a batch are out of range");
    return recipe;
}

inline Spec spec_of(Index inputs, const nb::dict& input, const std::vector<nb::dict>& layers, Index parameters, Index batch,
             const std::pair<std::string, double>& loss, const std::pair<std::string, std::vector<double>>& rule,
             const PenaltyArgument& weights, const PenaltyArgument& biases, const nb::dict& recipe, const std::string& set) {
    if (inputs < 1 || inputs > MOST) refuse("inputs are out of range");
    if (parameters < 1) refuse("parameters are out of range");
    if (batch < 0 || batch > MOST) refuse("the batch is out of range");
    if (layers.empty()) refuse("a network needs a layer");
    Spec spec{inputs, noise_of(input), {}, parameters, batch, row_of(loss.first, LOSS_NAMES, "loss"), loss.second,
              row_of(rule.first, RULE_NAMES, "update rule"), rule.second, {}, {}, recipe_of(recipe, inputs, batch),
              set_of(set)};
    if (static_cast<int>(rule.second.size()) != RULE_SETTINGS[spec.rule]) refuse("the update rule has other settings");
    for (const nb::dict& layer : layers) {
        spec.layers.push_back(layer_of(layer));
        check_layer(spec.layers.back(), inputs, parameters);
        inputs = spec.layers.back().outputs;
    }
    const LayerSpec& last = spec.layers.back();
    if (last.norm || last.live || last.noise.dropped || last.noise.deviation) refuse("the last layer has more than an activation");
    const auto penalty = [](const PenaltyArgument& p) {
        return std::apply([](auto... part) { return PenaltySpec{part...}; }, p);
    };
    spec.weights = penalty(weights);
    spec.biases = penalty(biases);
    return spec;
}

template <class T> struct Checked {
    Data<T> data;

    Checked(const Spec& spec, const In& X, const In& y, const std::optional<In>& weight) : data{} {
        const Index outputs = spec.layers.back().outputs;
        data.X = memory_of<T>(X, "X", {-1, spec.inputs});
        data.rows = static_cast<Index>(X.shape(0));
        if (data.rows < 1) refuse("X holds no rows");
        if (spec.loss >= ELEMENT_LOSSES && y.ndim() == 1) data.classes = memory_of<std::int64_t>(y, "y", {data.rows});
        else data.target = memory_of<T>(y, "y", {data.rows, outputs});
        if (weight) data.weight = memory_of<T>(*weight, "weight", {data.rows});
    }

    void check_row(Index row, Index outputs) const {
        if (row < 0 || row >= data.rows) refuse("order holds row " + std::to_string(row) + " of " + std::to_string(data.rows));
        if (data.classes && (data.classes[row] < 0 || data.classes[row] >= outputs))
            refuse("y holds class " + std::to_string(data.classes[row]) + " of " + std::to_string(outputs));
    }
};

}  // namespace chainrule
