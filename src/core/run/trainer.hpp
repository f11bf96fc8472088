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

#include "run/specs.hpp"
#include "run/team.hpp"
#include "step/plan.hpp"

namespace chainrule {

inline Index round_up(Index n, Index to) { return (n + to - 1) / to * to; }

// Rows to learn from; target or classes is null.
template <class T> struct Data {
    const T* X;
    Index rows;
    const T* target;
    const std::int64_t* classes;
    const T* weight;
};

// The steps of one call of `run`.
template <class T> struct Training {
    Data<T> data;
    T* theta;                  // moved in place, and with it
    T* memory[MOST_MEMORIES];  // of the rule
    T* average;                // follows θ, or null
    const Index* order;        // the rows of all batches, one batch after the other; null: all rows in every step
    Index order_rows, batch;   // how many those are, and how many a batch takes
    Index steps;
    const double* learning_rates;  // of each step
    const double* shares;          // how rows are mixed in each step, or null
    double* losses;                // written, of each step
    double t;                      // updates before
    std::uint64_t seed, number;    // of the random streams: `number` is the first step's
};

struct Outcome {
    Index done = 0;      // steps whose update was made
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

    // One update per learning rate. Stops before the update of a batch whose loss is not finite, and between steps when
    // the watch gives up.
    Outcome run(const Training<T>& training, int threads, Watch* watch);

    // The objective on all rows: NaN where the watch gives up.
    double value(const Data<T>& data, const T* theta, int threads, Watch* watch);

    // What the network makes of X; θ null keeps the weights of the call before. False, and nothing is done, where
    // another thread is at work and the caller does not wait.
    bool predict(const T* theta, const T* X, Index rows, Link link, T* out, int threads, Watch* watch,
                 bool wait = true);

    // A product of second derivatives, or a pull, on all rows as at prediction: `out` of the curve. False where the
    // watch gives up.
    bool product(const Data<T>& data, const T* theta, const Curve<T>& curve, int threads, Watch* watch);

    // The rows of the Jacobian, to the arrays in C order that are not null; where `matrix` (P, P) is not null, the sum
    // of their products Rᵀ R instead. Where they are rooted, dL/dθ without penalties comes to `gradient`, and the
    // objective is returned: NaN where the watch gives up, and where nothing is rooted.
    double jacobian(const Data<T>& data, const T* theta, JacobianRows<T> to, double* matrix, T* gradient, int threads,
                    Watch* watch);

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
    class Curves;

    Range rows_of(Index rows, int thread, int threads) const {
        return {rows * thread / threads, rows * (thread + 1) / threads};
    }
    Range tiles_of(int thread, int threads) const;
    void lay_out();
    void lay_out(const LayerSpec& spec, Index inputs, Index stride);
    void plan_phases();
    void make_scratch(int threads);
    void lay_out_along();
    void judge(double waited, double products, Index times, int threads);
    Step<T> step_for(const Data<T>& data);
    void begin(Step<T>& step, const Index* order, Index start, Index rows) const;
    double loss_of(const Step<T>& step, double penalty) const;
    double penalty_of(const Step<T>& step) const;

    Spec spec_;
    const Program<T>& program_;
    std::vector<Layer<T>> layers_;
    std::vector<Along<T>> along_;  // of each layer, from the first product on
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
