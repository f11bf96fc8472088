// The activation functions, row for row those of activations.py: y = f(x), f'(x, y), f''(x, y); `a` is the row's setting.
#pragma once

#include "formulas/tables.hpp"
#include "vector/math.hpp"

namespace chainrule::CHAINRULE_SET {

#define FUNCTION(NAME, F, DF, D2F)                                                                             \
    struct NAME {                                                                                              \
        template <class V> static INLINE V f(V x, [[maybe_unused]] typename V::Lane a) { return F; }           \
        template <class V>                                                                                     \
        static INLINE V df([[maybe_unused]] V x, [[maybe_unused]] V y, [[maybe_unused]] typename V::Lane a) {  \
            using T [[maybe_unused]] = typename V::Lane;                                                       \
            return DF;                                                                                         \
        }                                                                                                      \
        template <class V>                                                                                     \
        static INLINE V d2f([[maybe_unused]] V x, [[maybe_unused]] V y, [[maybe_unused]] typename V::Lane a) { \
            using T [[maybe_unused]] = typename V::Lane;                                                       \
            return D2F;                                                                                        \
        }                                                                                                      \
    };

template <class V> INLINE V where(Integers<V> mask, typename V::Lane yes, typename V::Lane no) {
    return select(mask, all<V>(yes), all<V>(no));
}

template <class V> INLINE V normal_density(V x) {
    using T = typename V::Lane;
    return exp(x * x * T(-0.5)) * T(0.3989422804014326779);
}

template <class V> INLINE V elu(V x, typename V::Lane alpha) {
    return select(x > 0, x, expm1(minimum(x, zero<V>())) * alpha);
}

// 1 / (1 + x²)
template <class V> INLINE V lorentzian(V x) { return typename V::Lane(1) / fma(x, x, typename V::Lane(1)); }

// t = tanh(log(1 + e^x)) and t', with e^x = s / r put in: nothing overflows or cancels.
template <class V> struct MishParts {
    V t, dt;
    INLINE explicit MishParts(V x) {
        using T = typename V::Lane;
        const V s = sigmoid(x), r = sigmoid(-x), q = fma(r, r, T(1));
        t = s * (T(1) + r) / q;
        dt = T(4) * r * r * s / (q * q);
    }
};

// clang-format off: a row is one formula
FUNCTION(Identity, x, all<V>(1), zero<V>())
FUNCTION(HeavisideStep, where<V>(x >= 0, 1, 0), zero<V>(), zero<V>())
FUNCTION(Sign, where<V>(x >= 0, 1, -1), zero<V>(), zero<V>())
FUNCTION(Sigmoid, sigmoid(x), y * (T(1) - y), y * (T(1) - y) * (T(1) - T(2) * y))
FUNCTION(Tanh, tanh(x), T(1) - y * y, T(-2) * y * (T(1) - y * y))
FUNCTION(AlgebraicSigmoid, x / square_root(fma(x, x, typename V::Lane(1))), lorentzian(x) * square_root(lorentzian(x)),
         T(-3) * x * lorentzian(x) * lorentzian(x) * square_root(lorentzian(x)))
FUNCTION(Arctan, arctan(x), lorentzian(x), T(-2) * x * lorentzian(x) * lorentzian(x))
FUNCTION(Relu, maximum(zero<V>(), x), where<V>(x > 0, 1, 0), zero<V>())
FUNCTION(LeakyRelu, select(x > 0, x, x * a), where<V>(x > 0, 1, a), zero<V>())
FUNCTION(Elu, elu(x, a), select(x > 0, all<V>(1), y + a), select(x > 0, zero<V>(), y + a))
FUNCTION(Selu, elu(x, typename V::Lane(1.6732632423543772)) * typename V::Lane(1.0507009873554805),
         select(x > 0, all<V>(T(1.0507009873554805)), y + T(1.0507009873554805 * 1.6732632423543772)),
         select(x > 0, zero<V>(), y + T(1.0507009873554805 * 1.6732632423543772)))
FUNCTION(Softplus, softplus(x), sigmoid(x), sigmoid(x) * sigmoid(-x))
FUNCTION(Gelu, x * normal_cdf(x), fma(x, normal_density(x), normal_cdf(x)), (T(2) - x * x) * normal_density(x))
FUNCTION(Silu, x * sigmoid(x), sigmoid(x) * fma(x, sigmoid(-x), T(1)),
         sigmoid(x) * sigmoid(-x) * fma(x, sigmoid(-x) - sigmoid(x), T(2)))
FUNCTION(Mish, x * MishParts<V>(x).t, fma(x, MishParts<V>(x).dt, MishParts<V>(x).t),
         MishParts<V>(x).dt * fma(x, sigmoid(-x) - T(2) * MishParts<V>(x).t * sigmoid(x), T(2)))
// clang-format on
#undef FUNCTION

// y = f(z + b), and d = f'(z + b) where it is asked for, on one panel in place of z.
template <class F, class T> void activate(T* y, T* d, const T* bias, T setting, std::int64_t rows, int vectors) {
    constexpr int lanes = LANES<T>;
    for (int v = 0; v < vectors; ++v) {
        const Vector<T> b = load<Vector<T>>(bias + v * lanes);
        for (std::int64_t at = v * lanes; at < rows * 2 * lanes; at += 2 * lanes) {
            const Vector<T> x = load<Vector<T>>(y + at) + b, value = F::f(x, setting);
            store(y + at, value);
            if (d) store(d + at, F::df(x, value, setting));
        }
    }
}

template <class T> using Activate = void (*)(T*, T*, const T*, T, std::int64_t, int);

#define ROW(name, Type) activate<Type, T>,
template <class T> constexpr Activate<T> ACTIVATE[] = {CHAINRULE_ACTIVATIONS(ROW)};
#undef ROW

// y = f(z + b) and d = f'(z + b) in place of z, and along a direction: dy = f' (dz + db) in place of dz, and where it is
// asked for, bent = f'' (dz + db), the change of f'. One panel.
template <class F, class T>
void activate_along(T* y, T* d, T* dy, T* bent, const T* bias, const T* dbias, T setting, std::int64_t rows,
                    int vectors) {
    constexpr int lanes = LANES<T>;
    for (int v = 0; v < vectors; ++v) {
        const Vector<T> b = load<Vector<T>>(bias + v * lanes), db = load<Vector<T>>(dbias + v * lanes);
        for (std::int64_t at = v * lanes; at < rows * 2 * lanes; at += 2 * lanes) {
            const Vector<T> x = load<Vector<T>>(y + at) + b, dx = load<Vector<T>>(dy + at) + db;
            const Vector<T> value = F::f(x, setting), slope = F::df(x, value, setting);
            store(y + at, value);
            if (d) store(d + at, slope);
            store(dy + at, slope * dx);
            if (bent) store(bent + at, F::d2f(x, value, setting) * dx);
        }
    }
}

template <class T> using ActivateAlong = void (*)(T*, T*, T*, T*, const T*, const T*, T, std::int64_t, int);

#define ROW(name, Type) activate_along<Type, T>,
template <class T> constexpr ActivateAlong<T> ACTIVATE_ALONG[] = {CHAINRULE_ACTIVATIONS(ROW)};
#undef ROW

}  // namespace chainrule::CHAINRULE_SET
