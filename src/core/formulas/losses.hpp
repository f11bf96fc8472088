// The losses, row for row those of losses/.
// Each gives the loss of a row and its derivative in the scores times the row's share (`of`), the second derivative
// along a change of the scores (`bend`), and a root A of it, A Aᵀ = L'', one column at a time (`root`).
#pragma once

#include "vector/math.hpp"
#include "vector/panels.hpp"

namespace chainrule::CHAINRULE_SET {

template <class V> struct Sloped {
    V value, slope;
};

// An element loss: d²l/ds² (BEND), l(s, t) and dl/ds; `a` is the loss's own number.
#define ELEMENT(NAME, BEND, ...)                                                                                \
    struct NAME {                                                                                               \
        template <class V> static INLINE Sloped<V> at(V s, V t, [[maybe_unused]] typename V::Lane a) {          \
            using T [[maybe_unused]] = typename V::Lane;                                                        \
            __VA_ARGS__                                                                                         \
        }                                                                                                       \
        template <class V>                                                                                      \
        static INLINE V bend([[maybe_unused]] V s, [[maybe_unused]] V t, [[maybe_unused]] typename V::Lane a) { \
            using T [[maybe_unused]] = typename V::Lane;                                                        \
            return BEND;                                                                                        \
        }                                                                                                       \
    };

template <class V> INLINE V sign_of(V r) { return select(r > 0, all<V>(1), select(r < 0, all<V>(-1), r * r)); }

// clang-format off: a row is one formula
ELEMENT(SquaredError, all<V>(a), const V r = s - t; return {T(0.5) * a * r * r, a * r};)
ELEMENT(AbsoluteError, zero<V>(), const V r = s - t; return {absolute(r), sign_of(r)};)
ELEMENT(Huber, select(absolute(s - t) < a, all<V>(1), zero<V>()),
        const V r = s - t, c = minimum(all<V>(a), maximum(all<V>(-a), r)); return {c * (r - T(0.5) * c), c};)
ELEMENT(Quantile, zero<V>(), const V r = t - s;
        return {maximum((a - T(1)) * r, a * r), select(r > 0, all<V>(-a), select(r < 0, all<V>(T(1) - a), r * r))};)
ELEMENT(Poisson, exp(s), const V e = exp(s), log_t = select(t == 0, zero<V>(), log(t));
        return {e - t * s + t * log_t - t, e - t};)
ELEMENT(SigmoidCrossEntropy, sigmoid(s) * sigmoid(-s), const V u = log1p(exp(-absolute(s)));
        const V up = maximum(zero<V>(), s) + u, down = maximum(zero<V>(), -s) + u;
        const V smooth = fma(t, T(1) - a, T(0.5) * a);
        return {smooth * down + (T(1) - smooth) * up, sigmoid(s) - smooth};)
ELEMENT(Logistic, t * t * sigmoid(t * s) * sigmoid(-t * s),
        const V m = -t * s; return {softplus(m), -t * sigmoid(m)};)
ELEMENT(Hinge, zero<V>(),
        const V m = T(1) - t * s; return {maximum(zero<V>(), m), select(t * s < 1, -t, m * T(0))};)
ELEMENT(SquaredHinge, select(t * s < 1, T(2) * t * t, zero<V>()),
        const V m = maximum(zero<V>(), T(1) - t * s); return {m * m, T(-2) * t * m};)
ELEMENT(Perceptron, zero<V>(), const V m = -t * s; return {maximum(zero<V>(), m), select(t * s <= 0, -t, m * T(0))};)
// clang-format on
#undef ELEMENT

// LANES rows side by side: lane i of score(c) is output c of row i. So a row's loss is summed over whole registers, and
// no lane sees another: which rows share a register changes nothing.
template <class T> struct Rows {
    using V = Vector<T>;
    using I = Integers<V>;

    Index outputs;
    T* scores;         // (outputs, LANES); the slopes in their place afterwards
    const T* targets;  // (outputs, LANES), or null: one at the class
    I classes;
    V share;             // of each row in the batch's loss
    T a;                 // the loss's own number
    T* along = nullptr;  // (outputs, LANES): a change of the scores; the change of the slopes in its place afterwards

    INLINE V score(Index c) const { return load<V>(scores + c * LANES<T>); }
    INLINE void keep(Index c, V v) const { store(scores + c * LANES<T>, v); }
    INLINE void slope(Index c, V dl) const { keep(c, dl * share); }
    INLINE V change(Index c) const { return load<V>(along + c * LANES<T>); }
    INLINE void bent(Index c, V change) const { store(along + c * LANES<T>, change * share); }
    INLINE V target(Index c) const {
        if (targets) return load<V>(targets + c * LANES<T>);
        return select(classes == static_cast<typename I::Lane>(c), all<V>(1), zero<V>());
    }
};

// A sum over outputs, PANEL terms at a time.
template <class V> struct Sum {
    V whole = zero<V>(), part = zero<V>();
    int terms = 0;

    INLINE void add(V v) {
        part = part + v;
        if (++terms % PANEL<typename V::Lane> == 0) whole = whole + part, part = zero<V>();
    }
    INLINE V value() const { return whole + part; }
};

template <class Element> struct Elementwise {
    template <class T> static INLINE Vector<T> of(const Rows<T>& rows) {
        Sum<Vector<T>> total;
        for (Index c = 0; c < rows.outputs; ++c) {
            const auto [value, slope] = Element::at(rows.score(c), rows.target(c), rows.a);
            total.add(value);
            rows.slope(c, slope);
        }
        return total.value();
    }

    // l'' v
    template <class T> static INLINE void bend(const Rows<T>& rows) {
        for (Index c = 0; c < rows.outputs; ++c)
            rows.bent(c, Element::bend(rows.score(c), rows.target(c), rows.a) * rows.change(c));
    }

    // √l'' at output k, 0 elsewhere
    template <class T> static INLINE void root(const Rows<T>& rows, Index k) {
        using V = Vector<T>;
        for (Index c = 0; c < rows.outputs; ++c) store(rows.along + c * LANES<T>, zero<V>());
        const V bend = Element::bend(rows.score(k), rows.target(k), rows.a);
        store(rows.along + k * LANES<T>, square_root(maximum(bend, zero<V>()) * rows.share));
    }
};

// -Σⱼ tⱼ log pⱼ = T log Σ e^(s - m) - Σ t (s - m), with m = max s and T = Σ t; its derivative is T p - t. Targets are
// smoothed by the share a.
struct CrossEntropy {
    template <class T> static INLINE Vector<T> of(const Rows<T>& rows) {
        using V = Vector<T>;
        const T even = rows.a / static_cast<T>(rows.outputs);
        const auto smoothed = [&](Index c) LAMBDA { return fma(rows.target(c), T(1) - rows.a, even); };
        V m = rows.score(0);
        for (Index c = 1; c < rows.outputs; ++c) m = maximum(m, rows.score(c));
        Sum<V> exps, weights, weighted;
        for (Index c = 0; c < rows.outputs; ++c) {
            const V s = rows.score(c) - m, t = smoothed(c), e = exp(s);
            exps.add(e);
            weights.add(t);
            weighted.add(select(t == 0, zero<V>(), t * s));
            rows.keep(c, e);
        }
        const V scale = weights.value() / exps.value();
        for (Index c = 0; c < rows.outputs; ++c) rows.slope(c, rows.score(c) * scale - smoothed(c));
        return weights.value() * log(exps.value()) - weighted.value();
    }

    // T (p ∘ v - p (pᵀ v))
    template <class T> static INLINE void bend(const Rows<T>& rows) {
        using V = Vector<T>;
        const Softmax<V> softmax(rows);
        Sum<V> mean;
        for (Index c = 0; c < rows.outputs; ++c) mean.add(softmax.at(rows.score(c)) * rows.change(c));
        for (Index c = 0; c < rows.outputs; ++c)
            rows.bent(c, softmax.weight * softmax.at(rows.score(c)) * (rows.change(c) - mean.value()));
    }

    // √(T pₖ) (eₖ - p): with q = √p, A = √T (diag(q) - p qᵀ).
    template <class T> static INLINE void root(const Rows<T>& rows, Index k) {
        using V = Vector<T>;
        const Softmax<V> softmax(rows);
        const V steep = square_root(softmax.weight * softmax.at(rows.score(k)) * rows.share);
        for (Index c = 0; c < rows.outputs; ++c)
            store(rows.along + c * LANES<T>, steep * (all<V>(c == k ? 1 : 0) - softmax.at(rows.score(c))));
    }

  private:
    // p of the scores of some rows, and T.
    template <class V> struct Softmax {
        V most, inverse, weight;

        template <class T> INLINE explicit Softmax(const Rows<T>& rows) : most(rows.score(0)) {
            const T even = rows.a / static_cast<T>(rows.outputs);
            for (Index c = 1; c < rows.outputs; ++c) most = maximum(most, rows.score(c));
            Sum<V> exps, weights;
            for (Index c = 0; c < rows.outputs; ++c) {
                exps.add(exp(rows.score(c) - most));
                weights.add(fma(rows.target(c), T(1) - rows.a, even));
            }
            inverse = all<V>(1) / exps.value();
            weight = weights.value();
        }
        INLINE V at(V score) const { return exp(score - most) * inverse; }
    };
};

// m = maxⱼ (1 - tⱼ + sⱼ - Σₖ tₖ sₖ), the worst margin violation; power 1 or 2 of it.
template <int power> struct Violation {
    template <class T> static INLINE Vector<T> of(const Rows<T>& rows) {
        using V = Vector<T>;
        using I = Integers<V>;
        const auto [most, worst] = find(rows);
        const V slope = select(most > 0, power == 1 ? all<V>(1) : T(2) * most, zero<V>());
        for (Index c = 0; c < rows.outputs; ++c) {
            const V chosen = select(worst == static_cast<typename I::Lane>(c), all<V>(1), zero<V>());
            rows.slope(c, slope * (chosen - rows.target(c)));
        }
        return power == 1 ? most : most * most;
    }

    // 2 dm (dmᵀ v); 0 for the first power
    template <class T> static INLINE void bend(const Rows<T>& rows) {
        using V = Vector<T>;
        Sum<V> along;
        if constexpr (power == 2) {
            const Worst<V> found = find(rows);
            for (Index c = 0; c < rows.outputs; ++c) along.add(found.slope(c, rows.target(c)) * rows.change(c));
            for (Index c = 0; c < rows.outputs; ++c)
                rows.bent(c, T(2) * found.slope(c, rows.target(c)) * along.value());
        } else {
            for (Index c = 0; c < rows.outputs; ++c) rows.bent(c, zero<V>());
        }
    }

    // √2 dm, the one column
    template <class T> static INLINE void root(const Rows<T>& rows, Index k) {
        using V = Vector<T>;
        const Worst<V> found = find(rows);
        const V steep = power == 2 && k == 0 ? square_root(T(2) * rows.share) : zero<V>();
        for (Index c = 0; c < rows.outputs; ++c)
            store(rows.along + c * LANES<T>, steep * found.slope(c, rows.target(c)));
    }

  private:
    template <class V> struct Worst {
        V most;  // m
        Integers<V> worst;

        // dm/ds of output c
        INLINE V slope(Index c, V target) const {
            const V chosen = select(worst == static_cast<typename Integers<V>::Lane>(c), all<V>(1), zero<V>());
            return select(most > 0, chosen - target, zero<V>());
        }
    };

    template <class T> static INLINE Worst<Vector<T>> find(const Rows<T>& rows) {
        using V = Vector<T>;
        using I = Integers<V>;
        Sum<V> right;
        for (Index c = 0; c < rows.outputs; ++c) right.add(rows.target(c) * rows.score(c));
        V most = all<V>(-__builtin_inff());
        I worst = zero<I>();
        for (Index c = 0; c < rows.outputs; ++c) {
            const V margin = T(1) - rows.target(c) + rows.score(c) - right.value();
            const I more = (margin > most) | (margin != margin);
            most = select(more, margin, most);
            worst = select(more, all<I>(static_cast<typename I::Lane>(c)), worst);
        }
        return {most, worst};
    }
};
using MulticlassHinge = Violation<1>;
using SquaredMulticlassHinge = Violation<2>;

}  // namespace chainrule::CHAINRULE_SET
