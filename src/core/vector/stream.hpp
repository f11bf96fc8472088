// The name of a random stream.
#pragma once

#include <cstdint>

namespace chainrule {

// The four numbers of randomness.py.
struct Stream {
    std::uint64_t seed, purpose, step, block;
};

}  // namespace chainrule
