// The update rules, row for row those of optimizers/ (rules.py, modern.py).
#pragma once

#include "vector/simd.hpp"

namespace chainrule::CHAINRULE_SET {

// 1, -1 or 0; 0 for NaN as well.
template <class V> INLINE V sign_or_zero(V w) {
    return select(w > 0, all<V>(1), select(w < 0, all<V>(-1), zero<V>()));
}

// A rule: θ after the update; m is its memory, of which it keeps the first `kept`; c its constants (rules.cpp).
#define RULE(NAME, KEPT, ...)                                                                                      \
    struct NAME {                                                                                                  \
        static constexpr int kept = KEPT;                                                                          \
        template <class V>                                                                                         \
        static INLINE V move(V theta, V g, [[maybe_unused]] V (&m)[3], [[maybe_unused]] const typename V::Lane* c) { \
            __VA_ARGS__                                                                                            \
        }                                                                                                          \
    };

RULE(PlainDescent, 0, return theta - c[0] * g;)
RULE(HeavyBall, 1, m[0] = fma(m[0], c[1], c[0] * g); return theta - m[0];)
RULE(LookAhead, 1, const V step = c[0] * g; m[0] = fma(m[0], c[1], step); return theta - fma(m[0], c[1], step);)
RULE(SquareSum, 1, m[0] = fma(g, g, m[0]); return theta - c[0] * g / (square_root(m[0]) + c[1]);)
RULE(DeltaMean, 2, m[0] = fma(m[0], c[1], c[2] * g * g);
     const V delta = g * square_root(m[1] + c[3]) / square_root(m[0] + c[3]);
     m[1] = fma(m[1], c[1], c[2] * delta * delta); return theta - c[0] * delta;)
RULE(SquareMean, 1, m[0] = fma(m[0], c[1], c[2] * g * g); return theta - c[0] * g / (square_root(m[0]) + c[3]);)
RULE(Moments, 2, m[0] = fma(m[0], c[1], c[2] * g); m[1] = fma(m[1], c[3], c[4] * g * g);
     return theta - c[0] * m[0] / fma(square_root(m[1]), c[5], c[6]);)
RULE(DecayedMoments, 2, return Moments::move(theta, g, m, c) - c[7] * m[2] * theta;)
RULE(MomentsAhead, 2, m[0] = fma(m[0], c[1], c[2] * g); m[1] = fma(m[1], c[3], c[4] * g * g);
     return theta - fma(m[0], c[0], c[7] * g) / fma(square_root(m[1]), c[5], c[6]);)
RULE(LargestMoments, 3, m[0] = fma(m[0], c[1], c[2] * g); m[1] = fma(m[1], c[3], c[4] * g * g);
     m[2] = maximum(m[2], m[1]); return theta - c[0] * m[0] / fma(square_root(m[2]), c[5], c[6]);)
RULE(Signs, 1, const V step = c[0] * sign_or_zero(fma(m[0], c[1], c[2] * g)); m[0] = fma(m[0], c[3], c[4] * g);
     return theta - step - c[5] * m[1] * theta;)
RULE(Resilient, 2, const V agreement = g * m[0]; const auto turned = agreement < 0;
     V size = select(agreement > 0, m[1] * c[2], select(turned, m[1] * c[1], m[1]));
     size = select(m[1] == 0, all<V>(c[0]), size);
     m[1] = minimum(maximum(size, all<V>(c[3])), all<V>(c[4])); m[0] = select(turned, zero<V>(), g);
     return theta - m[1] * sign_or_zero(m[0]);)
RULE(Record, 1, m[0] = g; return theta;)
#undef RULE

}  // namespace chainrule::CHAINRULE_SET
