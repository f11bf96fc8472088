// What Python sees of the core. Everything is checked here: no argument, however wrong, may reach the core unfit.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <optional>
#include <tuple>
#include <variant>

#include "trainer.hpp"

namespace nb = nanobind;
using namespace chainrule;

namespace {

using In = nb::ndarray<nb::ro>;
using InOut = nb::ndarray<>;

[[noreturn]] void refuse(const std::string& message) { throw nb::value_error(message.c_str()); }

std::string shape_of(const std::vector<Index>& shape) {
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

const InstructionSet* set_of(const std::string& name) {
    for (const InstructionSet* set : instruction_sets())
        if (name.empty() || name == set->name) return set;
    refuse("this processor has no instruction set " + name);
}

// Looks for Ctrl-C, at most once in 50 ms: Python's signal handlers run in here.
bool finalizing() {
#if PY_VERSION_HEX >= 0x030D0000
    return Py_IsFinalizing();
#else
    return _Py_IsFinalizing();
#endif
}

// Lets other Python threads run meanwhile. A thread that comes back while the interpreter ends must not unwind.
class WithoutInterpreter {
  public:
    WithoutInterpreter() : state_(PyEval_SaveThread()) {}
    ~WithoutInterpreter() {
        while (finalizing()) std::this_thread::sleep_for(std::chrono::hours(1));
        PyEval_RestoreThread(state_);
    }
    WithoutInterpreter(const WithoutInterpreter&) = delete;
    WithoutInterpreter& operator=(const WithoutInterpreter&) = delete;

  private:
    PyThreadState* const state_;
};

class Signals final : public Watch {
  public:
    bool given_up() override {
        const auto now = std::chrono::steady_clock::now();
        if (raised || now < next_) return raised;
        next_ = now + std::chrono::milliseconds(50);
        if (finalizing()) return false;
        const nb::gil_scoped_acquire gil;
        return raised = PyErr_CheckSignals() != 0;
    }

    bool raised = false;

  private:
    std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
};

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

double share_of(const nb::dict& dict, const char* name) {
    const double dropped = entry<double>(dict, name);
    if (!(dropped >= 0 && dropped < 65536)) refuse(std::string(name) + " is out of range");
    return dropped;
}

NoiseSpec noise_of(const nb::dict& dict) {
    return {share_of(dict, "dropped"), entry<double>(dict, "deviation"), entry<std::uint64_t>(dict, "dropout_block"),
            entry<std::uint64_t>(dict, "noise_block")};
}

void check_place(Index at, Index count, Index parameters, bool needed) {
    if (!needed && at == -1) return;
    if (at < 0 || count > parameters || at > parameters - count) refuse("a layer's parameters lie outside θ");
}

void check_layer(const LayerSpec& layer, Index inputs, Index parameters) {
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

LayerSpec layer_of(const nb::dict& dict) {
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
AugmentationSpec augmentation_of(const std::string& name, const std::vector<double>& numbers, const ShapeArgument& shape) {
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

RecipeSpec recipe_of(const nb::dict& dict, Index inputs, Index batch) {
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

Spec spec_of(Index inputs, const nb::dict& input, const std::vector<nb::dict>& layers, Index parameters, Index batch,
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

template <class T>
std::tuple<Index, Index, double, nb::object> run(Trainer<T>& trainer, const InOut& theta, const std::vector<InOut>& memory, const std::optional<InOut>& average, const In& X,
                                     const In& y, const std::optional<In>& weight, const std::optional<In>& order,
                                     Index batch, const In& learning_rates, const std::optional<In>& shares, Index t, std::uint64_t seed, std::uint64_t step,
                                     const InOut& losses, int threads) {
    const Spec& spec = trainer.spec();
    const Checked<T> rows(spec, X, y, weight);
    T* at = memory_of<T>(theta, "theta", {spec.parameters});
    const double* rates = memory_of<double>(learning_rates, "learning_rates", {-1});
    const Index steps = static_cast<Index>(learning_rates.shape(0));
    double* reported = memory_of<double>(losses, "losses", {steps});
    const double* mixed = shares ? memory_of<double>(*shares, "shares", {steps}) : nullptr;
    if (static_cast<int>(memory.size()) != RULE_MEMORIES[spec.rule]) refuse("the update rule has other arrays of memory");
    T* memories[3] = {};
    for (std::size_t k = 0; k < memory.size(); ++k) memories[k] = memory_of<T>(memory[k], "memory", {spec.parameters});
    T* follower = average ? memory_of<T>(*average, "average", {spec.parameters}) : nullptr;
    if (t < 0) refuse("t must not be negative");
    if (!order) batch = rows.data.rows;
    if (batch < 1 || batch > spec.batch) refuse("batches of this engine have 1 to " + std::to_string(spec.batch) + " rows");
    const Index* taken = nullptr;
    Index count = rows.data.rows;
    if (order) {
        taken = memory_of<std::int64_t>(*order, "order", {-1});
        count = static_cast<Index>(order->shape(0));
        if (panels(count, batch) != steps) refuse("order must hold one batch for every learning rate");
    }
    std::vector<Index> order_kept;  // Python may write to its array while the steps run
    if (taken) {
        order_kept.assign(taken, taken + count);
        taken = order_kept.data();
    }
    for (Index i = 0; i < count; ++i) rows.check_row(taken ? taken[i] : i, spec.layers.back().outputs);
    Signals signals;
    Outcome outcome;
    if (steps > 0) {
        const WithoutInterpreter free;
        outcome = trainer.run(rows.data, at, memories, follower, taken, count, batch, rates, mixed, steps, static_cast<double>(t), seed, step,
                              reported, threads, &signals);
    }
    // What a signal handler raised goes back as a value, so that the caller can count the steps first.
    nb::object raised = nb::none();
    if (signals.raised) raised = nb::borrow(nb::python_error().value());
    return {outcome.done, outcome.reported, outcome.norm, raised};
}

template <class T>
double value(Trainer<T>& trainer, const In& theta, const In& X, const In& y, const std::optional<In>& weight, int threads) {
    const Checked<T> rows(trainer.spec(), X, y, weight);
    if (trainer.spec().batch < 1) refuse("this plan only predicts");
    const T* at = memory_of<T>(theta, "theta", {trainer.spec().parameters});
    for (Index i = 0; i < rows.data.rows; ++i) rows.check_row(i, trainer.spec().layers.back().outputs);
    Signals signals;
    double loss;
    {
        const WithoutInterpreter free;
        loss = trainer.value(rows.data, at, threads, &signals);
    }
    if (signals.raised) throw nb::python_error();
    return loss;
}

template <class T>
void predict(Trainer<T>& trainer, const std::optional<In>& theta, const In& X, const std::string& link, const InOut& out,
             int threads) {
    if (trainer.spec().batch) refuse("this plan only trains");
    const T* weights = theta ? memory_of<T>(*theta, "theta", {trainer.spec().parameters}) : nullptr;
    const T* from = memory_of<T>(X, "X", {-1, trainer.spec().inputs});
    const Index rows = static_cast<Index>(X.shape(0));
    T* to = memory_of<T>(out, "out", {rows, trainer.spec().layers.back().outputs});
    const int kind = row_of(link, LINK_NAMES, "link");
    // Too short to let other Python threads in, but never wait for one that may be waiting for the interpreter.
    if (trainer.useful(2, rows, 1) == 1 && trainer.predict(weights, from, rows, kind, to, 1, nullptr, false)) return;
    Signals signals;
    {
        const WithoutInterpreter free;
        trainer.predict(weights, from, rows, kind, to, threads, &signals);
    }
    if (signals.raised) throw nb::python_error();
}

// A Trainer of either dtype.
class Plan {
  public:
    Plan(const std::string& dtype, const Spec& spec) {
        if (dtype == "float32") trainer_.emplace<std::unique_ptr<Trainer<float>>>(new Trainer<float>(spec));
        else if (dtype == "float64") trainer_.emplace<std::unique_ptr<Trainer<double>>>(new Trainer<double>(spec));
        else refuse("dtype must be float32 or float64");
    }

    template <class F> auto with(F f) {
        return std::visit([&](auto& trainer) { return f(*trainer); }, trainer_);
    }

  private:
    std::variant<std::unique_ptr<Trainer<float>>, std::unique_ptr<Trainer<double>>> trainer_;
};

template <class T> void evaluate(const InstructionSet& set, const std::string& name, const In& x, const InOut& y, double setting) {
    const T* from = memory_of<T>(x, "x", {-1});
    T* to = memory_of<T>(y, "y", {static_cast<Index>(x.shape(0))});
    if (!program_of<T>(set).evaluate(name.c_str(), from, to, static_cast<Index>(x.shape(0)), static_cast<T>(setting)))
        refuse("the core has no function " + name);
}

using StreamArgument = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t>;  // its name

// Rows of x, changed: row r with the random numbers of row first + r of the stream.
template <class T>
void augment(const InstructionSet& set, const AugmentationSpec& spec, const Stream& stream, Index first, const In& x,
             const InOut& out) {
    const T* from = memory_of<T>(x, "x", {-1, spec.inputs()});
    const Index rows = static_cast<Index>(x.shape(0));
    T* to = memory_of<T>(out, "out", {rows, spec.inputs()});
    if (first < 0 || first > LARGEST_IMAGE) refuse("first_row must be at least 0 and at most 2^24");
    std::vector<T> workspace(static_cast<std::size_t>(spec.workspace<T>()));
    for (Index r = 0; r < rows; ++r, from += spec.inputs(), to += spec.inputs())
        program_of<T>(set).augment(spec, stream, first + r, from, to, workspace.data());
}

template <std::size_t N> std::vector<std::string> list_of(const char* const (&names)[N]) {
    return {std::begin(names), std::end(names)};
}

}  // namespace

NB_MODULE(_core, m) {
    m.attr("ACTIVATIONS") = nb::cast(list_of(ACTIVATION_NAMES));
    m.attr("LOSSES") = nb::cast(list_of(LOSS_NAMES));
    m.attr("RULES") = nb::cast(list_of(RULE_NAMES));
    m.def("instruction_sets", [] {
        std::vector<std::string> names;
        for (const InstructionSet* set : instruction_sets()) names.emplace_back(set->name);
        return names;
    });
    m.def("evaluate", [](const std::string& set, const std::string& name, const In& x, const InOut& y, double setting) {
        if (x.dtype() == nb::dtype<float>()) evaluate<float>(*set_of(set), name, x, y, setting);
        else evaluate<double>(*set_of(set), name, x, y, setting);
    });
    m.attr("AUGMENTATIONS") = nb::cast(list_of(AUGMENTATION_NAMES));
    m.def("augment", [](const std::string& set, const std::string& name, const std::vector<double>& numbers,
                        const ShapeArgument& shape, const StreamArgument& stream, Index first, const In& x,
                        const InOut& out) {
        const AugmentationSpec spec = augmentation_of(name, numbers, shape);
        const auto& [seed, purpose, step, block] = stream;
        const Stream named{seed, purpose, step, block};
        if (x.dtype() == nb::dtype<float>()) augment<float>(*set_of(set), spec, named, first, x, out);
        else augment<double>(*set_of(set), spec, named, first, x, out);
    });
    nb::class_<Plan>(m, "Plan")
        .def("__init__",
             [](Plan* self, const std::string& dtype, Index inputs, const nb::dict& input, const std::vector<nb::dict>& layers,
                Index parameters, Index batch, const std::pair<std::string, double>& loss,
                const std::pair<std::string, std::vector<double>>& rule, const PenaltyArgument& weights,
                const PenaltyArgument& biases, const nb::dict& recipe, const std::string& set) {
                 new (self) Plan(dtype, spec_of(inputs, input, layers, parameters, batch, loss, rule, weights, biases, recipe, set));
             })
        .def("run",
             [](Plan& self, const InOut& theta, const std::vector<InOut>& memory, const std::optional<InOut>& average, const In& X, const In& y,
                const std::optional<In>& weight, const std::optional<In>& order, Index batch, const In& learning_rates,
                const std::optional<In>& shares, Index t, std::uint64_t seed, std::uint64_t step, const InOut& losses, int threads) {
                 return self.with([&](auto& trainer) {
                     return run(trainer, theta, memory, average, X, y, weight, order, batch, learning_rates, shares, t, seed, step, losses,
                                threads);
                 });
             },
             nb::arg("theta"), nb::arg("memory"), nb::arg("average").none(), nb::arg("X"), nb::arg("y"), nb::arg("weight").none(),
             nb::arg("order").none(), nb::arg("batch"), nb::arg("learning_rates"), nb::arg("shares").none(), nb::arg("t"), nb::arg("seed"),
             nb::arg("step"), nb::arg("losses"), nb::arg("threads"))
        .def("value",
             [](Plan& self, const In& theta, const In& X, const In& y, const std::optional<In>& weight, int threads) {
                 return self.with([&](auto& trainer) { return value(trainer, theta, X, y, weight, threads); });
             },
             nb::arg("theta"), nb::arg("X"), nb::arg("y"), nb::arg("weight").none(), nb::arg("threads"))
        .def("predict",
             [](Plan& self, const std::optional<In>& theta, const In& X, const std::string& link, const InOut& out, int threads) {
                 self.with([&](auto& trainer) { predict(trainer, theta, X, link, out, threads); });
             },
             nb::arg("theta").none(), nb::arg("X"), nb::arg("link"), nb::arg("out"), nb::arg("threads"));
}
