// What Python sees of the core.
#include <chrono>
#include <iterator>
#include <variant>

#include "python/arguments.hpp"

using namespace chainrule;

namespace {

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

// Looks for Ctrl-C, at most once in 50 ms: Python's signal handlers run in here.
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

template <class T> std::tuple<Index, Index, double, nb::object> run(Trainer<T>& trainer, const Steps& given) {
    const CheckedSteps<T> steps(trainer.spec(), given);
    Signals signals;
    Outcome outcome;
    if (steps.training.steps > 0) {
        const WithoutInterpreter free;
        outcome = trainer.run(steps.training, given.threads, &signals);
    }
    // What a signal handler raised goes back as a value, so that the caller can count the steps first.
    nb::object raised = nb::none();
    if (signals.raised) raised = nb::borrow(nb::python_error().value());
    return {outcome.done, outcome.reported, outcome.norm, raised};
}

template <class T>
double value(Trainer<T>& trainer, const In& theta, const In& X, const In& y, const std::optional<In>& weight,
             int threads) {
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
void predict(Trainer<T>& trainer, const std::optional<In>& theta, const In& X, const std::string& link,
             const InOut& out, int threads) {
    if (trainer.spec().batch) refuse("this plan only trains");
    const T* weights = theta ? memory_of<T>(*theta, "theta", {trainer.spec().parameters}) : nullptr;
    const T* from = memory_of<T>(X, "X", {-1, trainer.spec().inputs});
    const Index rows = static_cast<Index>(X.shape(0));
    T* to = memory_of<T>(out, "out", {rows, trainer.spec().layers.back().outputs});
    const Link kind = row_named<Link>(link);
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
    explicit Plan(const Spec& spec) {
        if (spec.dtype == "float32") trainer_.emplace<std::unique_ptr<Trainer<float>>>(new Trainer<float>(spec));
        else if (spec.dtype == "float64") trainer_.emplace<std::unique_ptr<Trainer<double>>>(new Trainer<double>(spec));
        else refuse("dtype must be float32 or float64");
    }

    template <class F> auto with(F f) {
        return std::visit([&](auto& trainer) { return f(*trainer); }, trainer_);
    }

  private:
    std::variant<std::unique_ptr<Trainer<float>>, std::unique_ptr<Trainer<double>>> trainer_;
};

template <class T>
void evaluate(const InstructionSet& set, const std::string& name, const In& x, const InOut& y, double setting) {
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

template <int N> nb::tuple tuple_of(const char* const (&names)[N]) {
    return nb::tuple(nb::cast(std::vector<std::string>(names, names + count_of(names))));
}

// A struct of fields as a class of Python, made by keywords; FIELDS are their names.
template <class S> void bind_fields(nb::module_& m, const char* name) {
    std::vector<std::string> names;
    S fields{};
    each_field(fields, [&](const char* field, auto&, bool) { names.emplace_back(field); });
    nb::class_<S> bound(m, name);
    bound.def("__init__", [name](S* self, const nb::kwargs& given) { new (self) S(fields_of<S>(given, name)); });
    bound.attr("FIELDS") = nb::tuple(nb::cast(names));
}

}  // namespace

NB_MODULE(_core, m) {
    m.attr("ACTIVATIONS") = nb::cast(list_of(ACTIVATION_NAMES));
    m.attr("LOSSES") = nb::cast(list_of(LOSS_NAMES));
    nb::dict rules;
    for (const RuleRow& row : RULES) {
        nb::dict names;
        names["memory"] = tuple_of(row.memory);
        names["settings"] = tuple_of(row.settings);
        rules[row.name] = names;
    }
    m.attr("RULES") = rules;
    bind_fields<NoiseSpec>(m, "Noise");
    bind_fields<LayerSpec>(m, "Layer");
    bind_fields<PenaltySpec>(m, "Penalty");
    bind_fields<RecipeSpec>(m, "Recipe");
    bind_fields<Steps>(m, "Steps");
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
    m.def("augment",
          [](const std::string& set, const std::string& name, const std::vector<double>& numbers,
             const ShapeArgument& shape, const StreamArgument& stream, Index first, const In& x, const InOut& out) {
              const AugmentationSpec spec = augmentation_of(name, numbers, shape);
              const auto& [seed, purpose, step, block] = stream;
              const Stream named{seed, purpose, step, block};
              if (x.dtype() == nb::dtype<float>()) augment<float>(*set_of(set), spec, named, first, x, out);
              else augment<double>(*set_of(set), spec, named, first, x, out);
          });
    nb::class_<Plan>(m, "Plan")
        .def("__init__",
             [](Plan* self, const nb::kwargs& given) { new (self) Plan(checked(fields_of<Spec>(given, "Plan"))); })
        .def(
            "run",
            [](Plan& self, const Steps& steps) {
                return self.with([&](auto& trainer) { return run(trainer, steps); });
            },
            nb::arg("steps"))
        .def(
            "value",
            [](Plan& self, const In& theta, const In& X, const In& y, const std::optional<In>& weight, int threads) {
                return self.with([&](auto& trainer) { return value(trainer, theta, X, y, weight, threads); });
            },
            nb::arg("theta"), nb::arg("X"), nb::arg("y"), nb::arg("weight").none(), nb::arg("threads"))
        .def(
            "predict",
            [](Plan& self, const std::optional<In>& theta, const In& X, const std::string& link, const InOut& out,
               int threads) { self.with([&](auto& trainer) { predict(trainer, theta, X, link, out, threads); }); },
            nb::arg("theta").none(), nb::arg("X"), nb::arg("link"), nb::arg("out"), nb::arg("threads"));
}
