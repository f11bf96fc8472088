// A virtual vector of 64 bytes on every instruction set: 16 floats or 8 doubles.
//
// Every kernel is written once over Vector<T>. A set with narrower registers splits it in halves, so the lanes, the
// order of every sum and therefore the bits are the same wherever fused multiply-add exists. This header is compiled
// once per instruction set, each time into a namespace of its own (CHAINRULE_SET): nothing here may leak into another
// set's objects, so it uses no standard templates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#endif

#define INLINE inline __attribute__((always_inline))
#define LAMBDA __attribute__((always_inline))

namespace chainrule::CHAINRULE_SET {

#if defined(__AVX512F__)
constexpr std::size_t REGISTER_BYTES = 64;
#elif defined(__AVX2__)
constexpr std::size_t REGISTER_BYTES = 32;
#else
constexpr std::size_t REGISTER_BYTES = 16;
#endif

constexpr std::size_t VECTOR_BYTES = 64;

template <class T> constexpr int LANES = static_cast<int>(VECTOR_BYTES / sizeof(T));

template <class T, int N> struct Register {
    typedef T type __attribute__((vector_size(N * sizeof(T))));
    typedef T unaligned __attribute__((vector_size(N * sizeof(T)), aligned(sizeof(T)), may_alias));
};

// N lanes of T: one register, or two halves.
template <class T, int N = LANES<T>, bool whole = (N * sizeof(T) <= REGISTER_BYTES)> struct Vector;

template <class T, int N> struct Vector<T, N, true> {
    using Lane = T;
    static constexpr int lanes = N;
    typename Register<T, N>::type v;
};

template <class T, int N> struct Vector<T, N, false> {
    using Lane = T;
    static constexpr int lanes = N;
    Vector<T, N / 2> lo, hi;
};

template <class V> constexpr bool is_register = sizeof(V) <= REGISTER_BYTES;

template <class T> struct IntegerOf;
template <> struct IntegerOf<float> {
    using type = std::int32_t;
};
template <> struct IntegerOf<double> {
    using type = std::int64_t;
};
template <> struct IntegerOf<std::int32_t> {
    using type = std::int32_t;
};
template <> struct IntegerOf<std::int64_t> {
    using type = std::int64_t;
};

// Integers of the same width, lane by lane: bit patterns, exponents, and masks (0 or -1).
template <class V> using Integers = Vector<typename IntegerOf<typename V::Lane>::type, V::lanes>;

// Apply f register by register; Out is what f gives.
template <class Out, class F, class V, class... More> INLINE Out map(F f, V a, More... more) {
    Out out;
    if constexpr (is_register<V>) {
        out.v = f(a.v, more.v...);
    } else {
        using Half = decltype(out.lo);
        out.lo = map<Half>(f, a.lo, more.lo...);
        out.hi = map<Half>(f, a.hi, more.hi...);
    }
    return out;
}

// Broadcast one number to every lane.
template <class V> INLINE V all(typename V::Lane x) {
    V out;
    if constexpr (is_register<V>) {
#if defined(__AVX512F__)
        if constexpr (sizeof(V) == 64 && __is_same(typename V::Lane, float)) {
            out.v = (decltype(out.v))_mm512_set1_ps(x);
            return out;
        } else if constexpr (sizeof(V) == 64 && __is_same(typename V::Lane, double)) {
            out.v = (decltype(out.v))_mm512_set1_pd(x);
            return out;
        }
#elif defined(__AVX2__)
        if constexpr (sizeof(V) == 32 && __is_same(typename V::Lane, float)) {
            out.v = (decltype(out.v))_mm256_set1_ps(x);
            return out;
        } else if constexpr (sizeof(V) == 32 && __is_same(typename V::Lane, double)) {
            out.v = (decltype(out.v))_mm256_set1_pd(x);
            return out;
        }
#endif
        for (int i = 0; i < V::lanes; ++i) out.v[i] = x;
    } else {
        out.lo = all<decltype(out.lo)>(x);
        out.hi = out.lo;
    }
    return out;
}

template <class V> INLINE V zero() { return all<V>(0); }

template <class V> INLINE V load(const typename V::Lane* p) {
    V out;
    if constexpr (is_register<V>) {
        out.v = *reinterpret_cast<const typename Register<typename V::Lane, V::lanes>::unaligned*>(p);
    } else {
        out.lo = load<decltype(out.lo)>(p);
        out.hi = load<decltype(out.hi)>(p + V::lanes / 2);
    }
    return out;
}

template <class V> INLINE void store(typename V::Lane* p, V a) {
    if constexpr (is_register<V>) {
        *reinterpret_cast<typename Register<typename V::Lane, V::lanes>::unaligned*>(p) = a.v;
    } else {
        store(p, a.lo);
        store(p + V::lanes / 2, a.hi);
    }
}

// Load or store the first `count` lanes only; the others are 0 or left alone.
template <class V> INLINE V load(const typename V::Lane* p, int count) {
    if (count >= V::lanes) return load<V>(p);
#if defined(__AVX512F__)
    V out;
    if constexpr (__is_same(typename V::Lane, float)) {
        out.v = (decltype(out.v))_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), p);
    } else {
        out.v = (decltype(out.v))_mm512_maskz_loadu_pd((__mmask8)((1u << count) - 1), p);
    }
    return out;
#else
    typename V::Lane lanes[V::lanes] = {};
    for (int i = 0; i < count; ++i) lanes[i] = p[i];
    return load<V>(lanes);
#endif
}

template <class V> INLINE void store(typename V::Lane* p, V a, int count) {
    if (count >= V::lanes) return store(p, a);
#if defined(__AVX512F__)
    if constexpr (__is_same(typename V::Lane, float)) {
        _mm512_mask_storeu_ps(p, (__mmask16)((1u << count) - 1), (__m512)a.v);
    } else {
        _mm512_mask_storeu_pd(p, (__mmask8)((1u << count) - 1), (__m512d)a.v);
    }
#else
    typename V::Lane lanes[V::lanes];
    store(lanes, a);
    for (int i = 0; i < count; ++i) p[i] = lanes[i];
#endif
}

// The registers that + and - work on: integers wrap around, as exponents beyond their range must.
template <class R> INLINE auto wrapping(R x) {
    using Lane = std::remove_cvref_t<decltype(x[0])>;
    if constexpr (std::is_integral_v<Lane>)
        return (typename Register<std::make_unsigned_t<Lane>, static_cast<int>(sizeof(R) / sizeof(Lane))>::type) x;
    else return x;
}

#define BINARY(SYMBOL)                                                                                            \
    template <class V>                                                                                            \
        requires(V::lanes > 0)                                                                                    \
    INLINE V operator SYMBOL(V a, V b) {                                                                          \
        return map<V>([](auto x, auto y) LAMBDA { return (decltype(x))(wrapping(x) SYMBOL wrapping(y)); }, a, b); \
    }                                                                                                             \
    template <class V>                                                                                            \
        requires(V::lanes > 0)                                                                                    \
    INLINE V operator SYMBOL(V a, typename V::Lane b) {                                                           \
        return a SYMBOL all<V>(b);                                                                                \
    }                                                                                                             \
    template <class V>                                                                                            \
        requires(V::lanes > 0)                                                                                    \
    INLINE V operator SYMBOL(typename V::Lane a, V b) {                                                           \
        return all<V>(a) SYMBOL b;                                                                                \
    }
BINARY(+)
BINARY(-)
BINARY(*)
BINARY(/)
BINARY(&)
BINARY(|)
BINARY(^)
#undef BINARY

#define COMPARISON(SYMBOL)                                                               \
    template <class V>                                                                   \
        requires(V::lanes > 0)                                                           \
    INLINE Integers<V> operator SYMBOL(V a, V b) {                                       \
        return map<Integers<V>>([](auto x, auto y) LAMBDA { return x SYMBOL y; }, a, b); \
    }                                                                                    \
    template <class V>                                                                   \
        requires(V::lanes > 0)                                                           \
    INLINE Integers<V> operator SYMBOL(V a, typename V::Lane b) {                        \
        return a SYMBOL all<V>(b);                                                       \
    }
COMPARISON(<)
COMPARISON(<=)
COMPARISON(>)
COMPARISON(>=)
COMPARISON(==)
COMPARISON(!=)
#undef COMPARISON

template <class V>
    requires(V::lanes > 0)
INLINE V operator-(V a) {
    return map<V>([](auto x) LAMBDA { return -x; }, a);
}

template <class V>
    requires(V::lanes > 0)
INLINE V operator<<(V a, int bits) {
    return map<V>([bits](auto x) LAMBDA { return x << bits; }, a);
}

template <class V>
    requires(V::lanes > 0)
INLINE V operator>>(V a, int bits) {
    return map<V>([bits](auto x) LAMBDA { return x >> bits; }, a);
}

// a where the mask holds, else b.
template <class M, class V> INLINE V select(M mask, V a, V b) {
    return map<V>([](auto m, auto x, auto y) LAMBDA { return m ? x : y; }, mask, a, b);
}

template <class V> INLINE V maximum(V a, V b) {
    return map<V>([](auto x, auto y) LAMBDA { return x > y ? x : y; }, a, b);
}

template <class V> INLINE V minimum(V a, V b) {
    return map<V>([](auto x, auto y) LAMBDA { return x < y ? x : y; }, a, b);
}

// The same bits seen as integers, and back.
template <class V> INLINE Integers<V> bits_of(V a) {
    return map<Integers<V>>(
        [](auto x) LAMBDA {
            return (typename Register<typename IntegerOf<typename V::Lane>::type,
                                      sizeof(x) / sizeof(typename V::Lane)>::type) x;
        },
        a);
}

template <class V> INLINE V from_bits(Integers<V> a) {
    return map<V>(
        [](auto x)
            LAMBDA { return (typename Register<typename V::Lane, sizeof(x) / sizeof(typename V::Lane)>::type) x; },
        a);
}

template <class V> INLINE V absolute(V a) {
    using I = typename Integers<V>::Lane;
    return from_bits<V>(bits_of(a) & static_cast<I>(~(static_cast<std::make_unsigned_t<I>>(1) << (8 * sizeof(I) - 1))));
}

// The magnitude of a with the sign bit of b.
template <class V> INLINE V with_sign(V a, V b) {
    using I = typename Integers<V>::Lane;
    constexpr I sign = static_cast<I>(static_cast<std::make_unsigned_t<I>>(1) << (8 * sizeof(I) - 1));
    return from_bits<V>((bits_of(a) & static_cast<I>(~sign)) | (bits_of(b) & sign));
}

// a * b + c in one rounding, where the set has it.
template <class V> INLINE V fma(V a, V b, V c) {
    return map<V>(
        [](auto x, auto y, auto z) LAMBDA {
            using R = decltype(x);
            [[maybe_unused]] constexpr bool single = sizeof(x[0]) == 4;
#if defined(__AVX512F__)
            if constexpr (sizeof(x) == 64 && single) return (R)_mm512_fmadd_ps((__m512)x, (__m512)y, (__m512)z);
            else if constexpr (sizeof(x) == 64) return (R)_mm512_fmadd_pd((__m512d)x, (__m512d)y, (__m512d)z);
            else return x * y + z;
#elif defined(__AVX2__)
            if constexpr (sizeof(x) == 32 && single) return (R)_mm256_fmadd_ps((__m256)x, (__m256)y, (__m256)z);
            else if constexpr (sizeof(x) == 32) return (R)_mm256_fmadd_pd((__m256d)x, (__m256d)y, (__m256d)z);
            else return x * y + z;
#elif defined(__FP_FAST_FMA) || defined(__ARM_FEATURE_FMA)
            R r;
            for (int i = 0; i < static_cast<int>(sizeof(x) / sizeof(x[0])); ++i) {
                if constexpr (single) r[i] = __builtin_fmaf(x[i], y[i], z[i]);
                else r[i] = __builtin_fma(x[i], y[i], z[i]);
            }
            return r;
#else
            return R(x * y + z);
#endif
        },
        a, b, c);
}

template <class V> INLINE V fma(V a, typename V::Lane b, V c) { return fma(a, all<V>(b), c); }
template <class V> INLINE V fma(V a, V b, typename V::Lane c) { return fma(a, b, all<V>(c)); }
template <class V> INLINE V fma(V a, typename V::Lane b, typename V::Lane c) { return fma(a, all<V>(b), all<V>(c)); }

template <class V> INLINE V square_root(V a) {
    return map<V>(
        [](auto x) LAMBDA {
            using R = decltype(x);
            [[maybe_unused]] constexpr bool single = sizeof(x[0]) == 4;
#if defined(__AVX512F__)
            if constexpr (sizeof(x) == 64 && single) return (R)_mm512_sqrt_ps((__m512)x);
            else if constexpr (sizeof(x) == 64) return (R)_mm512_sqrt_pd((__m512d)x);
#elif defined(__AVX2__)
            if constexpr (sizeof(x) == 32 && single) return (R)_mm256_sqrt_ps((__m256)x);
            else if constexpr (sizeof(x) == 32) return (R)_mm256_sqrt_pd((__m256d)x);
#endif
            R r;
            for (int i = 0; i < static_cast<int>(sizeof(x) / sizeof(x[0])); ++i) {
                if constexpr (single) r[i] = __builtin_sqrtf(x[i]);
                else r[i] = __builtin_sqrt(x[i]);
            }
            return r;
        },
        a);
}

// Lane numbers 0, 1, 2, ...
template <class V> INLINE V lane_numbers() {
    typename V::Lane lanes[V::lanes];
    for (int i = 0; i < V::lanes; ++i) lanes[i] = static_cast<typename V::Lane>(i);
    return load<V>(lanes);
}

// Fold all lanes with f, halves first: the same tree on every set.
template <class F, class V> INLINE typename V::Lane fold(F f, V a) {
    if constexpr (!is_register<V>) {
        return fold(f, map<decltype(a.lo)>([&](auto x, auto y) LAMBDA { return f(x, y); }, a.lo, a.hi));
    } else if constexpr (V::lanes == 1) {
        return a.v[0];
    } else {
        Vector<typename V::Lane, V::lanes / 2> lo, hi;
        std::memcpy(&lo, &a, sizeof lo);
        std::memcpy(&hi, reinterpret_cast<const char*>(&a) + sizeof lo, sizeof hi);
        return fold(f, map<decltype(lo)>([&](auto x, auto y) LAMBDA { return f(x, y); }, lo, hi));
    }
}

template <class V> INLINE typename V::Lane sum(V a) {
    return fold([](auto x, auto y) LAMBDA { return x + y; }, a);
}

template <class V> INLINE typename V::Lane largest(V a) {
    return fold([](auto x, auto y) LAMBDA { return x > y ? x : y; }, a);
}

}  // namespace chainrule::CHAINRULE_SET
