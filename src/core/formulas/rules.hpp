// The update rules, row for row those of optimizers/ (rules.py, modern.py).
#pragma once

#include "formulas/rule_constants.hpp"
#include "formulas/tables.hpp"
#include "vector/simd.hpp"

namespace chainrule::CHAINRULE_SET {

// 1, -1 or 0; 0 for NaN as well.
template <class V> INLINE V sign_or_zero(V w) { return select(w > 0, all<V>(1), select(w < 0, all<V>(-1), zero<V>())); }

// A rule: θ after the update; m is its memory in the order of its row in tables.hpp, of which it keeps the first
// `kept`; c its constants (rule_constants.hpp).
#define RULE(NAME, KEPT, ...)                                                           \
    struct NAME {                                                                       \
        static constexpr int kept = KEPT;                                               \
        template <class V>                                                              \
        static INLINE V move(V theta, V g, [[maybe_unused]] V (&m)[MOST_MEMORIES],      \
                             [[maybe_unused]] const typename V::Lane (&c)[CONSTANTS]) { \
            __VA_ARGS__                                                                 \
        }                                                                               \
    };

// clang-format off: a row is one formula
RULE(SGD, 0, return theta - c[RATE] * g;)
RULE(Momentum, 1, V& delta = m[0]; delta = fma(delta, c[KEEP], c[RATE] * g); return theta - delta;)
RULE(Nesterov, 1, V& delta = m[0]; const V step = c[RATE] * g; delta = fma(delta, c[KEEP], step);
     return theta - fma(delta, c[KEEP], step);)
RULE(AdaGrad, 1, V& square_sum = m[0]; square_sum = fma(g, g, square_sum);
     return theta - c[RATE] * g / (square_root(square_sum) + c[EPSILON]);)
RULE(AdaDelta, 2, V& square_mean = m[0]; V& delta_mean = m[1];
     square_mean = fma(square_mean, c[KEEP_SQUARE], c[TAKE_SQUARE] * g * g);
     const V delta = g * square_root(delta_mean + c[EPSILON]) / square_root(square_mean + c[EPSILON]);
     delta_mean = fma(delta_mean, c[KEEP_SQUARE], c[TAKE_SQUARE] * delta * delta); return theta - c[RATE] * delta;)
RULE(RMSProp, 1, V& square_mean = m[0]; square_mean = fma(square_mean, c[KEEP_SQUARE], c[TAKE_SQUARE] * g * g);
     return theta - c[RATE] * g / (square_root(square_mean) + c[EPSILON]);)

// The two means of Adam and its kin, moved towards g and g².
template <class V> INLINE void move_means(V g, V& mean, V& square_mean, const typename V::Lane (&c)[CONSTANTS]) {
    mean = fma(mean, c[KEEP], c[TAKE] * g);
    square_mean = fma(square_mean, c[KEEP_SQUARE], c[TAKE_SQUARE] * g * g);
}

RULE(Adam, 2, V& mean = m[0]; V& square_mean = m[1]; move_means(g, mean, square_mean, c);
     return theta - c[RATE] * mean / fma(square_root(square_mean), c[ROOT], c[EPSILON]);)
RULE(AdamW, 2, const V& decayed = m[2]; return Adam::move(theta, g, m, c) - c[DECAY] * decayed * theta;)
RULE(NAdam, 2, V& mean = m[0]; V& square_mean = m[1]; move_means(g, mean, square_mean, c);
     return theta - fma(mean, c[RATE], c[AHEAD] * g) / fma(square_root(square_mean), c[ROOT], c[EPSILON]);)
RULE(AMSGrad, 3, V& mean = m[0]; V& square_mean = m[1]; V& largest = m[2]; move_means(g, mean, square_mean, c);
     largest = maximum(largest, square_mean);
     return theta - c[RATE] * mean / fma(square_root(largest), c[ROOT], c[EPSILON]);)
using RAdam = Adam;  // other constants
RULE(Lion, 1, V& mean = m[0]; const V& decayed = m[1];
     const V step = c[RATE] * sign_or_zero(fma(mean, c[KEEP], c[TAKE] * g));
     mean = fma(mean, c[KEEP_NEXT], c[TAKE_NEXT] * g); return theta - step - c[DECAY] * decayed * theta;)
RULE(Rprop, 2, V& before = m[0]; V& step_size = m[1]; const V agreement = g * before; const auto turned = agreement < 0;
     V size = select(agreement > 0, step_size * c[GROW], select(turned, step_size * c[SHRINK], step_size));
     size = select(step_size == 0, all<V>(c[RATE]), size);
     step_size = minimum(maximum(size, all<V>(c[SMALLEST])), all<V>(c[LARGEST]));
     before = select(turned, zero<V>(), g); return theta - step_size * sign_or_zero(before);)
RULE(Gradient, 1, m[0] = g; return theta;)
// clang-format on
#undef RULE

}  // namespace chainrule::CHAINRULE_SET
