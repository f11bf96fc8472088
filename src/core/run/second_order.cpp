// Products with second derivatives and the rows of the Jacobian: wave after wave, first its rows, then the tiles.
#include <algorithm>

#include "run/matrices.hpp"
#include "run/stop.hpp"
#include "run/trainer.hpp"

namespace chainrule {

template <class T> void Trainer<T>::lay_out_along() {
    const Index side = PANEL<T>, stride = capacity_ * side;
    const auto take = [this](Index count) { return buffers_.emplace_back(static_cast<std::size_t>(count)).get(); };
    for (const Layer<T>& layer : layers_) {
        const Index across = panels(layer.outputs, side), down = panels(layer.inputs, side);
        Along<T> along{};
        along.packed = take((across * layer.inputs + side) * side);
        if (!along_.empty()) along.transposed = take(down * layer.outputs * side);
        along.bias = take(across * side);
        along.y = take(across * stride);
        along.d = take(across * stride);
        if (layer.sloped) along.bent = take(across * stride);
        along_.push_back(along);
    }
}

// What the threads do together: one product, or the rows of one Jacobian and the sum of their products.
template <class T> class Trainer<T>::Curves final : public Work {
  public:
    Curves(Trainer& trainer, const Lease& lease, const Data<T>& data, const T* theta, const Curve<T>& curve,
           Watch* watch)
        : trainer_(trainer),
          step_(trainer.step_for(data)),
          curve_(curve),
          watch_(watch),
          most_(trainer.wave_),
          threads_(lease.threads()),
          barrier_(lease.threads(), lease.spin()) {
        step_.theta = const_cast<T*>(theta);
        if (trainer.spec_.weights.any() || trainer.spec_.biases.any())
            step_.l1 = trainer.l1_.data(), step_.l2 = trainer.l2_.data();
        trainer.begin(step_, nullptr, 0, data.rows);
        curve_.along = trainer.along_.data();
    }

    // Form the rows of the Jacobian; a piece of at most `most` rows at a time, where the tiles sum their products.
    void form(const JacobianRows<T>& to, Index most, Index count, double* tiles) {
        to_ = to;
        forms_ = true;
        if (tiles) most_ = most, count_ = count, tiles_ = tiles;
        row_.resize(static_cast<std::size_t>(threads_ * round_up(to.parameters, SIDE)));
    }

    bool given_up() const { return stop_.asked(); }
    double waited() const { return barrier_.waited(); }
    double value() const { return trainer_.loss_of(step_, trainer_.penalty_of(step_)); }

    void run(int thread) override {
        const FlushDenormals flush(sizeof(T) == 4);
        const SecondOrder<T>& program = second_order_of<T>(*trainer_.spec_.instructions);
        const Range tiles = trainer_.tiles_of(thread, threads_);
        PhaseWatch phase(thread == 0 ? watch_ : nullptr, stop_);
        Scratch<T>& scratch = trainer_.scratch_[thread];
        scratch.watch = &phase;
        Step<T> step = step_;
        program.prepare(step, curve_, tiles.first, tiles.last);
        bool going = meet(phase);
        for (step.wave = 0; going && step.wave < step.rows; step.wave += step.wave_rows) {
            step.wave_rows = std::min(most_, step.rows - step.wave);
            const Range rows = trainer_.rows_of(step.wave_rows, thread, threads_);
            if (forms_) program.jacobian(step, curve_, scratch, rows_for(thread), rows.first, rows.last);
            else program.rows(step, curve_, scratch, rows.first, rows.last);
            if (!(going = meet(phase)) || (forms_ && !to_.rooted)) continue;
            if (tiles_) add(step, thread);
            program.tiles(step, curve_, scratch, tiles.first, tiles.last);
            going = meet(phase);
        }
        scratch.watch = nullptr;
    }

  private:
    JacobianRows<T> rows_for(int thread) {
        JacobianRows<T> to = to_;
        to.row = row_.data() + thread * round_up(to.parameters, SIDE);
        return to;
    }

    void add(const Step<T>& step, int thread) const {
        const Range range = trainer_.rows_of(count_, thread, threads_);
        trainer_.spec_.instructions->matrices.add_products(to_.panels, to_.stride,
                                                           step.wave_rows * step.layer[step.layers - 1].outputs, tiles_,
                                                           range.first, range.last, step.wave > 0);
    }

    bool meet(PhaseWatch& phase) {
        barrier_.arrive();
        return !stop_.by(phase.phase++);
    }

    Trainer& trainer_;
    Step<T> step_;
    Curve<T> curve_;
    Watch* const watch_;
    Index most_, count_ = 0;
    const int threads_;
    JacobianRows<T> to_{};
    bool forms_ = false;
    double* tiles_ = nullptr;
    std::vector<double> row_;
    Stop stop_;
    Barrier barrier_;
};

template <class T>
bool Trainer<T>::product(const Data<T>& data, const T* theta, const Curve<T>& curve, int threads, Watch* watch) {
    const Turn turn(turns_);
    const int passes = curve.product == Product::HESSIAN ? 8 : curve.product == Product::GAUSS_NEWTON ? 5 : 3;
    if (along_.empty()) lay_out_along();
    Lease lease(company_.threads(useful(threads, data.rows, passes)));
    make_scratch(lease.threads());
    Curves work(*this, lease, data, theta, curve, watch);
    lease.run(work);
    judge(work.waited(), work_of(data.rows, passes), 1, lease.threads());
    return !work.given_up();
}

template <class T>
double Trainer<T>::jacobian(const Data<T>& data, const T* theta, JacobianRows<T> to, double* matrix, T* gradient,
                            int threads, Watch* watch) {
    const Turn turn(turns_);
    const Index outputs = layers_.back().outputs, P = spec_.parameters, across = panels(P, SIDE);
    const int passes = static_cast<int>(std::min<Index>(3 * outputs + (matrix ? P / 16 * outputs : 0), 1 << 20));
    if (along_.empty()) lay_out_along();
    row_loss_.resize(std::max<std::size_t>(row_loss_.size(), data.rows));
    Lease lease(company_.threads(useful(threads, data.rows, passes)));
    make_scratch(lease.threads());
    const Index most = std::clamp<Index>(DEPTH / outputs, 1, wave_), count = across * (across + 1) / 2;
    Buffer<double> rows, tiles;
    to.parameters = P;
    if (matrix) {
        to.stride = std::min(most, data.rows) * outputs * SIDE;
        rows = Buffer<double>(static_cast<std::size_t>(across * to.stride));
        tiles = Buffer<double>(static_cast<std::size_t>(count * SIDE * SIDE));
        to.panels = rows.get();
    }
    Curves work(*this, lease, data, theta, {Product::PULL, nullptr, nullptr, nullptr, gradient}, watch);
    work.form(to, most, count, tiles.get());
    lease.run(work);
    judge(work.waited(), work_of(data.rows, passes), 1, lease.threads());
    if (work.given_up() || !to.rooted) return std::numeric_limits<double>::quiet_NaN();
    if (matrix) unpack(tiles.get(), P, matrix);
    return work.value();
}

#define INSTANTIATE(T)                                                                         \
    template void Trainer<T>::lay_out_along();                                                 \
    template bool Trainer<T>::product(const Data<T>&, const T*, const Curve<T>&, int, Watch*); \
    template double Trainer<T>::jacobian(const Data<T>&, const T*, JacobianRows<T>, double*, T*, int, Watch*);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace chainrule
