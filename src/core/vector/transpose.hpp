// Panels turned: weights the other way round, and rows of scores side by side in the lanes of a register.
#pragma once

#include <utility>

#include "vector/panels.hpp"
#include "vector/simd.hpp"

namespace chainrule::CHAINRULE_SET {

// Interleave the lanes of a and b: the first halves, or the last.
template <bool upper, class V, int... N> INLINE V interleave(V a, V b, std::integer_sequence<int, N...>) {
    constexpr int half = V::lanes / 2 * upper;
    V out;
#if defined(__clang__) || __GNUC__ >= 12
    out.v = __builtin_shufflevector(a.v, b.v, (half + N / 2 + (N % 2) * V::lanes)...);
#else
    out.v = __builtin_shuffle(a.v, b.v, Integers<V>::type{(half + N / 2 + (N % 2) * V::lanes)...});
#endif
    return out;
}

// to (N, N) = fromᵀ, N lanes of one register at a time, by log₂ N perfect shuffles; rows are FROM and TO apart.
template <int FROM, int TO, class T> INLINE void transpose_registers(const T* from, T* to) {
    constexpr int N = static_cast<int>(REGISTER_BYTES / sizeof(T));
    constexpr auto lanes = std::make_integer_sequence<int, N>{};
    using V = Vector<T, N>;
    V a[N], b[N];
#pragma GCC unroll 16
    for (int i = 0; i < N; ++i) a[i] = load<V>(from + i * FROM);
#pragma GCC unroll 4
    for (int s = 1; s < N; s *= 2) {
#pragma GCC unroll 16
        for (int i = 0; i < N / 2; ++i) {
            b[2 * i] = interleave<false>(a[i], a[i + N / 2], lanes);
            b[2 * i + 1] = interleave<true>(a[i], a[i + N / 2], lanes);
        }
#pragma GCC unroll 16
        for (int i = 0; i < N; ++i) a[i] = b[i];
    }
#pragma GCC unroll 16
    for (int i = 0; i < N; ++i) store(to + i * TO, a[i]);
}

// to (columns, rows) = fromᵀ, both in one panel.
template <class T> INLINE void transpose(const T* from, T* to, Index rows, Index columns) {
    constexpr int N = static_cast<int>(REGISTER_BYTES / sizeof(T));
    for (Index c = 0; c < columns; c += N)
        for (Index r = 0; r < rows; r += N) {
            if (columns - c >= N && rows - r >= N) {
                transpose_registers<PANEL<T>, PANEL<T>>(from + r * PANEL<T> + c, to + c * PANEL<T> + r);
                continue;
            }
            for (Index k = c; k < columns && k < c + N; ++k)
                for (Index i = r; i < rows && i < r + N; ++i) to[k * PANEL<T> + i] = from[i * PANEL<T> + k];
        }
}

// to (columns, LANES) = fromᵀ: `count` rows in panels, side by side; the other lanes keep what they have.
template <class T> void into_lanes(const T* from, Index stride, Index count, Index columns, T* to) {
    constexpr int N = static_cast<int>(REGISTER_BYTES / sizeof(T));
    const bool whole = count == LANES<T> && columns > 2;
    for (Index c = 0; c < columns; c += whole ? N : 1) {
        const T* panel = from + c / PANEL<T> * stride + c % PANEL<T>;
        if (whole)
            for (int r = 0; r < LANES<T>; r += N)
                transpose_registers<PANEL<T>, LANES<T>>(panel + r * PANEL<T>, to + c * LANES<T> + r);
        else
            for (Index r = 0; r < count; ++r) to[c * LANES<T> + r] = panel[r * PANEL<T>];
    }
}

// to = fromᵀ, the way back; or to = to fromᵀ, element by element.
template <class T> void out_of_lanes(const T* from, Index stride, Index count, Index columns, T* to, bool times) {
    constexpr int N = static_cast<int>(REGISTER_BYTES / sizeof(T));
    const bool whole = count == LANES<T> && columns > 2 && !times;
    for (Index c = 0; c < columns; c += whole ? N : 1) {
        T* panel = to + c / PANEL<T> * stride + c % PANEL<T>;
        if (whole)
            for (int r = 0; r < LANES<T>; r += N)
                transpose_registers<LANES<T>, PANEL<T>>(from + c * LANES<T> + r, panel + r * PANEL<T>);
        else
            for (Index r = 0; r < count; ++r)
                panel[r * PANEL<T>] = from[c * LANES<T> + r] * (times ? panel[r * PANEL<T>] : T(1));
    }
}

}  // namespace chainrule::CHAINRULE_SET
