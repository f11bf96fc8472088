// The losses of the rows of a wave and the way back into their scores.
#pragma once

#include "formulas/losses.hpp"
#include "formulas/tables.hpp"
#include "step/inputs.hpp"
#include "vector/transpose.hpp"

namespace chainrule::CHAINRULE_SET {

// The target of row r of the wave, mixed with that of the row that its inputs are mixed with; LANES apart.
template <class T> void mix_targets(const Step<T>& step, Index r, Index source, Index outputs, T* to) {
    const Index partner = source_of(step, partner_of(step, step.wave + r));
    const auto target = [&](Index row, Index c) {
        return step.loss.target ? step.loss.target[row * outputs + c] : static_cast<T>(step.loss.classes[row] == c);
    };
    for (Index c = 0; c < outputs; ++c)
        to[c * LANES<T>] = target(source, c) * step.mix + target(partner, c) * (T(1) - step.mix);
}

// Call f(r, count, rows) for the rows first to last of the wave, LANES at a time: their scores, targets and shares.
template <class T, class F>
INLINE void each_rows(const Step<T>& step, const Scratch<T>& scratch, Index first, Index last, F f) {
    const Layer<T>& output = step.layer[step.layers - 1];
    const Index outputs = output.outputs;
    T share[LANES<T>], *targets = scratch.targets;
    typename Rows<T>::I::Lane classes[LANES<T>] = {};
    for (Index r = first; r < last; r += LANES<T>) {
        const Index count = last - r < LANES<T> ? last - r : LANES<T>;
        into_lanes(output.y + r * PANEL<T>, step.stride, count, outputs, scratch.scores);
        for (Index i = 0; i < LANES<T>; ++i) share[i] = T(1) / step.total;
        for (Index i = 0; i < count; ++i) {
            const Index source = source_of(step, step.wave + r + i);
            if (step.weight) share[i] = step.weight[source] / step.total;
            if (step.mixes) mix_targets(step, r + i, source, outputs, targets + i);
            else if (!step.loss.target) classes[i] = static_cast<typename Rows<T>::I::Lane>(step.loss.classes[source]);
            else
                for (Index c = 0; c < outputs; ++c) targets[c * LANES<T> + i] = step.loss.target[source * outputs + c];
        }
        f(r, count,
          Rows<T>{outputs, scratch.scores, step.loss.target || step.mixes ? targets : nullptr,
                  load<typename Rows<T>::I>(classes), load<Vector<T>>(share), step.loss.a, scratch.along});
    }
}

// The losses of rows first to last of the wave and, on the way back, dL/dz: times f' where the network ends in one.
template <class Loss, class T>
void take_loss(const Step<T>& step, const Scratch<T>& scratch, Index first, Index last, bool backward) {
    const Layer<T>& output = step.layer[step.layers - 1];
    each_rows(step, scratch, first, last, [&](Index r, Index count, const Rows<T>& rows) LAMBDA {
        store(step.row_loss + step.wave + r, Loss::of(rows), static_cast<int>(count));
        if (backward)
            out_of_lanes(scratch.scores, step.stride, count, output.outputs, output.d + r * PANEL<T>, output.sloped);
    });
}

template <class T> using TakeLoss = void (*)(const Step<T>&, const Scratch<T>&, Index, Index, bool);

#define ROW_OF_ELEMENTS(name, Type) take_loss<Elementwise<Type>, T>,
#define ROW_OF_ROWS(name, Type) take_loss<Type, T>,
template <class T>
constexpr TakeLoss<T> TAKE_LOSS[] = {CHAINRULE_ELEMENT_LOSSES(ROW_OF_ELEMENTS) CHAINRULE_ROW_LOSSES(ROW_OF_ROWS)};
#undef ROW_OF_ELEMENTS
#undef ROW_OF_ROWS

}  // namespace chainrule::CHAINRULE_SET
