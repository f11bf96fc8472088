#include "run/trainer.hpp"

#include <algorithm>
#include <iterator>

#include "formulas/rule_constants.hpp"
#include "run/stop.hpp"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace chainrule {

namespace {

constexpr double WORTH_A_THREAD = 4e5;  // multiplications of a step that pay for another thread's two barriers
constexpr double PER_SECOND = 5e10;     // multiplications of one thread: only its size matters
constexpr double SMALL_STEP = 3e-3;     // seconds; longer steps gain more from company than a scheduler takes

}  // namespace

FlushDenormals::FlushDenormals(bool on) {
#if defined(__x86_64__)
    before_ = _mm_getcsr();
    if (on) _mm_setcsr(static_cast<unsigned>(before_) | 0x8040);
#elif defined(__aarch64__)
    asm volatile("mrs %0, fpcr" : "=r"(before_));
    if (on) asm volatile("msr fpcr, %0" ::"r"(before_ | (1u << 24)));
#else
    before_ = on;
#endif
}

FlushDenormals::~FlushDenormals() {
#if defined(__x86_64__)
    _mm_setcsr(static_cast<unsigned>(before_));
#elif defined(__aarch64__)
    asm volatile("msr fpcr, %0" ::"r"(before_));
#endif
}

template <class T> Trainer<T>::Trainer(const Spec& spec) : spec_(spec), program_(program_of<T>(*spec.instructions)) {
    lay_out();
    norm_.resize(slots_);
    l1_.resize(slots_);
    l2_.resize(slots_);
}

template <class T> typename Trainer<T>::Range Trainer<T>::tiles_of(int thread, int threads) const {
    const auto border = [&](int k) {
        return std::lower_bound(cost_.begin(), cost_.end(), cost_.back() * k / threads) - cost_.begin();
    };
    return {border(thread), thread + 1 == threads ? tiles_ : border(thread + 1)};
}

template <class T> double Trainer<T>::work_of(Index rows, int passes) const {
    return static_cast<double>(rows) * static_cast<double>(products_) * passes;
}

template <class T> int Trainer<T>::useful(int threads, Index rows, int passes) const {
    return static_cast<int>(
        std::max(1.0, std::min({static_cast<double>(threads), work_of(rows, passes) / WORTH_A_THREAD + 1,
                                static_cast<double>(rows)})));
}

template <class T> Step<T> Trainer<T>::step_for(const Data<T>& data) {
    Step<T> step{};
    step.layers = static_cast<int>(layers_.size());
    step.layer = layers_.data();
    for (int l = 0; l < step.layers; ++l)
        if (layers_[l].norm == BATCH_NORM) step.back_to = l;
    copy_fields(spec_.input, step.input);
    step.X = data.X;
    step.weight = data.weight;
    step.stride = capacity_ * PANEL<T>;
    step.x = x_;
    step.row_loss = row_loss_.data();
    step.rule = spec_.rule;
    step.loss = {spec_.loss, static_cast<T>(spec_.loss_setting), data.target, data.classes};
    return step;
}

// The numbers of one batch: its total weight and the penalties' strengths.
template <class T> void Trainer<T>::begin(Step<T>& step, const Index* order, Index start, Index rows) const {
    step.order = order;
    step.start = start;
    step.rows = rows;
    double total = static_cast<double>(rows);
    if (step.weight) {
        total = 0;
        for (Index r = 0; r < rows; ++r) total += static_cast<double>(step.weight[order ? order[r] : start + r]);
    }
    total += total == 0;
    step.total = static_cast<T>(total);
    const auto strengths = [total](const PenaltySpec& p) {
        return Strengths<T>{static_cast<T>(p.l1 + p.l1_per_sample / total),
                            static_cast<T>(p.l2 + p.l2_per_sample / total),
                            static_cast<T>(p.shrink + p.shrink_per_sample / total)};
    };
    step.weights = strengths(spec_.weights);
    step.biases = strengths(spec_.biases);
}

template <class T> double Trainer<T>::loss_of(const Step<T>& step, double penalty) const {
    double loss = 0;
    for (Index r = 0; r < step.rows; ++r) {
        const double row = static_cast<double>(step.row_loss[r]);
        loss += step.weight ? row * static_cast<double>(step.weight[step.order ? step.order[r] : step.start + r]) : row;
    }
    return loss / static_cast<double>(step.total) + penalty;
}

template <class T> double Trainer<T>::penalty_of(const Step<T>& step) const {
    if (!step.l2) return 0;
    double sums[2][2] = {};
    for (Index s = 0; s < slots_; ++s) {
        sums[s >= tiles_][0] += l1_[s];  // scales and slopes keep 0
        sums[s >= tiles_][1] += l2_[s];
    }
    const auto value = [](const Strengths<T>& p, const double (&sum)[2]) {
        return (static_cast<double>(p.l1) + static_cast<double>(p.shrink)) * sum[0] +
               0.5 * static_cast<double>(p.l2) * sum[1];
    };
    return value(step.weights, sums[0]) + value(step.biases, sums[1]);
}

// What the threads do together: the steps of a training, or one value.
template <class T> struct Trainer<T>::Task {
    Step<T> step;
    Training<T> training;
    Watch* watch;
    bool learn;  // else: values only
    const std::vector<Phase>& phases;
};

template <class T> class Trainer<T>::Steps final : public Work {
  public:
    Steps(Trainer& trainer, const Lease& lease, const Task& task)
        : trainer_(trainer),
          task_(task),
          threads_(lease.threads()),
          start_(lease.threads(), lease.spin()),
          barrier_(lease.threads(), lease.spin()) {}

    Outcome outcome() const {
        Outcome outcome = outcome_;
        outcome.given_up = stop_.asked();
        return outcome;
    }

    double waited() const { return barrier_.waited(); }

    void run(int thread) override {
        const FlushDenormals flush(sizeof(T) == 4);
        const Range tiles = trainer_.tiles_of(thread, threads_);
        PhaseWatch phase(thread == 0 ? task_.watch : nullptr, stop_);
        Scratch<T>& scratch = trainer_.scratch_[thread];
        scratch.watch = &phase;
        Step<T> step = task_.step;
        trainer_.program_.prepare(step, tiles.first, tiles.last);
        start_.arrive();
        const Training<T>& given = task_.training;
        for (Index k = 0; k < given.steps; ++k) {
            const Index start = k * given.batch,
                        rows = given.order ? std::min(given.batch, given.order_rows - start) : given.batch;
            trainer_.begin(step, given.order ? given.order + start : nullptr, 0, rows);
            step.gathered = !given.order && k > 0 && rows <= trainer_.wave_ && !step.input.disturbs();
            if (task_.learn) set_rule(step, k);
            if (!one(step, k, thread, tiles, phase)) break;
            ++step.number;
        }
        scratch.watch = nullptr;
    }

  private:
    void set_rule(Step<T>& step, Index k) {
        const Spec& spec = trainer_.spec_;
        const Training<T>& given = task_.training;
        const double t = given.t + 1 + static_cast<double>(k);
        for (int kind = 0; kind < KINDS; ++kind) {
            const double rate = given.learning_rates[k] * spec.rates[kind];
            double constants[CONSTANTS];
            rule_constants(step.rule, spec.numbers.data(), rate, t, constants);
            for (int i = 0; i < CONSTANTS; ++i) step.constant[kind][i] = static_cast<T>(constants[i]);
            step.rate[kind] = static_cast<T>(rate);
        }
        step.share = static_cast<T>(std::max(spec.recipe.share, 1 / t));
        step.mix = given.shares ? static_cast<T>(given.shares[k]) : T(1);
        step.norm = step.defers() || k + 1 == given.steps ? trainer_.norm_.data() : nullptr;
    }

    // One step; false where training must not go on.
    bool one(Step<T>& step, Index k, int thread, Range tiles, PhaseWatch& phase) {
        const double penalty = trainer_.penalty_of(step);  // now: soon others write what it reads
        for (step.wave = 0; step.wave < step.rows; step.wave += step.wave_rows) {
            step.wave_rows = std::min(trainer_.wave_, step.rows - step.wave);
            for (const Phase& part : task_.phases) {
                take(step, part, thread);
                if (!meet(phase)) return false;
            }
            const bool final = step.wave + step.wave_rows == step.rows;
            if (final && !judge(step, penalty, k, thread)) return false;
            if (!task_.learn) continue;
            trainer_.program_.update(step, trainer_.scratch_[thread], tiles.first, tiles.last);
            if (!meet(phase)) return false;
            if (final) take_care(step, thread, tiles, phase);
        }
        if (thread == 0 && task_.learn) {
            outcome_.done = k + 1;
            if (step.norm) outcome_.norm = root_of_sum(trainer_.norm_);
        }
        return true;
    }

    // What needs the whole gradient, or θ after the update.
    void take_care(Step<T>& step, int thread, Range tiles, PhaseWatch& phase) {
        const Program<T>& program = trainer_.program_;
        const auto shorten = [&](bool gradient) {
            for (int l = 0; l < step.layers; ++l) {
                const Range range = trainer_.rows_of(panels(step.layer[l].outputs, PANEL<T>), thread, threads_);
                program.shorten(step, l, range.first, range.last, gradient);
            }
            meet(phase);
        };
        if (step.clip == CLIP_UNIT) shorten(true);
        if (step.clip == CLIP_NORM) {
            const double norm = root_of_sum(trainer_.norm_), limit = trainer_.spec_.recipe.limit;
            step.factor = static_cast<T>(norm > limit ? limit / norm : 1);
        }
        if (step.defers()) {
            program.move(step, tiles.first, tiles.last);
            meet(phase);
        }
        if (step.max_norm == 0) return;
        shorten(false);
        if (!step.l2) return;
        program.measure(step, tiles.first, tiles.last);
        meet(phase);
    }

    void take(const Step<T>& step, const Phase& part, int thread) {
        if (part.columns) {
            const Range range = trainer_.rows_of(panels(step.layer[part.from].outputs, PANEL<T>), thread, threads_);
            trainer_.program_.columns(step, part, range.first, range.last);
        } else {
            const Range range = trainer_.rows_of(step.wave_rows, thread, threads_);
            trainer_.program_.rows(step, trainer_.scratch_[thread], part, range.first, range.last, task_.learn);
        }
    }

    bool meet(PhaseWatch& phase) {
        barrier_.arrive();
        return !stop_.by(phase.phase++);
    }

    // Whether the batch's loss allows the update; every thread finds the same.
    bool judge(const Step<T>& step, double penalty, Index k, int thread) {
        const double loss = trainer_.loss_of(step, penalty);
        if (thread == 0) {
            task_.training.losses[k] = loss;
            outcome_.reported = k + 1;
        }
        return std::isfinite(loss);
    }

    static double root_of_sum(const std::vector<double>& squares) {
        double total = 0;
        for (const double s : squares) total += s;
        return std::sqrt(total);
    }

    Trainer& trainer_;
    const Task& task_;
    const int threads_;
    Outcome outcome_;
    Stop stop_;
    Barrier start_;  // apart: who waits here waits for a thread to wake up
    Barrier barrier_;
};

template <class T> Outcome Trainer<T>::run(const Training<T>& training, int threads, Watch* watch) {
    const Turn turn(turns_);
    row_loss_.resize(std::max<std::size_t>(row_loss_.size(), training.batch));
    Lease lease(company_.threads(useful(threads, training.batch, 3)));
    make_scratch(lease.threads());
    Step<T> step = step_for(training.data);
    step.theta = training.theta;
    step.training = true;
    step.clip = spec_.recipe.clip;
    step.limit = static_cast<T>(spec_.recipe.limit);
    step.factor = 1;
    step.max_norm = static_cast<T>(spec_.recipe.max_norm);
    step.augmentation = spec_.recipe.augmentations.data();
    step.augmentations = static_cast<int>(spec_.recipe.augmentations.size());
    step.mixes = training.shares;
    step.average = training.average;
    step.care = step.clip || step.average || spec_.weights.shrinks() || spec_.biases.shrinks();
    step.seed = training.seed;
    step.number = training.number;
    std::copy(std::begin(training.memory), std::end(training.memory), step.memory);
    if (spec_.weights.any() || spec_.biases.any()) step.l1 = l1_.data(), step.l2 = l2_.data();
    const Task task{step, training, watch, true, learning_};
    Steps work(*this, lease, task);
    lease.run(work);
    judge(work.waited(), work_of(training.batch, 3), training.steps, lease.threads());
    return work.outcome();
}

// Look back on work of `products` multiplications, done so many times: whether company has paid.
template <class T> void Trainer<T>::judge(double waited, double products, Index times, int threads) {
    const double alone = products / PER_SECOND;  // seconds
    if (threads > 1 && alone < SMALL_STEP) company_.judge(waited, alone * static_cast<double>(times), threads);
}

template <class T> double Trainer<T>::value(const Data<T>& data, const T* theta, int threads, Watch* watch) {
    const Turn turn(turns_);
    row_loss_.resize(std::max<std::size_t>(row_loss_.size(), data.rows));
    Lease lease(useful(threads, data.rows, 1));
    make_scratch(lease.threads());
    Step<T> step = step_for(data);
    step.theta = const_cast<T*>(theta);
    if (spec_.weights.any() || spec_.biases.any()) step.l1 = l1_.data(), step.l2 = l2_.data();
    double loss = std::numeric_limits<double>::quiet_NaN();
    const std::vector<Phase> phases{{false, false, 0, step.layers}};
    Training<T> once{};
    once.batch = data.rows;
    once.steps = 1;
    once.losses = &loss;
    const Task task{step, once, watch, false, phases};
    Steps work(*this, lease, task);
    lease.run(work);
    return work.outcome().given_up ? std::numeric_limits<double>::quiet_NaN() : loss;
}

template <class T> class Trainer<T>::Rows final : public Work {
  public:
    Rows(Trainer& trainer, const Lease& lease, const Data<T>& data, Link link, T* out, Watch* watch)
        : trainer_(trainer),
          step_(trainer.step_for(data)),
          rows_(data.rows),
          threads_(lease.threads()),
          link_(link),
          out_(out),
          watch_(watch) {}

    void run(int thread) override {
        const FlushDenormals flush(sizeof(T) == 4);
        const Range part = trainer_.rows_of(rows_, thread, threads_);
        PhaseWatch phase(thread == 0 ? watch_ : nullptr, stop_);
        Scratch<T>& scratch = trainer_.scratch_[thread];
        scratch.watch = &phase;
        trainer_.program_.predict(step_, scratch, part.first, part.last, link_, out_);
        scratch.watch = nullptr;
    }

  private:
    Trainer& trainer_;
    const Step<T> step_;
    const Index rows_;
    const int threads_;
    const Link link_;
    T* const out_;
    Watch* const watch_;
    Stop stop_;
};

template <class T>
bool Trainer<T>::predict(const T* theta, const T* X, Index rows, Link link, T* out, int threads, Watch* watch,
                         bool wait) {
    const Turn turn(turns_, wait);
    if (!turn.taken) return false;
    if (theta) {
        Step<T> step = step_for({});
        step.theta = const_cast<T*>(theta);
        program_.prepare(step, 0, tiles_);
    }
    Lease lease(useful(threads, rows, 1));
    make_scratch(lease.threads());
    Rows work(*this, lease, {X, rows, nullptr, nullptr, nullptr}, link, out, watch);
    lease.run(work);
    return true;
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace chainrule
