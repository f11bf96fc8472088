#include "run/team.hpp"

#include <new>
#include <stdexcept>

#ifdef _WIN32
#include <process.h>
#define getpid _getpid
#else
#include <unistd.h>
#endif

namespace chainrule {

namespace {
constexpr int MOST = 256;
constexpr Nanoseconds NO_SPIN(0), SPIN(1'000'000);  // waking a thread up can take most of a millisecond

// Where threads outnumber the processors, who waits must not keep another from working. Asked once: it may read a file.
bool crowded(int threads) {
    static const int processors = static_cast<int>(std::thread::hardware_concurrency());
    return threads > processors;
}

}  // namespace

bool Turns::take(bool wait) {
    static std::atomic<std::uint32_t> threads{0};
    static thread_local const std::uint32_t thread = ++threads;
    const std::uint64_t process = static_cast<std::uint64_t>(getpid()), me = process << 32 | thread;
    for (std::uint64_t holder = 0; !holder_.compare_exchange_strong(holder, me, std::memory_order_acquire);
         holder = 0) {
        if (holder == me)
            throw std::runtime_error("this model is at work in this very thread: a signal handler cannot use it");
        if (holder >> 32 != process) {  // its thread did not survive the fork
            if (holder_.compare_exchange_strong(holder, me, std::memory_order_acquire)) return true;
        } else if (!wait) {
            return false;
        } else {
            holder_.wait(holder, std::memory_order_acquire);
        }
    }
    return true;
}

void Turns::give_back() {
    holder_.store(0, std::memory_order_release);
    holder_.notify_one();
}

class Team {
  public:
    static Team* of_this_process();

    bool take() { return !taken_.exchange(true, std::memory_order_acquire); }
    void give_back() { taken_.store(false, std::memory_order_release); }

    // Start threads until there are `wanted` with the caller; return how many there are.
    int grow(int wanted) {
        try {
            for (; size_ < wanted && size_ < MOST; ++size_)
                std::thread([this, index = size_.load(), seen = turn_.load()] { serve(index, seen); }).detach();
        } catch (const std::exception&) {  // no more threads to be had: fewer will do
        }
        return size_ < wanted ? size_.load() : wanted;
    }

    void run(Work& work, int threads) {
        work_ = &work;
        threads_ = threads;
        left_.store(size_ - 1, std::memory_order_relaxed);
        turn_.fetch_add(1, std::memory_order_release);
        turn_.notify_all();
        work.run(0);
        for (int left; (left = left_.load(std::memory_order_acquire)) > 0;)
            wait_while(left_, left, crowded(size_) ? NO_SPIN : SPIN);
    }

  private:
    void serve(int index, std::uint32_t seen) {
        for (;; ++seen) {
            wait_while(turn_, seen, crowded(size_) ? NO_SPIN : SPIN);
            if (index < threads_) work_->run(index);
            if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) left_.notify_all();
        }
    }

    std::atomic<bool> taken_{false};
    std::atomic<int> size_{1};
    Work* work_ = nullptr;
    int threads_ = 1;
    alignas(64) std::atomic<std::uint32_t> turn_{0};
    alignas(64) std::atomic<int> left_{0};
    const int process_ = static_cast<int>(getpid());
};

// A fork keeps the team's memory but none of its threads: the child makes itself a new one. Teams are never freed,
// because detached threads may still look at theirs while the process ends.
Team* Team::of_this_process() {
    static std::atomic<Team*> current{nullptr};
    Team* team = current.load(std::memory_order_acquire);
    while (!team || team->process_ != static_cast<int>(getpid())) {
        Team* fresh = new Team;
        if (current.compare_exchange_strong(team, fresh, std::memory_order_acq_rel)) return fresh;
        delete fresh;
    }
    return team;
}

Lease::Lease(int wanted) {
    if (wanted <= 1) return;
    Team* team = Team::of_this_process();
    if (!team->take()) return;
    team_ = team;
    threads_ = team->grow(wanted);
}

Lease::~Lease() {
    if (team_) team_->give_back();
}

Nanoseconds Lease::spin() const { return crowded(threads_) ? NO_SPIN : SPIN; }

void Lease::run(Work& work) {
    if (threads_ > 1) team_->run(work, threads_);
    else work.run(0);
}

}  // namespace chainrule
