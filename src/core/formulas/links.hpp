// From raw scores in panels to what they stand for, row by row in C order.
#pragma once

#include "vector/math.hpp"
#include "step/plan.hpp"

namespace chainrule::CHAINRULE_SET {

// Call f(c, count, at) for every vector of a row: c its first column, count how many are real, at its place.
template <class T, class F> INLINE void each_column(Index r, Index columns, Index stride, F f) {
    for (Index c = 0; c < columns; c += LANES<T>) {
        const Index rest = columns - c;
        f(c, static_cast<int>(rest < LANES<T> ? rest : LANES<T>), c / PANEL<T> * stride + r * PANEL<T> + c % PANEL<T>);
    }
}

template <class V> INLINE V only(V a, int count, typename V::Lane other = 0) {
    if (count == V::lanes) return a;
    using I = Integers<V>;
    return select(lane_numbers<I>() < static_cast<typename I::Lane>(count), a, all<V>(other));
}

struct IdentityOf {
    template <class V> static INLINE V at(V s) { return s; }
};
struct SigmoidOf {
    template <class V> static INLINE V at(V s) { return sigmoid(s); }
};
struct ExpOf {
    template <class V> static INLINE V at(V s) { return exp(s); }
};

template <class Function, class T> void link_elements(const T* y, Index stride, Index rows, Index columns, T* out) {
    for (Index r = 0; r < rows; ++r)
        each_column<T>(r, columns, stride, [&](Index c, int count, Index at) LAMBDA {
            store(out + r * columns + c, Function::at(load<Vector<T>>(y + at)), count);
        });
}

// e^(s - m) / Σ e^(s - m), with m = max s.
template <class T> void link_softmax(const T* y, Index stride, Index rows, Index columns, T* out) {
    using V = Vector<T>;
    for (Index r = 0; r < rows; ++r) {
        V most = all<V>(-__builtin_inff()), total = zero<V>();
        each_column<T>(r, columns, stride, [&](Index, int count, Index at) LAMBDA {
            most = maximum(most, only(load<V>(y + at), count, -__builtin_inff()));
        });
        const T m = largest(most);
        T* to = out + r * columns;
        each_column<T>(r, columns, stride, [&](Index c, int count, Index at) LAMBDA {
            const V e = exp(load<V>(y + at) - m);
            total = total + only(e, count);
            store(to + c, e, count);
        });
        const V scale = all<V>(T(1) / sum(total));
        each_column<T>(r, columns, stride, [&](Index c, int count, Index) LAMBDA {
            store(to + c, load<V>(to + c, count) * scale, count);
        });
    }
}

template <class T> using TakeLink = void (*)(const T*, Index, Index, Index, T*);

template <class T>
constexpr TakeLink<T> TAKE_LINK[] = {link_elements<IdentityOf, T>, link_softmax<T>, link_elements<SigmoidOf, T>,
                                     link_elements<ExpOf, T>};

}  // namespace chainrule::CHAINRULE_SET
