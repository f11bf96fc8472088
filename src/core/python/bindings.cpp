// What Python sees of the core.
#include <chrono>
#include <iterator>
#include <variant>

#include "python/arguments.hpp"
#include "run/matrices.hpp"

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

// What the second derivatives are asked with: θ and rows that fit a plan which knows them.
template <class T> struct Asked {
    Checked<T> rows;
    const T* theta;

    Asked(const Trainer<T>& trainer, const In& theta_given, const In& X, const In& y, const std::optional<In>& weight)
        : rows(trainer.spec(), X, y, weight), theta(memory_of<T>(theta_given, "theta", {trainer.spec().parameters})) {
        if (trainer.spec().batch < 1) refuse("this plan only predicts");
        for (const LayerSpec& layer : trainer.spec().layers)
            if (layer.norm || layer.slopes != ABSENT)
                refuse("the core has no second derivatives of a normalisation or a slope that is learnt");
        for (Index i = 0; i < rows.data.rows; ++i) rows.check_row(i, trainer.spec().layers.back().outputs);
    }
};

// Run `work` with a watch, and let go of Python meanwhile.
template <class F> void watched(F work) {
    Signals signals;
    {
        const WithoutInterpreter free;
        work(&signals);
    }
    if (signals.raised) throw nb::python_error();
}

template <class T>
void product(Trainer<T>& trainer, Product kind, const In& theta, const In& v, const In& X, const In& y,
             const std::optional<In>& weight, const InOut& out, int threads) {
    const Asked<T> asked(trainer, theta, X, y, weight);
    const Index parameters = trainer.spec().parameters;
    Curve<T> curve{kind, nullptr, nullptr, nullptr, memory_of<T>(out, "out", {parameters})};
    if (kind == Product::PULL)
        curve.dscores = memory_of<T>(v, "dscores", {asked.rows.data.rows, trainer.spec().layers.back().outputs});
    else curve.v = memory_of<T>(v, "v", {parameters});
    watched([&](Watch* watch) { trainer.product(asked.rows.data, asked.theta, curve, threads, watch); });
}

// The rows of the Jacobian of the scores.
template <class T>
void jacobian(Trainer<T>& trainer, const In& theta, const In& X, const In& y, const std::optional<In>& weight,
              const InOut& out, int threads) {
    const Asked<T> asked(trainer, theta, X, y, weight);
    JacobianRows<T> to{};
    to.plain = memory_of<T>(out, "out",
                            {asked.rows.data.rows, trainer.spec().layers.back().outputs, trainer.spec().parameters});
    watched(
        [&](Watch* watch) { trainer.jacobian(asked.rows.data, asked.theta, to, nullptr, nullptr, threads, watch); });
}

// The Gauss-Newton matrix or its root, dL/dθ, both without penalties, and the objective.
template <class T>
double gauss_newton(Trainer<T>& trainer, const In& theta, const In& X, const In& y, const std::optional<In>& weight,
                    const InOut& gradient, const InOut& out, bool root, int threads) {
    const Asked<T> asked(trainer, theta, X, y, weight);
    const Index rows = asked.rows.data.rows * trainer.spec().layers.back().outputs, P = trainer.spec().parameters;
    double* to = memory_of<double>(out, "out", {root ? rows : P, P});
    T* slope = memory_of<T>(gradient, "gradient", {P});
    JacobianRows<T> kept{};
    kept.rooted = true;
    if (root) kept.matrix = to;
    double value = 0;
    watched([&](Watch* watch) {
        value = trainer.jacobian(asked.rows.data, asked.theta, kept, root ? nullptr : to, slope, threads, watch);
    });
    return value;
}

bool solve_symmetric(const std::string& set, const In& A, const std::optional<In>& diagonal, const In& b,
                     const InOut& x, int threads) {
    const double* right = memory_of<double>(b, "b", {-1});
    const Index n = static_cast<Index>(b.shape(0));
    const Symmetric given{memory_of<double>(A, "A", {n, n}),
                          diagonal ? memory_of<double>(*diagonal, "diagonal", {n}) : nullptr, n};
    double* to = memory_of<double>(x, "x", {n});
    const InstructionSet* chosen = set_of(set);
    const WithoutInterpreter free;
    return chainrule::solve(*chosen, given, right, to, threads);
}

void gram_matrix(const std::string& set, const In& R, const InOut& out, int threads) {
    const double* from = memory_of<double>(R, "R", {-1, -1});
    const Index rows = static_cast<Index>(R.shape(0)), n = static_cast<Index>(R.shape(1));
    double* to = memory_of<double>(out, "out", {n, n});
    const InstructionSet* chosen = set_of(set);
    const WithoutInterpreter free;
    chainrule::gram(*chosen, from, rows, n, to, threads);
}

constexpr std::pair<const char*, Product> PRODUCTS[] = {
    {"hessian_product", Product::HESSIAN},
    {"gauss_newton_product", Product::GAUSS_NEWTON},
    {"pull", Product::PULL},
};

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
    m.def("solve", &solve_symmetric, nb::arg("set"), nb::arg("A"), nb::arg("diagonal").none(), nb::arg("b"),
          nb::arg("x"), nb::arg("threads"));
    m.def("gram", &gram_matrix, nb::arg("set"), nb::arg("R"), nb::arg("out"), nb::arg("threads"));
    nb::class_<Plan> plan(m, "Plan");
    for (const auto& [name, kind] : PRODUCTS)
        plan.def(
            name,
            [kind = kind](Plan& self, const In& theta, const In& v, const In& X, const In& y,
                          const std::optional<In>& weight, const InOut& out, int threads) {
                self.with([&](auto& trainer) { product(trainer, kind, theta, v, X, y, weight, out, threads); });
            },
            nb::arg("theta"), nb::arg(kind == Product::PULL ? "dscores" : "v"), nb::arg("X"), nb::arg("y"),
            nb::arg("weight").none(), nb::arg("out"), nb::arg("threads"));
    plan.def(
        "jacobian",
        [](Plan& self, const In& theta, const In& X, const In& y, const std::optional<In>& weight, const InOut& out,
           int threads) { self.with([&](auto& trainer) { jacobian(trainer, theta, X, y, weight, out, threads); }); },
        nb::arg("theta"), nb::arg("X"), nb::arg("y"), nb::arg("weight").none(), nb::arg("out"), nb::arg("threads"));
    plan.def(
        "gauss_newton",
        [](Plan& self, const In& theta, const In& X, const In& y, const std::optional<In>& weight,
           const InOut& gradient, const InOut& out, bool root, int threads) {
            return self.with([&](auto& trainer) {
                return gauss_newton(trainer, theta, X, y, weight, gradient, out, root, threads);
            });
        },
        nb::arg("theta"), nb::arg("X"), nb::arg("y"), nb::arg("weight").none(), nb::arg("gradient"), nb::arg("out"),
        nb::arg("root"), nb::arg("threads"));
    plan.def("__init__",
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
