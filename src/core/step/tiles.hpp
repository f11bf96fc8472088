// What happens to the tiles of the weights in a step: gradient, penalties, update, and the new copies.
#pragma once

#include "step/packing.hpp"

namespace chainrule::CHAINRULE_SET {

template <class T> void prepare(const Step<T>& step, Index first, Index last) {
    each_tile(step, first, last, [&](const Tile& tile) {
        pack(step, tile, step.number);
        measure(step, weights_of(step, tile));
        each_part(step, tile,
                  [&](UnitParameter which, Index j) { measure(step, part_of(step, step.layer[tile.l], which, j)); });
    });
}

template <class T> void sum_rows(const T* dz, Index first, Index last, T* to, bool add) {
    Vector<T> acc[1][2];
    clear(acc);
    for (Index k = first; k < last; ++k)
        for (int v = 0; v < 2; ++v) acc[0][v] = acc[0][v] + load<Vector<T>>(dz + k * PANEL<T> + v * LANES<T>);
    put(acc, to, PANEL<T>, add);
}

template <class T> void sum_products(const T* a, const T* b, Index first, Index last, T* to, bool add) {
    Vector<T> acc[1][2];
    clear(acc);
    for (Index k = first; k < last; ++k)
        for (int v = 0; v < 2; ++v) {
            const Index at = k * PANEL<T> + v * LANES<T>;
            acc[0][v] = fma(load<Vector<T>>(a + at), load<Vector<T>>(b + at), acc[0][v]);
        }
    put(acc, to, PANEL<T>, add);
}

// The gradients of panel j of the unit parameters, but for those that a batch normalisation has found already.
template <class T>
void differentiate_units(const Step<T>& step, const Layer<T>& layer, Index j, Index first, Index last, bool add) {
    const Index at = j * step.stride, column = j * PANEL<T>;
    if (layer.units[BIAS].at >= 0) sum_rows(layer.d + at, first, last, layer.units[BIAS].gradient + column, add);
    if (layer.norm == LAYER_NORM) {
        sum_products(layer.upstream + at, layer.normal + at, first, last, layer.units[SCALE].gradient + column, add);
        sum_rows(layer.upstream + at, first, last, layer.units[SHIFT].gradient + column, add);
    }
    if (layer.units[SLOPE].at < 0) return;
    T* slope = layer.units[SLOPE].gradient;
    if (!layer.shared_slope) return sum_rows(layer.e + at, first, last, slope + column, add);
    T whole = 0, part[PANEL<T>];
    for (Index k = 0; j == 0 && k * PANEL<T> < layer.outputs; ++k) {
        sum_rows(layer.e + k * step.stride, first, last, part, false);
        for (Index c = 0; c < smaller<Index>(PANEL<T>, layer.outputs - k * PANEL<T>); ++c) whole += part[c];
    }
    if (j == 0) *slope = add ? *slope + whole : whole;
}

// The gradient of a tile and of what stands beside it, summed over rows first to last of the wave: c, rows `apart`.
template <class T>
void differentiate(const Step<T>& step, const Tile& tile, Index first, Index last, T* c, Index apart, bool add) {
    const Layer<T>& layer = step.layer[tile.l];
    const T* x = (tile.l ? step.layer[tile.l - 1].y : step.x) + tile.row / PANEL<T> * step.stride;
    const Index rows = smaller<Index>(PANEL<T>, layer.inputs - tile.row);
    for (Index j = tile.first; j < tile.last; ++j) {
        const T* dz = layer.d + j * step.stride;
        const Index columns = smaller<Index>(PANEL<T>, layer.outputs - j * PANEL<T>);
        multiply_transposed(x, dz, first, last, c + (j - tile.first) * PANEL<T>, apart, rows, columns, add);
        if (tile.row == 0) differentiate_units(step, layer, j, first, last, add);
    }
}

// The running statistics of a batch normalisation after this step.
template <class T> void settle(const Step<T>& step, const Tile& tile) {
    const Layer<T>& layer = step.layer[tile.l];
    for (Index j = tile.first; layer.norm == BATCH_NORM && tile.row == 0 && j < tile.last; ++j)
        for (Index c = j * PANEL<T>; c < smaller((j + 1) * PANEL<T>, layer.outputs); c += LANES<T>) {
            const int count = static_cast<int>(smaller<Index>(LANES<T>, layer.outputs - c));
            const auto put = [&](const T* from, Index begin) LAMBDA {
                const Vector<T> value = load<Vector<T>>(from + c, count);
                store(step.theta + begin + c, value, count);
                if (step.average) follow(step, begin + c, value, count);
            };
            put(layer.settled_mean, layer.mean);
            put(layer.settled_variance, layer.variance);
        }
}

// The update of a tile and of what stands beside it, from its gradient c, rows `apart`.
template <class T> void finish_tile(const Step<T>& step, const Tile& tile, T* c, Index apart) {
    const Move<T> move = MOVE<T>[static_cast<int>(step.rule)][step.care];
    const Layer<T>& layer = step.layer[tile.l];
    move(step, weights_of(step, tile), c, apart);
    each_part(step, tile, [&](UnitParameter which, Index j) {
        move(step, part_of(step, layer, which, j), layer.units[which].gradient + j * PANEL<T>, 0);
    });
    settle(step, tile);
    pack(step, tile, step.number + 1);
}

template <class T> void complete_tile(const Step<T>& step, const Tile& tile, T* c, Index apart) {
    const Layer<T>& layer = step.layer[tile.l];
    complete(step, weights_of(step, tile), c, apart);
    each_part(step, tile, [&](UnitParameter which, Index j) {
        complete(step, part_of(step, layer, which, j), layer.units[which].gradient + j * PANEL<T>, 0);
    });
}

// Where the gradient of a tile lies until it is complete; its rows are layer.width panels apart.
template <class T> INLINE T* gradient_of(const Layer<T>& layer, Index number) {
    return layer.gradient + (number - layer.first_tile) * layer.width * PANEL<T> * PANEL<T>;
}

// Tiles first to last: the wave's share of the gradient and, after the batch's last rows, the update, unless it is
// deferred until the whole gradient is known.
template <class T> void update(const Step<T>& step, Scratch<T>& scratch, Index first, Index last) {
    const bool ends = step.wave + step.wave_rows == step.rows;  // then all tiles move, or none
    const bool stored = step.rows > DEPTH || step.wave_rows < step.rows || step.defers();
    for (Index k = 0; k < step.wave_rows; k += DEPTH) {
        const Index end = smaller<Index>(k + DEPTH, step.wave_rows);
        const bool add = step.wave + k > 0, done = step.wave + end == step.rows;
        if (!ends && scratch.watch && scratch.watch->given_up()) return;
        each_tile(step, first, last, [&](const Tile& tile) {
            const Layer<T>& layer = step.layer[tile.l];
            const Index apart = layer.width * PANEL<T>;
            T* c = stored ? gradient_of(layer, tile.number) : scratch.tile;
            differentiate(step, tile, k, end, c, apart, add);
            if (!done) return;
            const Index rows = smaller<Index>(PANEL<T>, layer.inputs - tile.row);
            for (Index j = tile.first; layer.disconnected != 0 && j < tile.last; ++j)
                disconnect(step, layer, step.number, tile.row, rows, j, c + (j - tile.first) * PANEL<T>, apart);
            (step.defers() ? complete_tile<T> : finish_tile<T>)(step, tile, c, apart);
        });
    }
}

// Tiles first to last: the deferred update.
template <class T> void move_tiles(const Step<T>& step, Index first, Index last) {
    each_tile(step, first, last, [&](const Tile& tile) {
        const Layer<T>& layer = step.layer[tile.l];
        finish_tile(step, tile, gradient_of(layer, tile.number), layer.width * PANEL<T>);
    });
}

// Call f(row, rows, at, apart) for the pieces of panel j of a layer's weights, or of their gradient, from the top.
template <class T, class F>
INLINE void each_block(const Step<T>& step, const Layer<T>& layer, Index j, bool gradient, F f) {
    const Index down = panels(layer.inputs, PANEL<T>), tile = layer.first_tile + j / layer.width * down;
    for (Index i = 0; i < down; ++i) {
        const Index row = i * PANEL<T>, rows = smaller<Index>(PANEL<T>, layer.inputs - row);
        if (gradient) f(row, rows, gradient_of(layer, tile + i) + j % layer.width * PANEL<T>, layer.width * PANEL<T>);
        else f(row, rows, step.theta + layer.weights + row * layer.outputs + j * PANEL<T>, layer.outputs);
    }
}

// Panels first to last of a layer: the incoming weights of each unit, or their gradient, shortened to a largest norm.
template <class T> void shorten(const Step<T>& step, int l, Index first, Index last, bool gradient) {
    using V = Vector<T>;
    const Layer<T>& layer = step.layer[l];
    const V limit = all<V>(gradient ? step.limit : step.max_norm);
    for (Index j = first; j < last; ++j)
        for (Index v = 0; v < PANEL<T> && j * PANEL<T> + v < layer.outputs; v += LANES<T>) {
            const int count = static_cast<int>(smaller<Index>(LANES<T>, layer.outputs - j * PANEL<T> - v));
            V square = zero<V>();
            each_block(step, layer, j, gradient, [&](Index, Index rows, T* at, Index apart) LAMBDA {
                for (Index r = 0; r < rows; ++r) {
                    const V w = load<V>(at + r * apart + v, count);
                    square = fma(w, w, square);
                }
            });
            const V norm = square_root(square), factor = select(norm > limit, limit / maximum(norm, limit), all<V>(1));
            each_block(step, layer, j, gradient, [&](Index row, Index rows, T* at, Index apart) LAMBDA {
                for (Index r = 0; r < rows; ++r) {
                    const V w = load<V>(at + r * apart + v, count) * factor;
                    store(at + r * apart + v, w, count);
                    if (!gradient && step.average)
                        follow(step, layer.weights + (row + r) * layer.outputs + j * PANEL<T> + v, w, count);
                }
            });
        }
    for (Index j = first; !gradient && j < last; ++j)
        for (Index row = 0; row < layer.inputs; row += PANEL<T>) pack_panel(step, layer, row, j, step.number + 1);
}

template <class T> void measure_tiles(const Step<T>& step, Index first, Index last) {
    each_tile(step, first, last, [&](const Tile& tile) { measure(step, weights_of(step, tile)); });
}

}  // namespace chainrule::CHAINRULE_SET
