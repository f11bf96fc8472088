#include "run/matrices.hpp"

#include <algorithm>

#include "run/trainer.hpp"

namespace chainrule {

namespace {

constexpr double WORTH_A_THREAD = 4e6;  // multiplications that pay for another thread and its barriers

int useful(int threads, double products) {
    return static_cast<int>(std::max(1.0, std::min(static_cast<double>(threads), products / WORTH_A_THREAD)));
}

// U with A = Uᵀ U, group by group.
class Factors final : public Work {
  public:
    Factors(const Matrices& program, const Symmetric& given, double* U, const Lease& lease)
        : program_(program),
          given_(given),
          U_(U),
          threads_(lease.threads()),
          scratch_(static_cast<std::size_t>(threads_ * GROUP * GROUP * SIDE * SIDE)),
          barrier_(lease.threads(), lease.spin()) {}

    bool positive() const { return positive_; }

    void run(int thread) override {
        const Index count = panels(given_.n, SIDE);
        double* scratch = scratch_.data() + thread * GROUP * GROUP * SIDE * SIDE;
        for (Index group = 0; group < count; group += GROUP) {
            program_.reduce(given_, U_, group, group + thread, threads_, scratch);
            barrier_.arrive();
            if (thread == 0) positive_ = program_.factorize(U_, given_.n, group);
            barrier_.arrive();
            if (!positive_) return;
            program_.finish(U_, given_.n, group, group + GROUP + thread, threads_);
            barrier_.arrive();
        }
    }

  private:
    const Matrices& program_;
    const Symmetric& given_;
    double* const U_;
    const int threads_;
    bool positive_ = true;  // written by thread 0 between two barriers
    std::vector<double> scratch_;
    Barrier barrier_;
};

// The tiles of Rᵀ R, DEPTH rows at a time.
class Products final : public Work {
  public:
    Products(const Matrices& program, const double* R, Index rows, Index n, double* tiles, const Lease& lease)
        : program_(program),
          R_(R),
          rows_(rows),
          n_(n),
          across_(panels(n, SIDE)),
          tiles_(tiles),
          threads_(lease.threads()),
          panels_(static_cast<std::size_t>(across_ * DEPTH * SIDE)),
          barrier_(lease.threads(), lease.spin()) {}

    void run(int thread) override {
        const Index count = across_ * (across_ + 1) / 2;
        for (Index row = 0; row < rows_; row += DEPTH) {
            const Index some = std::min<Index>(DEPTH, rows_ - row), first = some * thread / threads_,
                        last = some * (thread + 1) / threads_;
            program_.pack(R_ + row * n_, n_, first, last, panels_.get() + first * SIDE, DEPTH * SIDE);
            barrier_.arrive();
            program_.add_products(panels_.get(), DEPTH * SIDE, some, tiles_, count * thread / threads_,
                                  count * (thread + 1) / threads_, row > 0);
            barrier_.arrive();
        }
    }

  private:
    const Matrices& program_;
    const double* const R_;
    const Index rows_, n_, across_;
    double* const tiles_;
    const int threads_;
    const Buffer<double> panels_;
    Barrier barrier_;
};

}  // namespace

void unpack(const double* tiles, Index n, double* out) {
    for (Index j = 0; j * SIDE < n; ++j)
        for (Index i = 0; i <= j; ++i, tiles += SIDE * SIDE)
            for (Index r = 0; r < std::min<Index>(SIDE, n - i * SIDE); ++r)
                for (Index c = i == j ? r : 0; c < std::min<Index>(SIDE, n - j * SIDE); ++c) {
                    const Index row = i * SIDE + r, column = j * SIDE + c;
                    out[row * n + column] = out[column * n + row] = tiles[r * SIDE + c];
                }
}

bool solve(const InstructionSet& set, const Symmetric& given, const double* b, double* x, int threads) {
    const Index n = given.n, count = panels(n, SIDE);
    const double size = static_cast<double>(n);
    const Buffer<double> U(static_cast<std::size_t>(panel_at(count))), padded(static_cast<std::size_t>(count * SIDE));
    Lease lease(useful(threads, size * size * size / 6));
    Factors work(set.matrices, given, U.get(), lease);
    lease.run(work);
    if (!work.positive()) return false;
    set.matrices.solve(U.get(), n, b, padded.get());
    std::copy_n(padded.get(), n, x);
    return true;
}

void gram(const InstructionSet& set, const double* R, Index rows, Index n, double* out, int threads) {
    const Index across = panels(n, SIDE), count = across * (across + 1) / 2;
    const Buffer<double> tiles(static_cast<std::size_t>(count * SIDE * SIDE));
    Lease lease(useful(threads, static_cast<double>(rows) * static_cast<double>(n) * static_cast<double>(n) / 2));
    Products work(set.matrices, R, rows, n, tiles.get(), lease);
    lease.run(work);
    unpack(tiles.get(), n, out);
}

}  // namespace chainrule
