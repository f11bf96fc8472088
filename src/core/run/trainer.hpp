// A network lowered to the core, with its workspace, and the loop over training steps.
#pragma once

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "run/instruction_sets.hpp"
#include "run/team.hpp"
#include "step/plan.hpp"

namespace chainrule {

inline Index round_up(Index n, Index to) { return (n + to - 1) / to * to; }

struct NoiseSpec {
    double dropped = 0, deviation = 0;
    std::uint64_t dropout_block = 0, noise_block = 0;
};

template <class T> Noise<T> noise_of(const NoiseSpec& s) {
    return {static_cast<T>(s.dropped), static_cast<T>(s.deviation), s.dropout_block, s.noise_block};
}

struct LayerSpec {
    Index outputs, weights;
    Index units[UNIT_PARAMETERS];  // where b, γ, β and the slopes begin in θ, or -1
    int activation;
    double setting;
    int live;
    bool shared_slope;
    double lowest, highest;
    std::uint64_t live_block;
    Normalization norm;
    double epsilon, momentum;
    Index mean, variance;
    NoiseSpec noise;
    double disconnected;
    std::uint64_t connect_block;
};

// λ₁ and λ₂ on one kind of parameter: given as they are, and divided by the batch's total weight.
struct PenaltySpec {
    double l1, l2, shrink, l1_per_sample, l2_per_sample, shrink_per_sample;
    bool any() const { return l1 || l2 || shrink || l1_per_sample || l2_per_sample || shrink_per_sample; }
    bool shrinks() const { return shrink || shrink_per_sample; }
};

// What a step does beside its rule; see recipe.py.
struct RecipeSpec {
    Clip clip;
    double limit, max_norm;
    double rates[KINDS];
    double share;  // of the way to θ that its average goes in each step, at least
    Index part;    // rows that a batch normalisation sees at a time
    std::vector<AugmentationSpec> augmentations;
};

struct Spec {
    Index inputs;
    NoiseSpec input;
    std::vector<LayerSpec> layers;
    Index parameters;
    Index batch;  // the most rows of one step; 0 for prediction only
    int loss;
    double loss_setting;
    int rule;
    std::vector<double> rule_settings;
    PenaltySpec weights, biases;
    RecipeSpec recipe;
    const InstructionSet* set;
};

// Rows to learn from; target or classes is null.
template <class T> struct Data {
    const T* X;
    Index rows;
    const T* target;
    const std::int64_t* classes;
    const T* weight;
};

struct Outcome {
    Index done = 0;  // steps whose update was made
    Index reported = 0;  // losses written: one more than done where the last is not finite
    double norm = std::numeric_limits<double>::quiet_NaN();
    bool given_up = false;
};

// Denormal numbers are taken as zero while float32 steps run: processors handle them many times slower.
class FlushDenormals {
  public:
    explicit FlushDenormals(bool on);
    ~FlushDenormals();

  private:
    std::uint64_t before_;
};

// Zeroed memory on cache-line boundaries.
template <class T> class Buffer {
  public:
    Buffer() = default;
    explicit Buffer(std::size_t count) {
        const std::size_t bytes = (count * sizeof(T) + 63) / 64 * 64 + 64;
        if (count > std::numeric_limits<std::size_t>::max() / 16) throw std::bad_alloc();
        memory_.reset(static_cast<T*>(::operator new(bytes, std::align_val_t{64})));
        std::memset(memory_.get(), 0, bytes);
    }
    T* get() const { return memory_.get(); }

  private:
    struct Free {
        void operator()(T* p) const { ::operator delete(p, std::align_val_t{64}); }
    };
    std::unique_ptr<T, Free> memory_;
};

template <class T> class Trainer {
  public:
    explicit Trainer(const Spec& spec);

    const Spec& spec() const { return spec_; }

    // One update per learning rate, in place in θ and its memory; order null takes all rows in every step. Stops before
    // the update of a batch whose loss is not finite, and between steps when the watch gives up. The random streams are
    // those of `seed` and of the steps from `number` on. `average` follows θ, where it is not null; `shares`, if not
    // null, says how rows are mixed in each step.
    Outcome run(const Data<T>& data, T* theta, T* const* memory, T* average, const Index* order, Index order_rows, Index batch,
                const double* learning_rates, const double* shares, Index steps, double t, std::uint64_t seed,
                std::uint64_t number, double* losses, int threads, Watch* watch);

    // The objective on all rows: NaN where the watch gives up.
    double value(const Data<T>& data, const T* theta, int threads, Watch* watch);

    // What the network makes of X; θ null keeps the weights of the call before. False, and nothing is done, where
    // another thread is at work and the caller does not wait.
    bool predict(const T* theta, const T* X, Index rows, int link, T* out, int threads, Watch* watch, bool wait = true);

    // Threads that pay for themselves on this much work.
    int useful(int threads, Index rows, int passes) const;
    double work_of(Index rows, int passes) const;  // multiplications

  private:
    struct Range {
        Index first, last;
    };
    struct Task;
    class Steps;
    class Rows;

    Range rows_of(Index rows, int thread, int threads) const {
        return {rows * thread / threads, rows * (thread + 1) / threads};
    }
    Range tiles_of(int thread, int threads) const;
    void lay_out();
    void lay_out(const LayerSpec& s, Index inputs, Index stride);
    void plan_phases();
    void make_scratch(int threads);
    Step<T> step_for(const Data<T>& data);
    void begin(Step<T>& step, const Index* order, Index start, Index rows) const;
    double loss_of(const Step<T>& step, double penalty) const;
    double penalty_of(const Step<T>& step) const;

    Spec spec_;
    const Program<T>& program_;
    std::vector<Layer<T>> layers_;
    std::vector<Phase> learning_;  // the phases of a step
    bool whole_ = false;           // a batch normalisation needs all rows at once
    Index tiles_ = 0, slots_ = 0, capacity_ = 0, wave_ = 0, products_ = 0, widest_tile_ = 0;
    std::vector<Index> cost_;  // of the tiles before each
    std::vector<Buffer<T>> buffers_;
    T* x_ = nullptr;
    std::vector<T> row_loss_;
    std::vector<double> norm_, l1_, l2_;
    std::vector<Scratch<T>> scratch_;
    Company company_;
    Turns turns_;
};

extern template class Trainer<float>;
extern template class Trainer<double>;

}  // namespace chainrule
