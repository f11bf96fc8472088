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

// Wait until `value` is no longer `old`: spin at first, sleep if it takes long. Return the nanoseconds asleep.
template <class N> std::int64_t wait_while(const std::atomic<N>& value, N old, int spins) {
    for (int i = 0; i < spins; ++i) {
        if (value.load(std::memory_order_acquire) != old) return 0;
        relax();
    }
    const auto started = std::chrono::steady_clock::now();
    while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
    return std::chrono::nanoseconds(std::chrono::steady_clock::now() - started).count();
}

// All `threads` threads arrive before any goes on.
class Barrier {
  public:
    Barrier(int threads, int spins) : threads_(threads), spins_(spins) {}

    void arrive() {
        if (threads_ == 1) return;
        const std::uint32_t phase = phase_.load(std::memory_order_relaxed);
        if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
            arrived_.store(0, std::memory_order_relaxed);
            phase_.store(phase + 1, std::memory_order_release);
            phase_.notify_all();
        } else if (const std::int64_t asleep = wait_while(phase_, phase, spins_)) {
            asleep_.fetch_add(asleep, std::memory_order_relaxed);
        }
    }

    // Seconds that a thread has slept on average, waiting for the last.
    double asleep() const { return 1e-9 * static_cast<double>(asleep_.load(std::memory_order_relaxed)) / (threads_ - 1); }

  private:
    const int threads_, spins_;
    alignas(64) std::atomic<int> arrived_{0};
    alignas(64) std::atomic<std::uint32_t> phase_{0};
    std::atomic<std::int64_t> asleep_{0};
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

    // After a run with others: the seconds that each has slept waiting, and that their help has saved.
    void judge(double asleep, double saved) {
        if (asleep <= saved) {
            pause_ = SHORTEST;
        } else {
            alone_ = pause_;
            pause_ = pause_ < LONGEST ? 2 * pause_ : LONGEST;
        }
    }

  private:
    static constexpr int SHORTEST = 1, LONGEST = 64;
    int alone_ = 0, pause_ = SHORTEST;
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
    int spins() const;  // how long to spin in a barrier: not at all where threads outnumber processors
    void run(Work& work);

  private:
    class Team* team_ = nullptr;
    int threads_ = 1;
};

}  // namespace chainrule
