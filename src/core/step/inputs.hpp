// Rows of data on their way into the workspace: gathered, augmented, mixed with the next.
#pragma once

#include "formulas/augment.hpp"
#include "step/stages.hpp"

namespace chainrule::CHAINRULE_SET {

template <class T> INLINE void put_row(const T* row, Index inputs, T* to, Index stride) {
    for (Index c = 0; c < inputs; c += PANEL<T>, to += stride)
        for (int v = 0; v < PANEL<T>; v += LANES<T>) {
            const Index rest = inputs - c - v;
            if (rest > 0) store(to + v, load<Vector<T>>(row + c + v, static_cast<int>(smaller<Index>(rest, LANES<T>))));
        }
}

// Copy rows of X into panels.
template <class T>
void gather(const T* X, Index inputs, const Index* order, Index start, T* x, Index stride, Index rows) {
    for (Index r = 0; r < rows; ++r) {
        if (order && r + 2 < rows) __builtin_prefetch(X + order[r + 2] * inputs);
        put_row(X + (order ? order[r] : start + r) * inputs, inputs, x + r * PANEL<T>, stride);
    }
}

// Which row of X row r of the batch is.
template <class T> INLINE Index source_of(const Step<T>& step, Index r) {
    return step.order ? step.order[r] : step.start + r;
}

// The row that row r of the batch is mixed with.
template <class T> INLINE Index partner_of(const Step<T>& step, Index r) { return r + 1 < step.rows ? r + 1 : 0; }

// Row r of the batch, augmented in `buffer` where anything augments it.
template <class T> const T* changed_row(const Step<T>& step, const Scratch<T>& scratch, Index r, T* buffer) {
    const T* row = step.X + source_of(step, r) * step.layer[0].inputs;
    for (int k = 0; k < step.augmentations; row = buffer, ++k)
        augment(step.augmentation[k], {step.seed, AUGMENTATION, step.number, static_cast<std::uint64_t>(k)}, r, row,
                buffer, scratch.workspace);
    return row;
}

// Rows from `row` of the batch on, augmented and mixed, into panels.
template <class T> void gather_changed(const Step<T>& step, const Scratch<T>& scratch, Index row, T* x, Index rows) {
    const Index inputs = step.layer[0].inputs;
    T *buffer = scratch.row[0], *other = scratch.row[1];
    const T* here = changed_row(step, scratch, row, buffer);
    for (Index r = 0; r < rows; ++r) {
        const bool last = r + 1 == rows;
        const T* next = step.mixes ? changed_row(step, scratch, partner_of(step, row + r), other)
                        : last     ? here
                                   : changed_row(step, scratch, row + r + 1, other);
        T* mixed = scratch.row[2];
        for (Index c = 0; step.mixes && c < inputs; c += LANES<T>) {
            const int count = static_cast<int>(smaller<Index>(LANES<T>, inputs - c));
            const Vector<T> a = load<Vector<T>>(here + c, count), b = load<Vector<T>>(next + c, count);
            store(mixed + c, a * step.mix + b * (T(1) - step.mix), count);
        }
        put_row<T>(step.mixes ? mixed : here, inputs, x + r * PANEL<T>, step.stride);
        T* const swap = buffer;
        buffer = other;
        other = swap;
        here = next;
    }
}

// The inputs of rows `first` on of the wave, with their noise, into the workspace.
template <class T> void take_inputs(const Step<T>& step, const Scratch<T>& scratch, Index first, Index rows) {
    const Index inputs = step.layer[0].inputs, row = step.wave + first;
    T* x = step.x + first * PANEL<T>;
    if (step.augmentations || step.mixes) gather_changed(step, scratch, row, x, rows);
    else if (!step.gathered)
        gather(step.X, inputs, step.order ? step.order + row : nullptr, step.start + row, x, step.stride, rows);
    for (Index j = 0; step.training && step.input.disturbs() && j * PANEL<T> < inputs; ++j)
        disturb(step, step.input, Panel<T>{j, inputs, x + j * step.stride, nullptr, nullptr}, row, rows);
}

}  // namespace chainrule::CHAINRULE_SET
