// A team of threads, created once and kept: it spins briefly for the next piece of work, then sleeps.
#pragma once

#include <atomic>
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

// Wait until `value` is no longer `old`: spin at first, sleep if it takes long.
template <class N> void wait_while(const std::atomic<N>& value, N old, int spins) {
    for (int i = 0; i < spins; ++i) {
        if (value.load(std::memory_order_acquire) != old) return;
        relax();
    }
    while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
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
        } else {
            wait_while(phase_, phase, spins_);
        }
    }

  private:
    const int threads_, spins_;
    alignas(64) std::atomic<int> arrived_{0};
    alignas(64) std::atomic<std::uint32_t> phase_{0};
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
