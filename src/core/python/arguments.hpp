// From what Python gives to what the core takes. Everything is checked here: no argument, however wrong, gets further.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "run/trainer.hpp"

namespace nb = nanobind;

namespace chainrule {

using In = nb::ndarray<nb::ro>;
using InOut = nb::ndarray<>;

[[noreturn]] inline void refuse(const std::string& message) { throw nb::value_error(message.c_str()); }

inline std::string shape_of(const std::vector<Index>& shape) {
    std::string text = "(";
    for (std::size_t i = 0; i < shape.size(); ++i)
        text += (i ? ", " : "") + (shape[i] < 0 ? "any" : std::to_string(shape[i]));
    return text + (shape.size() == 1 ? ",)" : ")");
}

// The memory of an array, if it has this dtype and shape, lies in C order and on the CPU; a negative length is any.
template <class T, class Array> auto* memory_of(const Array& a, const char* name, const std::vector<Index>& shape) {
    if (a.device_type() != nb::device::cpu::value) refuse(std::string(name) + " must lie in the CPU's memory");
    if (a.dtype() != nb::dtype<T>())
        refuse(std::string(name) + " must hold " +
               (std::is_integral_v<T> ? "int64"
                : sizeof(T) == 4      ? "float32"
                                      : "float64") +
               " numbers");
    bool fits = a.ndim() == shape.size();
    for (std::size_t i = 0; fits && i < shape.size(); ++i)
        fits = shape[i] < 0 || static_cast<Index>(a.shape(i)) == shape[i];
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

template <class Row> Row row_named(const std::string& name) {
    const auto& names = Named<Row>::names;
    for (std::size_t i = 0; i < std::size(names); ++i)
        if (name == names[i]) return static_cast<Row>(i);
    refuse("the native engine has no " + std::string(Named<Row>::word) + " " + name);
}

inline const InstructionSet* set_of(const std::string& name) {
    for (const InstructionSet* set : instruction_sets())
        if (name.empty() || name == set->name) return set;
    refuse("this processor has no instruction set " + name);
}

constexpr Index MOST = Index{1} << 40;  // of any size: beyond it products of sizes would not fit

using ShapeArgument = std::tuple<Index, Index, Index>;

constexpr Index LONGEST_SIDE = 1 << 15, LARGEST_IMAGE = 1 << 24;

// Refuses what would not fit; the numbers are those of `numbers` in augmentation.py.
inline AugmentationSpec augmentation_of(const std::string& name, const std::vector<double>& numbers,
                                        const ShapeArgument& shape) {
    AugmentationSpec spec{
        row_named<AugmentationKind>(name), {}, std::get<0>(shape), std::get<1>(shape), std::get<2>(shape)};
    if (numbers.size() != static_cast<std::size_t>(AUGMENTATION_NUMBERS[spec.kind]))
        refuse("the augmentation " + name + " has other numbers");
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (!std::isfinite(numbers[i])) refuse("the numbers of an augmentation must be finite");
        spec.numbers[i] = numbers[i];
    }
    Index size = 1;
    const Index longest = name == "deformation" ? LONGEST_SIDE : LARGEST_IMAGE;
    for (const Index length : {spec.rows, spec.columns, spec.channels}) {
        if (length < 1 || length > longest || length > LARGEST_IMAGE / size)
            refuse("such an image is too large, or empty");
        size *= length;
    }
    if (name == "deformation" && !(numbers[5] >= 1)) refuse("smoothness must be at least 1");
    return spec;
}

using AugmentationArgument = std::tuple<std::string, std::vector<double>, ShapeArgument>;
using Arrays = std::map<std::string, InOut>;

inline void append(std::string& list, const std::string& name) {
    if (!list.empty()) list += ", ";
    list += name;
}

template <class V> V cast(nb::handle given, const char* name) {
    try {
        return nb::cast<V>(given);
    } catch (const nb::cast_error&) {
        refuse(std::string(name) + " is of the wrong type");
    }
}

template <class V> constexpr bool is_optional = false;
template <class V> constexpr bool is_optional<std::optional<V>> = true;

// One field, from the Python value of its name.
template <class V> void read(V& field, nb::handle given, const char* name) {
    if (given.is_none() && !is_optional<V>) refuse(std::string(name) + " must not be None");
    if constexpr (std::is_enum_v<V>) {
        field = row_named<V>(cast<std::string>(given, name));
    } else if constexpr (std::is_same_v<V, std::vector<AugmentationSpec>>) {
        for (const auto& [kind, numbers, shape] : cast<std::vector<AugmentationArgument>>(given, name))
            field.push_back(augmentation_of(kind, numbers, shape));
    } else {
        field = cast<V>(given, name);
    }
}

[[noreturn]] inline void refuse_others(const nb::dict& given, const std::string& names, const std::string& word) {
    std::string others;
    for (const auto& [key, value] : given) {
        const auto name = nb::cast<std::string>(key);
        if ((", " + names + ", ").find(", " + name + ", ") == std::string::npos) append(others, name);
    }
    throw nb::type_error((word + " has no field " + others + "; it has: " + names).c_str());
}

// A struct from its fields by name. A name that is missing or is none of them raises TypeError.
template <class S> S fields_of(const nb::dict& given, const char* word) {
    S fields{};
    std::size_t taken = 0;
    each_field(fields, [&](const char* name, auto& field, bool needed) {
        if (PyObject* value = PyDict_GetItemString(given.ptr(), name)) {
            read(field, value, name);
            ++taken;
        } else if (needed) {
            throw nb::type_error((std::string(word) + " needs " + name).c_str());
        }
    });
    if (taken == given.size()) return fields;
    std::string names;
    each_field(fields, [&](const char* name, auto&, bool) { append(names, name); });
    refuse_others(given, names, word);
}

// The values of a dict in the order of names, which must be all of its names.
template <class V, int N>
std::vector<V> values_of(const std::map<std::string, V>& given, const char* const (&names)[N],
                         const std::string& word) {
    std::vector<V> values;
    for (int k = 0; k < count_of(names); ++k) {
        const auto at = given.find(names[k]);
        if (at != given.end()) values.push_back(at->second);
    }
    if (values.size() == given.size() && static_cast<int>(values.size()) == count_of(names)) return values;
    std::string wanted, got;
    for (int k = 0; k < count_of(names); ++k) append(wanted, names[k]);
    for (const auto& [name, value] : given) append(got, name);
    refuse(word + " (" + wanted + "), got (" + got + ")");
}

inline void check_share(double dropped, const char* name) {
    if (!(dropped >= 0 && dropped < 65536)) refuse(std::string(name) + " is out of range");
}

inline void check_place(Index at, Index count, Index parameters, bool needed) {
    if (!needed && at == ABSENT) return;
    if (at < 0 || count > parameters || at > parameters - count) refuse("a layer's parameters lie outside θ");
}

// Parameters of a layer that only some layers use.
inline void check_use(Index at, Index count, Index parameters, bool used) {
    if (!used && at != ABSENT) refuse("a layer has parameters that it does not use");
    check_place(at, count, parameters, used);
}

inline void check_layer(const LayerSpec& layer, Index inputs, Index parameters) {
    if (layer.outputs < 1 || layer.outputs > MOST / inputs) refuse("a layer's outputs are out of range");
    check_share(layer.dropped, "dropped");
    check_share(layer.disconnected, "disconnected");
    check_place(layer.weights, inputs * layer.outputs, parameters, true);
    check_place(layer.biases, layer.outputs, parameters, false);
    check_use(layer.scales, layer.outputs, parameters, layer.norm);
    check_use(layer.shifts, layer.outputs, parameters, layer.norm);
    check_use(layer.slopes, layer.shared_slope ? 1 : layer.outputs, parameters, layer.live == LEARNT_SLOPE);
    check_place(layer.mean, layer.outputs, parameters, layer.norm == BATCH_NORM);
    check_place(layer.variance, layer.outputs, parameters, layer.norm == BATCH_NORM);
}

inline void check_recipe(const RecipeSpec& recipe, Index inputs, Index batch) {
    for (const AugmentationSpec& augmentation : recipe.augmentations)
        if (augmentation.inputs() != inputs) refuse("an augmentation is for other inputs");
    if (batch && (recipe.part < 1 || recipe.part > batch)) refuse("the parts of a batch are out of range");
}

// A plan's fields, checked, with what follows from them.
inline Spec checked(Spec spec) {
    if (spec.inputs < 1 || spec.inputs > MOST) refuse("inputs are out of range");
    if (spec.parameters < 1) refuse("parameters are out of range");
    if (spec.batch < 0 || spec.batch > MOST) refuse("the batch is out of range");
    if (spec.layers.empty()) refuse("a network needs a layer");
    check_share(spec.input.dropped, "dropped");
    Index inputs = spec.inputs;
    for (const LayerSpec& layer : spec.layers) {
        check_layer(layer, inputs, spec.parameters);
        inputs = layer.outputs;
    }
    const LayerSpec& last = spec.layers.back();
    if (last.norm || last.live || last.disturbs()) refuse("the last layer has more than an activation");
    check_recipe(spec.recipe, spec.inputs, spec.batch);
    const RuleRow& rule = row_of(spec.rule);
    spec.numbers = values_of(spec.settings, rule.settings, std::string("the settings of ") + rule.name + " are called");
    const auto rates = values_of(spec.recipe.rates, KIND_NAMES, "the rates of a recipe are of");
    std::copy(rates.begin(), rates.end(), spec.rates);
    spec.instructions = set_of(spec.set);
    return spec;
}

// The arguments of Plan.run. `memory` is the rule's, by name; the others as in struct Training.
#define CHAINRULE_RUN_FIELDS(NEEDED, OPTIONAL)  \
    NEEDED(InOut, theta)                        \
    NEEDED(Arrays, memory)                      \
    OPTIONAL(std::optional<InOut>, average, {}) \
    NEEDED(In, X)                               \
    NEEDED(In, y)                               \
    OPTIONAL(std::optional<In>, weight, {})     \
    OPTIONAL(std::optional<In>, order, {})      \
    NEEDED(Index, batch)                        \
    NEEDED(In, learning_rates)                  \
    OPTIONAL(std::optional<In>, shares, {})     \
    NEEDED(Index, t)                            \
    NEEDED(std::uint64_t, seed)                 \
    NEEDED(std::uint64_t, step)                 \
    NEEDED(InOut, losses)                       \
    NEEDED(int, threads)

struct Steps {
    CHAINRULE_RUN_FIELDS(CHAINRULE_DECLARE, CHAINRULE_DEFAULT)
};

template <class F> void each_field(Steps& fields, F f) { CHAINRULE_RUN_FIELDS(CHAINRULE_NEEDED, CHAINRULE_OPTIONAL) }

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
        if (row < 0 || row >= data.rows)
            refuse("order holds row " + std::to_string(row) + " of " + std::to_string(data.rows));
        if (data.classes && (data.classes[row] < 0 || data.classes[row] >= outputs))
            refuse("y holds class " + std::to_string(data.classes[row]) + " of " + std::to_string(outputs));
    }
};

// The steps that a trainer is asked for, checked. Python may write to its array while they run: the order is copied.
template <class T> struct CheckedSteps {
    Training<T> training{};
    std::vector<Index> order;

    CheckedSteps(const Spec& spec, const Steps& given) {
        const Checked<T> rows(spec, given.X, given.y, given.weight);
        training.data = rows.data;
        training.theta = memory_of<T>(given.theta, "theta", {spec.parameters});
        training.learning_rates = memory_of<double>(given.learning_rates, "learning_rates", {-1});
        training.steps = static_cast<Index>(given.learning_rates.shape(0));
        training.losses = memory_of<double>(given.losses, "losses", {training.steps});
        if (given.shares) training.shares = memory_of<double>(*given.shares, "shares", {training.steps});
        const RuleRow& rule = row_of(spec.rule);
        T** memory = training.memory;
        for (const InOut& array :
             values_of(given.memory, rule.memory, std::string("the memory of ") + rule.name + " is called"))
            *memory++ = memory_of<T>(array, "memory", {spec.parameters});
        if (given.average) training.average = memory_of<T>(*given.average, "average", {spec.parameters});
        if (given.t < 0) refuse("t must not be negative");
        training.t = static_cast<double>(given.t);
        training.seed = given.seed;
        training.number = given.step;
        take_order(spec, given);
        for (Index i = 0; i < training.order_rows; ++i)
            rows.check_row(training.order ? order[i] : i, spec.layers.back().outputs);
    }

  private:
    void take_order(const Spec& spec, const Steps& given) {
        training.batch = given.order ? given.batch : training.data.rows;
        training.order_rows = training.data.rows;
        if (training.batch < 1 || training.batch > spec.batch)
            refuse("batches of this engine have 1 to " + std::to_string(spec.batch) + " rows");
        if (!given.order) return;
        const Index* taken = memory_of<std::int64_t>(*given.order, "order", {-1});
        training.order_rows = static_cast<Index>(given.order->shape(0));
        if (panels(training.order_rows, training.batch) != training.steps)
            refuse("order must hold one batch for every learning rate");
        order.assign(taken, taken + training.order_rows);
        training.order = order.data();
    }
};

}  // namespace chainrule
