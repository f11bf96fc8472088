// Tiles of the weights, the pieces that threads share out, and their copies in the workspace as a step sees them.
//
// A tile is some rows of W by `width` panels; what has one number for each output stands beside the tile of the first
// inputs. Copies lie in panels, both ways round for training; weights left out at random are 0 in them.
#pragma once

#include "step/stages.hpp"
#include "step/updates.hpp"
#include "vector/transpose.hpp"

namespace chainrule::CHAINRULE_SET {

// A tile: `rows` weights down from input `row`, panels first to last of layer l.
struct Tile {
    int l;
    Index number, row, first, last;
};

template <class T, class F> INLINE void each_tile(const Step<T>& step, Index first, Index last, F f) {
    int l = 0;
    for (Index t = first; t < last; ++t) {
        while (l + 1 < step.layers && t >= step.layer[l + 1].first_tile) ++l;
        const Layer<T>& layer = step.layer[l];
        const Index groups = panels(layer.inputs, PANEL<T>), tile = t - layer.first_tile,
                    panel = tile / groups * layer.width;
        f(Tile{l, t, tile % groups * PANEL<T>, panel, smaller(panel + layer.width, panels(layer.outputs, PANEL<T>))});
    }
}

template <class T> Piece<T> weights_of(const Step<T>& step, const Tile& tile) {
    const Layer<T>& layer = step.layer[tile.l];
    const Index column = tile.first * PANEL<T>;
    return {layer.weights + tile.row * layer.outputs + column,
            layer.outputs,
            smaller<Index>(PANEL<T>, layer.inputs - tile.row),
            smaller(tile.last * PANEL<T>, layer.outputs) - column,
            step.weights,
            tile.number};
}

// The part of a unit parameter that belongs to panel j; a shared one belongs to the first.
template <class T> Piece<T> part_of(const Step<T>& step, const Layer<T>& layer, UnitParameter which, Index j) {
    const Units<T>& units = layer.units[which];
    const Index column = j * PANEL<T>, count = smaller<Index>(PANEL<T>, layer.outputs - column);
    const Strengths<T> strengths = AS_BIAS[which] ? step.biases : Strengths<T>{};
    return {units.at + column, 0, 1, which == SLOPE && layer.shared_slope ? 1 : count, strengths, units.slot + j,
            KIND_OF[which]};
}

// Call f(which, j) for the unit parameters beside a tile of the first inputs.
template <class T, class F> INLINE void each_part(const Step<T>& step, const Tile& tile, F f) {
    const Layer<T>& layer = step.layer[tile.l];
    for (int k = 0; tile.row == 0 && k < UNIT_PARAMETERS; ++k)
        for (Index j = tile.first; layer.units[k].at >= 0 && j < tile.last; ++j)
            if (const auto which = static_cast<UnitParameter>(k); which != SLOPE || !layer.shared_slope || j == 0)
                f(which, j);
}

template <class T> void copy(const T* from, Index apart, Index rows, Index columns, T* to) {
    each_vector(rows, columns, LANES<T>, [&](Index r, Index c, int count) LAMBDA {
        store(to + r * PANEL<T> + c, load<Vector<T>>(from + r * apart + c, count));
    });
}

// Leave out the weights that this step leaves out, or their gradient; `row` is that of W.
template <class T>
void disconnect(const Step<T>& step, const Layer<T>& layer, std::uint64_t number, Index row, Index rows, Index j,
                T* panel, Index apart) {
    const Stream stream{step.seed, CONNECTION, number, layer.connect_block};
    for (Index r = 0; r < rows; ++r)
        each_bits<T>(stream, row + r, layer.outputs, j, [&](int v, const T* bits) LAMBDA {
            multiply_by(panel + r * apart + v, kept(bits, layer.disconnected));
        });
}

// At prediction a batch normalisation is part of W and b: γ / √(v + ε) on each column, β + (b - μ) γ / √(v + ε).
template <class T> void fold(const Step<T>& step, const Layer<T>& layer, Index j, T* packed, Index rows, bool first) {
    using V = Vector<T>;
    const Index column = j * PANEL<T>;
    T* bias = layer.units[BIAS].packed + column;
    for (int v = 0; v < PANEL<T> && column + v < layer.outputs; v += LANES<T>) {
        const int count = static_cast<int>(smaller<Index>(LANES<T>, layer.outputs - column - v));
        const auto at = [&](Index begin) { return load<V>(step.theta + begin + column + v, count); };
        const V steep = at(layer.units[SCALE].at) / square_root(at(layer.variance) + layer.epsilon);
        for (Index r = 0; r < rows; ++r) multiply_by(packed + r * PANEL<T> + v, steep);
        if (first) store(bias + v, at(layer.units[SHIFT].at) + (load<V>(bias + v) - at(layer.mean)) * steep);
    }
}

// Copy panel j of W from a row on, and what stands beside its first inputs, into the workspace as step `number` sees
// them: both ways round for training.
template <class T>
void pack_panel(const Step<T>& step, const Layer<T>& layer, Index row, Index j, std::uint64_t number) {
    const Index column = j * PANEL<T>, columns = smaller<Index>(PANEL<T>, layer.outputs - column);
    const Index rows = smaller<Index>(PANEL<T>, layer.inputs - row);
    T* packed = layer.packed + (j * layer.inputs + row) * PANEL<T>;
    copy(step.theta + layer.weights + row * layer.outputs + column, layer.outputs, rows, columns, packed);
    for (int k = 0; row == 0 && k < UNIT_PARAMETERS; ++k) {
        const Units<T>& units = layer.units[k];
        for (Index c = 0; k == BIAS && units.at < 0 && c < PANEL<T>; ++c)
            units.packed[column + c] = 0;  // `fold` fills it
        if (units.at < 0) continue;
        if (k != SLOPE || !layer.shared_slope)
            copy(step.theta + units.at + column, 0, 1, columns, units.packed + column);
        else  // who moves it packs it for all
            for (Index c = 0; j == 0 && c < layer.outputs; ++c) units.packed[c] = step.theta[units.at];
    }
    if (layer.norm == BATCH_NORM && !step.training) fold(step, layer, j, packed, rows, row == 0);
    if (layer.disconnected != 0 && step.training) disconnect(step, layer, number, row, rows, j, packed, PANEL<T>);
    if (layer.transposed) transpose(packed, layer.transposed + row * layer.outputs + column * PANEL<T>, rows, columns);
}

template <class T> void pack(const Step<T>& step, const Tile& tile, std::uint64_t number) {
    for (Index j = tile.first; j < tile.last; ++j) pack_panel(step, step.layer[tile.l], tile.row, j, number);
}

}  // namespace chainrule::CHAINRULE_SET
