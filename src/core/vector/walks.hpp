// Walks over rows and columns, a vector at a time.
#pragma once

#include "vector/panels.hpp"
#include "vector/simd.hpp"

namespace chainrule::CHAINRULE_SET {

// Call f(c, count, at) for every vector of a row: c its first column, count how many are real, at its place.
template <class T, class F> INLINE void each_column(Index r, Index columns, Index stride, F f) {
    for (Index c = 0; c < columns; c += LANES<T>) {
        const Index rest = columns - c;
        f(c, static_cast<int>(rest < LANES<T> ? rest : LANES<T>), c / PANEL<T> * stride + r * PANEL<T> + c % PANEL<T>);
    }
}

// a in its first `count` lanes, `other` in the rest.
template <class V> INLINE V only(V a, int count, typename V::Lane other = 0) {
    if (count == V::lanes) return a;
    using I = Integers<V>;
    return select(lane_numbers<I>() < static_cast<typename I::Lane>(count), a, all<V>(other));
}

// Call f(r, c, count) for the vectors of a rectangle in C order, row by row; `count` lanes are real.
template <class F> INLINE void each_vector(Index rows, Index columns, int lanes, F f) {
    for (Index r = 0; r < rows; ++r)
        for (Index c = 0; c < columns; c += lanes) f(r, c, static_cast<int>(columns - c < lanes ? columns - c : lanes));
}

}  // namespace chainrule::CHAINRULE_SET
