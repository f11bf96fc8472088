// The losses, row for row those of losses/: the loss of each row, and its derivative in the scores times the row's share.
#pragma once

#include "links.hpp"
#include "plan.hpp"

namespace chainrule::CHAINRULE_SET {

template <class V> struct Sloped {
    V value, slope;
};

// An element loss: l(s, t) and dl/ds; `a` is the loss's own number.
#define ELEMENT(NAME, ...)                                                                                         \
    struct NAME {                                                                                                  \
        template <class V> static INLINE Sloped<V> at(V s, V t, [[maybe_unused]] typename V::Lane a) {             \
            using T [[maybe_unused]] = typename V::Lane;                                                           \
            __VA_ARGS__                                                                                            \
        }                                                                                                          \
    };

template <class V> INLINE V sign_of(V r) { return select(r > 0, all<V>(1), select(r < 0, all<V>(-1), r * r)); }

ELEMENT(SquaredError, const V r = s - t; return {T(0.5) * a * r * r, a * r};)
ELEMENT(AbsoluteError, const V r = s - t; return {absolute(r), sign_of(r)};)
ELEMENT(Huber, const V r = s - t, c = minimum(all<V>(a), maximum(all<V>(-a), r)); return {c * (r - T(0.5) * c), c};)
ELEMENT(Quantile, const V r = t - s;
        return {maximum((a - T(1)) * r, a * r), select(r > 0, all<V>(-a), select(r < 0, all<V>(T(1) - a), r * r))};)
ELEMENT(Poisson, const V e = exp(s), log_t = select(t == 0, zero<V>(), log(t)); return {e - t * s + t * log_t - t, e - t};)
ELEMENT(SigmoidCrossEntropy, const V u = log1p(exp(-absolute(s))), up = maximum(zero<V>(), s) + u, down = maximum(zero<V>(), -s) + u;
        return {t * down + (T(1) - t) * up, sigmoid(s) - t};)
ELEMENT(Logistic, const V m = -t * s; return {softplus(m), -t * sigmoid(m)};)
ELEMENT(Hinge, const V m = T(1) - t * s; return {maximum(zero<V>(), m), select(t * s < 1, -t, m * T(0))};)
ELEMENT(SquaredHinge, const V m = maximum(zero<V>(), T(1) - t * s); return {m * m, T(-2) * t * m};)
ELEMENT(Perceptron, const V m = -t * s; return {maximum(zero<V>(), m), select(t * s <= 0, -t, m * T(0))};)
#undef ELEMENT

// The rows of one block as the losses see them.
template <class T> struct Scored {
    const Step<T>& step;
    Scratch<T>& scratch;
    Index first, last;  // rows of the wave
    bool backward;

    const Layer<T>& output() const { return step.layer[step.layers - 1]; }
    Index source(Index r) const { return step.order ? step.order[step.wave + r] : step.start + step.wave + r; }
    T share(Index r) const { return step.weight ? step.weight[source(r)] / step.total : T(1) / step.total; }
    T* loss(Index r) const { return step.row_loss + step.wave + r; }

    // dL/dz of LANES outputs: the loss's derivative, times f' where the network ends in an activation.
    INLINE void pull(Index at, Vector<T> slope) const {
        T* d = output().d + at;
        store(d, output().activation == 0 ? slope : slope * load<Vector<T>>(d));
    }

    template <class F> INLINE void vectors(Index r, F f) const { each_column<T>(r, output().outputs, step.stride, f); }

    // The target of outputs c, c + 1, ...: as given, or one at the class.
    INLINE Vector<T> target(Index row, Index c, int count) const {
        if (step.loss.target) return load<Vector<T>>(step.loss.target + row * output().outputs + c, count);
        using I = typename Integers<Vector<T>>::Lane;
        const Integers<Vector<T>> lanes = lane_numbers<Integers<Vector<T>>>();
        return select(lanes == static_cast<I>(step.loss.classes[row] - c), all<Vector<T>>(1), zero<Vector<T>>());
    }
};

template <class Element, class T> void element_loss(const Scored<T>& rows) {
    for (Index r = rows.first; r < rows.last; ++r) {
        const Index source = rows.source(r);
        const T share = rows.share(r);
        Vector<T> total = zero<Vector<T>>();
        rows.vectors(r, [&](Index c, int count, Index at) LAMBDA {
            const Vector<T> s = load<Vector<T>>(rows.output().y + at), t = rows.target(source, c, count);
            const auto [value, slope] = Element::at(s, t, rows.step.loss.a);
            total = total + only(value, count);
            if (rows.backward) rows.pull(at, slope * share);
        });
        *rows.loss(r) = sum(total);
    }
}

// -Σⱼ tⱼ log pⱼ = T log Σ e^(s - m) - Σ t (s - m), with m = max s and T = Σ t; its derivative is T p - t.
struct CrossEntropy {
    template <class T> static void run(const Scored<T>& rows) {
        using V = Vector<T>;
        T *sums = rows.scratch.rows, *scores = sums + BLOCK, *totals = scores + BLOCK;
        for (Index r = rows.first; r < rows.last; ++r) {
            const Index source = rows.source(r), i = r - rows.first;
            T* const y = rows.output().y;
            V most = all<V>(-__builtin_inff()), exps = zero<V>(), weights = zero<V>(), weighted = zero<V>();
            rows.vectors(r, [&](Index, int count, Index at) LAMBDA {
                most = maximum(most, only(load<V>(y + at), count, -__builtin_inff()));
            });
            const T m = largest(most);
            rows.vectors(r, [&](Index c, int count, Index at) LAMBDA {
                const V s = load<V>(y + at) - m, t = rows.target(source, c, count), e = only(exp(s), count);
                exps = exps + e;
                weights = weights + t;
                weighted = weighted + only(select(t == 0, zero<V>(), t * s), count);
                store(y + at, e);
            });
            sums[i] = sum(exps);
            scores[i] = sum(weighted);
            totals[i] = sum(weights);
            if (!rows.backward) continue;
            const T share = rows.share(r), scale = totals[i] / sums[i];
            rows.vectors(r, [&](Index c, int count, Index at) LAMBDA {
                rows.pull(at, (load<V>(y + at) * scale - rows.target(source, c, count)) * share);
            });
        }
        for (Index i = 0; i < rows.last - rows.first; i += LANES<T>) {
            const Index rest = rows.last - rows.first - i;
            const V value = load<V>(totals + i) * log(load<V>(sums + i)) - load<V>(scores + i);
            store(rows.loss(rows.first + i), value, static_cast<int>(rest < LANES<T> ? rest : LANES<T>));
        }
    }
};

// m = maxⱼ (1 - tⱼ + sⱼ - Σₖ tₖ sₖ), the worst margin violation; power 1 or 2 of it.
template <int power> struct Violation {
    template <class T> static void run(const Scored<T>& rows) {
        for (Index r = rows.first; r < rows.last; ++r) {
            const Index source = rows.source(r), outputs = rows.output().outputs;
            const auto at = [&](Index c) { return c / PANEL<T> * rows.step.stride + r * PANEL<T> + c % PANEL<T>; };
            const auto target = [&](Index c) {
                return rows.step.loss.target ? rows.step.loss.target[source * outputs + c]
                                             : T(rows.step.loss.classes[source] == c);
            };
            const T* y = rows.output().y;
            T right = 0, most = 0;
            for (Index c = 0; c < outputs; ++c) right += target(c) * y[at(c)];
            Index worst = 0;
            for (Index c = 0; c < outputs; ++c) {
                const T margin = T(1) - target(c) + y[at(c)] - right;
                if (c == 0 || margin > most || margin != margin) most = margin, worst = c;
                if (margin != margin) break;
            }
            *rows.loss(r) = power == 1 ? most : most * most;
            if (!rows.backward) continue;
            const T slope = most > 0 ? (power == 1 ? T(1) : 2 * most) * rows.share(r) : T(0);
            T* d = rows.output().d;
            for (Index c = 0; c < outputs; ++c) {
                const T pulled = slope * (T(c == worst) - target(c));
                d[at(c)] = rows.output().activation == 0 ? pulled : pulled * d[at(c)];
            }
        }
    }
};
using MulticlassHinge = Violation<1>;
using SquaredMulticlassHinge = Violation<2>;

template <class T> using TakeLoss = void (*)(const Scored<T>&);

#define ROW_OF_ELEMENTS(name, Type) element_loss<Type, T>,
#define ROW_OF_ROWS(name, Type) Type::template run<T>,
template <class T>
constexpr TakeLoss<T> TAKE_LOSS[] = {CHAINRULE_ELEMENT_LOSSES(ROW_OF_ELEMENTS) CHAINRULE_ROW_LOSSES(ROW_OF_ROWS)};
#undef ROW_OF_ELEMENTS
#undef ROW_OF_ROWS

}  // namespace chainrule::CHAINRULE_SET
