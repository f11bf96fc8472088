// From raw scores in panels to what they stand for, row by row in C order.
#pragma once

#include "vector/math.hpp"
#include "vector/walks.hpp"

namespace chainrule::CHAINRULE_SET {

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
        each_column<T>(r, columns, stride,
                       [&](Index c, int count, Index) LAMBDA { store(to + c, load<V>(to + c, count) * scale, count); });
    }
}

template <class T> using TakeLink = void (*)(const T*, Index, Index, Index, T*);

template <class T>
constexpr TakeLink<T> TAKE_LINK[] = {link_elements<IdentityOf, T>, link_softmax<T>, link_elements<SigmoidOf, T>,
                                     link_elements<ExpOf, T>};

}  // namespace chainrule::CHAINRULE_SET
