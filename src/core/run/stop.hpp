// How the threads of one piece of work learn that it was given up.
#pragma once

#include <atomic>
#include <limits>

#include "step/plan.hpp"

namespace chainrule {

// What thread 0 asks, and how the others learn of it: they give up only at the barrier of the phase it named.
class Stop {
  public:
    void at(Index phase) { phase_.store(phase, std::memory_order_release); }
    bool by(Index phase) const { return phase_.load(std::memory_order_acquire) <= phase; }
    bool asked() const { return by(std::numeric_limits<Index>::max() - 1); }

  private:
    std::atomic<Index> phase_{std::numeric_limits<Index>::max()};
};

class PhaseWatch final : public Watch {
  public:
    PhaseWatch(Watch* asked, Stop& stop) : asked_(asked), stop_(stop) {}

    bool given_up() override {
        if (asked_ && !stop_.by(phase) && asked_->given_up()) stop_.at(phase);
        return stop_.by(phase);
    }

    Index phase = 0;

  private:
    Watch* asked_;
    Stop& stop_;
};

}  // namespace chainrule
