// The update of a piece of θ by a rule, applied to a gradient still in the cache; its penalties, its average, its sums.
#pragma once

#include "formulas/rules.hpp"
#include "step/plan.hpp"
#include "vector/walks.hpp"

namespace chainrule::CHAINRULE_SET {

// A rectangle of parameters: rows `apart` in θ.
template <class T> struct Piece {
    Index at, apart, rows, columns;
    Strengths<T> strengths;
    Index slot;
    Kind kind = WEIGHTS;

    // Narrow rows that follow one another in θ fill registers only as one long row; as rows, each would also have to
    // wait until the store of the one before has left the registers.
    bool narrow() const { return rows > 1 && apart == columns && columns % LANES<T>; }
    Piece joined() const { return narrow() ? Piece{at, 0, 1, rows * columns, strengths, slot, kind} : *this; }
    bool penalised() const { return kind == WEIGHTS || kind == BIASES; }
};

// Σ |w| and Σ w² of a piece, lane by lane and row by row.
template <class T> struct Sizes {
    Vector<T> l1 = zero<Vector<T>>(), l2 = zero<Vector<T>>();

    INLINE void add(Vector<T> w) {
        l1 = l1 + absolute(w);
        l2 = fma(w, w, l2);
    }

    INLINE void keep(const Step<T>& step, const Piece<T>& piece) const {
        if (!step.l2 || !piece.penalised()) return;
        step.l1[piece.slot] = static_cast<double>(sum(l1));
        step.l2[piece.slot] = static_cast<double>(sum(l2));
    }
};

template <class T> void measure(const Step<T>& step, const Piece<T>& given) {
    const Piece<T> piece = given.joined();
    Sizes<T> sizes;
    each_vector(piece.rows, piece.columns, LANES<T>, [&](Index r, Index c, int count) LAMBDA {
        sizes.add(load<Vector<T>>(step.theta + piece.at + r * piece.apart + c, count));
    });
    sizes.keep(step, piece);
}

// Bring rows of g from `apart` to `columns` apart; each write ends before the next row is read.
template <class T> void close_up(T* g, Index apart, Index rows, Index columns) {
    for (Index r = 1; r < rows; ++r)
        for (Index c = 0; c < columns; c += LANES<T>) store(g + r * columns + c, load<Vector<T>>(g + r * apart + c));
}

// The derivative of the penalties added to that of the loss.
template <class T> INLINE Vector<T> penalised(Vector<T> g, Vector<T> theta, const Strengths<T>& strengths) {
    if (strengths.l2 != 0) g = fma(theta, strengths.l2, g);
    if (strengths.l1 != 0) g = fma(sign_or_zero(theta), strengths.l1, g);
    return g;
}

// sign(θ) max(|θ| - threshold, 0)
template <class T> INLINE Vector<T> shrunk(Vector<T> theta, T threshold) {
    return select(theta > threshold, theta - threshold,
                  select(theta < -threshold, theta + threshold, zero<Vector<T>>()));
}

template <class T> INLINE void follow(const Step<T>& step, Index at, Vector<T> theta, int count) {
    const Vector<T> average = load<Vector<T>>(step.average + at, count);
    store(step.average + at, average + (theta - average) * step.share, count);
}

// The gradient of one piece made whole, in place, and its norm.
template <class T> void complete(const Step<T>& step, const Piece<T>& piece, T* gradient, Index apart) {
    using V = Vector<T>;
    V norm = zero<V>();
    each_vector(piece.rows, piece.columns, LANES<T>, [&](Index r, Index c, int count) LAMBDA {
        const V theta = load<V>(step.theta + piece.at + r * piece.apart + c, count);
        const V g = penalised(load<V>(gradient + r * apart + c, count), theta, piece.strengths);
        store(gradient + r * apart + c, g, count);
        norm = fma(g, g, norm);
    });
    step.norm[piece.slot] = static_cast<double>(sum(norm));
}

// θ and memory after the update of one piece, given the loss's gradient of it (or, deferred, the whole gradient), rows
// `apart`, which is used up.
template <class Formula, int memories, bool care, class T>
void move(const Step<T>& step, const Piece<T>& given, T* gradient, Index apart) {
    using V = Vector<T>;
    if (given.narrow()) close_up(gradient, apart, given.rows, given.columns);
    const Piece<T> piece = given.joined();
    const bool whole = care && step.defers(),
               follows = care && step.average && !(step.max_norm != 0 && piece.kind == WEIGHTS);
    const T threshold = step.rate[piece.kind] * piece.strengths.shrink;
    V norm = zero<V>();
    Sizes<T> sizes;
    each_vector(piece.rows, piece.columns, LANES<T>, [&](Index r, Index c, int count) LAMBDA {
        const Index at = piece.at + r * piece.apart + c;
        V theta = load<V>(step.theta + at, count), g = load<V>(gradient + r * apart + c, count), m[MOST_MEMORIES];
        if (whole) g = g * step.factor;
        else g = penalised(g, theta, piece.strengths);
        for (int k = 0; k < memories; ++k) m[k] = load<V>(step.memory[k] + at, count);
        if (step.norm && !whole) norm = fma(g, g, norm);
        if (care && step.clip == CLIP_VALUE) g = minimum(all<V>(step.limit), maximum(all<V>(-step.limit), g));
        theta = Formula::move(theta, g, m, step.constant[piece.kind]);
        for (int k = 0; k < Formula::kept; ++k) store(step.memory[k] + at, m[k], count);
        if constexpr (__is_same(Formula, Gradient)) return;
        if (care && threshold != 0) theta = shrunk(theta, threshold);
        store(step.theta + at, theta, count);
        if (follows) follow(step, at, theta, count);
        if (step.l2) sizes.add(theta);
    });
    sizes.keep(step, piece);
    if (step.norm && !whole) step.norm[piece.slot] = static_cast<double>(sum(norm));
}

template <class T> using Move = void (*)(const Step<T>&, const Piece<T>&, T*, Index);

#define ROW(name, ...)                                          \
    {move<name, count_of(row_of(Rule::name).memory), false, T>, \
     move<name, count_of(row_of(Rule::name).memory), true, T>},
template <class T> constexpr Move<T> MOVE[][2] = {CHAINRULE_RULES(ROW)};
#undef ROW

}  // namespace chainrule::CHAINRULE_SET
