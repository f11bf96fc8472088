// A team of threads, created once and kept: it spins briefly for the next piece of work, then sleeps.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

namespace chainrule {

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

using Clock = std::chrono::steady_clock;
using Nanoseconds = std::chrono::nanoseconds;

// Wait until `value` is no longer `old`: spin at first, sleep if it takes longer. Return the time it took.
template <class N> Nanoseconds wait_while(const std::atomic<N>& value, N old, Nanoseconds spin) {
    const auto started = Clock::now();
    do {
        for (int i = 0; i < 50; ++i) {
            if (value.load(std::memory_order_acquire) != old) return Clock::now() - started;
            relax();
        }
    } while (Clock::now() - started < spin);
    while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
    return Clock::now() - started;
}

// All `threads` threads arrive before any goes on.
class Barrier {
  public:
    Barrier(int threads, Nanoseconds spin) : threads_(threads), spin_(spin) {}

    void arrive() {
        if (threads_ == 1) return;
        const std::uint32_t phase = phase_.load(std::memory_order_relaxed);
        if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
            arrived_.store(0, std::memory_order_relaxed);
            phase_.store(phase + 1, std::memory_order_release);
            phase_.notify_all();
        } else {
            waited_.fetch_add(wait_while(phase_, phase, spin_).count(), std::memory_order_relaxed);
        }
    }

    // Seconds that a thread has waited for the last, on average.
    double waited() const {
        return 1e-9 * static_cast<double>(waited_.load(std::memory_order_relaxed)) / (threads_ - 1);
    }

  private:
    const int threads_;
    const Nanoseconds spin_;
    alignas(64) std::atomic<int> arrived_{0};
    alignas(64) std::atomic<std::uint32_t> phase_{0};
    std::atomic<std::int64_t> waited_{0};
};

// Whether company pays. On a busy machine a thread may lose its processor for milliseconds, and all others wait for it:
// small steps then go faster alone. After each bad run the next `pause` runs are done alone, then it is tried again.
class Company {
  public:
    int threads(int wanted) {
        if (wanted == 1 || alone_ == 0) return wanted;
        --alone_;
        return 1;
    }

    // After a run with others: the seconds that each has waited, and that the run would have taken alone.
    void judge(double waited, double alone, int threads) {
        if (waited <= alone * (1 - 1.0 / threads)) {
            pause_ = 1;
        } else {
            alone_ = pause_;
            if (pause_ * alone < LONGEST) pause_ *= 2;
        }
    }

  private:
    static constexpr double LONGEST = 0.05;  // seconds alone
    int alone_ = 0, pause_ = 1;
};

// One caller at a time. A caller that comes back on its own thread (from a signal handler) is refused, since it would
// wait for itself; a place that was held when the process forked is free in the child.
class Turns {
  public:
    // False where somebody else has the turn and the caller does not wait.
    bool take(bool wait);
    void give_back();

  private:
    std::atomic<std::uint64_t> holder_{0};
};

class Turn {
  public:
    explicit Turn(Turns& turns, bool wait = true) : turns_(turns), taken(turns.take(wait)) {}
    ~Turn() {
        if (taken) turns_.give_back();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

  private:
    Turns& turns_;

  public:
    const bool taken;
};

class Work {
  public:
    virtual void run(int thread) = 0;

  protected:
    ~Work() = default;
};

// The process's team, for one caller at a time. The caller is thread 0 of the threads it leases.
class Lease {
  public:
    explicit Lease(int wanted);  // fewer threads than wanted (one) while somebody else has the team
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    int threads() const { return threads_; }
    Nanoseconds spin() const;  // how long in a barrier: not at all where threads outnumber processors
    void run(Work& work);

  private:
    class Team* team_ = nullptr;
    int threads_ = 1;
};

}  // namespace chainrule
