// Products with second derivatives and rows of the Jacobian, on one instruction set in one precision; compiled once for
// each, as program.cpp.
//
//     forward    R{z} = R{x} W + x V + v_b      R{y} = f' R{z}      R{f'} = f'' R{z}
//     back       R{dy} = R{dz} Wᵀ + dz Vᵀ       R{dz} = R{dy} f' + dy R{f'}
//     tiles      R{dW} = xᵀ R{dz} + R{x}ᵀ dz    R{db} = Σ R{dz}
//
// The Gauss-Newton product takes L'' R{scores} back as a step does dL/dscores: the terms with dz drop out.
#include "step/second_order.hpp"

#include "step/inputs.hpp"
#include "step/passes.hpp"
#include "step/scoring.hpp"
#include "step/tiles.hpp"

namespace chainrule::CHAINRULE_SET {
namespace {

// The part of v that lies beside a tile of W, packed as W is.
template <class T> void pack_along(const Step<T>& step, const Curve<T>& curve, const Tile& tile) {
    const Layer<T>& layer = step.layer[tile.l];
    const Along<T>& along = curve.along[tile.l];
    for (Index j = tile.first; j < tile.last; ++j) {
        const Index column = j * PANEL<T>, columns = smaller<Index>(PANEL<T>, layer.outputs - column),
                    rows = smaller<Index>(PANEL<T>, layer.inputs - tile.row);
        T* packed = along.packed + (j * layer.inputs + tile.row) * PANEL<T>;
        copy(curve.v + layer.weights + tile.row * layer.outputs + column, layer.outputs, rows, columns, packed);
        if (along.transposed)
            transpose(packed, along.transposed + tile.row * layer.outputs + column * PANEL<T>, rows, columns);
        if (tile.row == 0 && layer.units[BIAS].at >= 0)
            copy(curve.v + layer.units[BIAS].at + column, 0, 1, columns, along.bias + column);
    }
}

template <class T> void prepare_along(const Step<T>& step, const Curve<T>& curve, Index first, Index last) {
    prepare(step, first, last);
    if (!curve.v) return;
    each_tile(step, first, last, [&](const Tile& tile) { pack_along(step, curve, tile); });
}

// y, f', R{y} and, for a Hessian, R{f'} of a layer for rows `first` of the wave on.
template <class T> void forward_along(const Step<T>& step, const Curve<T>& curve, int l, Index first, Index rows) {
    const Layer<T>& layer = step.layer[l];
    const Along<T>& along = curve.along[l];
    const Index offset = first * PANEL<T>;
    const T* x = (l ? step.layer[l - 1].y : step.x) + offset;
    for (Index j = 0; j * PANEL<T> < layer.outputs; ++j) {
        const Index at = j * step.stride + offset, column = j * PANEL<T>, begin = column * layer.inputs,
                    columns = smaller<Index>(PANEL<T>, layer.outputs - column);
        T *y = layer.y + at, *dy = along.y + at;
        multiply({x, step.stride}, layer.packed + begin, layer.inputs, y, rows, columns);
        multiply({x, step.stride}, along.packed + begin, layer.inputs, dy, rows, columns);
        if (l)
            multiply({curve.along[l - 1].y + offset, step.stride}, layer.packed + begin, layer.inputs, dy, rows,
                     columns, true);
        ACTIVATE_ALONG<T>[layer.activation](
            y, layer.sloped ? layer.d + at : nullptr, dy,
            layer.sloped&& curve.product == Product::HESSIAN ? along.bent + at : nullptr,
            layer.units[BIAS].packed + column, along.bias + column, layer.setting, rows,
            static_cast<int>(panels(columns, LANES<T>)));
    }
}

// Call f(at) for the vectors of rows `first` on of the wave, panel by panel.
template <class T, class F> INLINE void each_entry(const Step<T>& step, Index columns, Index first, Index rows, F f) {
    for (Index j = 0; j * PANEL<T> < columns; ++j)
        for (Index i = 0; i < rows * PANEL<T>; i += LANES<T>) f(j * step.stride + first * PANEL<T> + i);
}

// dL/dz and R{dL/dz} of the last layer, from dL/dscores in along.y and its change in along.d.
template <class T> void enter(const Step<T>& step, const Curve<T>& curve, Index first, Index rows) {
    using V = Vector<T>;
    const Layer<T>& layer = step.layer[step.layers - 1];
    const Along<T>& along = curve.along[step.layers - 1];
    const bool hessian = curve.product == Product::HESSIAN;
    each_entry(step, layer.outputs, first, rows, [&](Index at) LAMBDA {
        V change = load<V>(along.d + at);
        if (layer.sloped) change = change * load<V>(layer.d + at);
        if (hessian) {
            V g = load<V>(along.y + at);
            if (layer.sloped) change = fma(g, load<V>(along.bent + at), change), g = g * load<V>(layer.d + at);
            store(layer.d + at, g);
        }
        store(along.d + at, change);
    });
}

// R{dL/dz} of the layer before, and for a Hessian its dL/dz.
template <class T>
void pull_along(const Step<T>& step, const Curve<T>& curve, int l, Scratch<T>& scratch, Index first, Index rows) {
    using V = Vector<T>;
    const Layer<T>&layer = step.layer[l], &before = step.layer[l - 1];
    const Along<T>&along = curve.along[l], &ahead = curve.along[l - 1];
    const Index offset = first * PANEL<T>;
    const bool hessian = curve.product == Product::HESSIAN;
    for (Index j = 0; j * PANEL<T> < layer.inputs; ++j) {
        const Index columns = smaller<Index>(PANEL<T>, layer.inputs - j * PANEL<T>), at = j * step.stride + offset,
                    begin = j * layer.outputs * PANEL<T>;
        T *change = ahead.d + at, *d = before.d + at;
        multiply({along.d + offset, step.stride}, layer.transposed + begin, layer.outputs, change, rows, columns);
        if (hessian) {
            T* dy = before.sloped ? scratch.block : d;
            multiply({layer.d + offset, step.stride}, along.transposed + begin, layer.outputs, change, rows, columns,
                     true);
            multiply({layer.d + offset, step.stride}, layer.transposed + begin, layer.outputs, dy, rows, columns);
        }
        for (Index i = 0; before.sloped && i < rows * PANEL<T>; i += LANES<T>) {
            const V slope = load<V>(d + i);
            V moved = load<V>(change + i) * slope;
            if (hessian) {
                const V dy = load<V>(scratch.block + i);
                moved = fma(dy, load<V>(ahead.bent + at + i), moved);
                store(d + i, dy * slope);
            }
            store(change + i, moved);
        }
    }
}

// L'' R{scores} into along.d and, for a Hessian, dL/dscores into along.y, of rows first to last of the wave.
template <class Loss, class T>
void take_bend(const Step<T>& step, const Curve<T>& curve, const Scratch<T>& scratch, Index first, Index last) {
    const Along<T>& along = curve.along[step.layers - 1];
    const Index outputs = step.layer[step.layers - 1].outputs;
    each_rows(step, scratch, first, last, [&](Index r, Index count, const Rows<T>& rows) LAMBDA {
        const Index at = r * PANEL<T>;
        into_lanes(along.y + at, step.stride, count, outputs, scratch.along);
        Loss::bend(rows);
        out_of_lanes(scratch.along, step.stride, count, outputs, along.d + at, false);
        if (curve.product != Product::HESSIAN) return;
        Loss::of(rows);
        out_of_lanes(scratch.scores, step.stride, count, outputs, along.y + at, false);
    });
}

// Column k of the root of L'' of each row into along.d.
template <class Loss, class T>
void take_root(const Step<T>& step, const Curve<T>& curve, const Scratch<T>& scratch, Index k, Index first,
               Index last) {
    const Index outputs = step.layer[step.layers - 1].outputs;
    each_rows(step, scratch, first, last, [&](Index r, Index count, const Rows<T>& rows) LAMBDA {
        Loss::root(rows, k);
        out_of_lanes(scratch.along, step.stride, count, outputs, curve.along[step.layers - 1].d + r * PANEL<T>, false);
    });
}

// dL/dscores of each row into along.d, and its loss.
template <class Loss, class T>
void take_slope(const Step<T>& step, const Curve<T>& curve, const Scratch<T>& scratch, Index first, Index last) {
    const Index outputs = step.layer[step.layers - 1].outputs;
    each_rows(step, scratch, first, last, [&](Index r, Index count, const Rows<T>& rows) LAMBDA {
        store(step.row_loss + step.wave + r, Loss::of(rows), static_cast<int>(count));
        out_of_lanes(scratch.scores, step.stride, count, outputs, curve.along[step.layers - 1].d + r * PANEL<T>, false);
    });
}

template <class T> struct Curvature {
    void (*bend)(const Step<T>&, const Curve<T>&, const Scratch<T>&, Index, Index);
    void (*root)(const Step<T>&, const Curve<T>&, const Scratch<T>&, Index, Index, Index);
    void (*slope)(const Step<T>&, const Curve<T>&, const Scratch<T>&, Index, Index);
};

#define ROW_OF_ELEMENTS(name, Type) \
    {take_bend<Elementwise<Type>, T>, take_root<Elementwise<Type>, T>, take_slope<Elementwise<Type>, T>},
#define ROW_OF_ROWS(name, Type) {take_bend<Type, T>, take_root<Type, T>, take_slope<Type, T>},
template <class T>
constexpr Curvature<T> CURVATURE[] = {CHAINRULE_ELEMENT_LOSSES(ROW_OF_ELEMENTS) CHAINRULE_ROW_LOSSES(ROW_OF_ROWS)};
#undef ROW_OF_ELEMENTS
#undef ROW_OF_ROWS

// f(r, c, place) for every score of rows first to last of the wave; its place within along.d.
template <class T, class F> INLINE void each_score(const Step<T>& step, Index first, Index last, F f) {
    const Index outputs = step.layer[step.layers - 1].outputs;
    for (Index r = first; r < last; ++r)
        for (Index c = 0; c < outputs; ++c) f(r, c, c / PANEL<T> * step.stride + r * PANEL<T> + c % PANEL<T>);
}

template <class T> void forward_block(const Step<T>& step, const Scratch<T>& scratch, Index first, Index rows) {
    take_inputs(step, scratch, first, rows);
    const T* x = step.x + first * PANEL<T>;
    for (int l = 0; l < step.layers; x = step.layer[l++].y + first * PANEL<T>)
        forward(step, step.layer[l], x, places_of(step.layer[l], first, true), step.stride, step.wave + first, rows);
}

// From dL/dscores in along.d to dL/dz of every layer.
template <class T>
void pull_block(const Step<T>& step, const Curve<T>& curve, Scratch<T>& scratch, Index first, Index rows) {
    enter(step, curve, first, rows);
    for (int l = step.layers - 1; l > 0; --l) pull_along(step, curve, l, scratch, first, rows);
}

template <class T>
void product_block(const Step<T>& step, const Curve<T>& curve, Scratch<T>& scratch, Index first, Index last) {
    const Index rows = last - first;
    T* entered = curve.along[step.layers - 1].d;
    if (curve.product == Product::PULL) {
        forward_block(step, scratch, first, rows);
        const Index outputs = step.layer[step.layers - 1].outputs;
        each_score(step, first, last, [&](Index r, Index c, Index at) LAMBDA {
            entered[at] = curve.dscores[(step.wave + r) * outputs + c];
        });
    } else {
        take_inputs(step, scratch, first, rows);
        for (int l = 0; l < step.layers; ++l) forward_along(step, curve, l, first, rows);
        CURVATURE<T>[step.loss.kind].bend(step, curve, scratch, first, last);
    }
    pull_block(step, curve, scratch, first, rows);
}

// Call f(first, last) for blocks of rows of the wave, until the work is given up.
template <class T, class F> INLINE void by_blocks(const Scratch<T>& scratch, Index first, Index last, F f) {
    const Index count = panels(last - first, BLOCK);
    for (Index b = 0; b < count; ++b) {
        if (scratch.watch && scratch.watch->given_up()) return;
        f(first + (last - first) * b / count, first + (last - first) * (b + 1) / count);
    }
}

template <class T>
void product_rows(const Step<T>& step, const Curve<T>& curve, Scratch<T>& scratch, Index first, Index last) {
    by_blocks(scratch, first, last, [&](Index a, Index b) { product_block(step, curve, scratch, a, b); });
}

// out = or += the wave's share c of a piece of θ, and in the first wave the penalties' product with v.
template <class T>
void add_share(const Step<T>& step, const Curve<T>& curve, const Piece<T>& piece, const T* c, Index apart) {
    using V = Vector<T>;
    each_vector(piece.rows, piece.columns, LANES<T>, [&](Index r, Index column, int count) LAMBDA {
        const Index at = piece.at + r * piece.apart + column;
        V share = load<V>(c + r * apart + column, count);
        if (step.wave) share = load<V>(curve.out + at, count) + share;
        else if (curve.v && piece.strengths.l2 != 0)
            share = fma(load<V>(curve.v + at, count), piece.strengths.l2, share);
        store(curve.out + at, share, count);
    });
}

// Tiles first to last: the wave's share of what is wanted.
template <class T>
void product_tiles(const Step<T>& step, const Curve<T>& curve, Scratch<T>& scratch, Index first, Index last) {
    each_tile(step, first, last, [&](const Tile& tile) {
        const Layer<T>& layer = step.layer[tile.l];
        const Along<T>& along = curve.along[tile.l];
        const Index down = tile.row / PANEL<T> * step.stride, rows = smaller<Index>(PANEL<T>, layer.inputs - tile.row),
                    apart = layer.width * PANEL<T>;
        const T* x = (tile.l ? step.layer[tile.l - 1].y : step.x) + down;
        for (Index k = 0; k < step.wave_rows; k += DEPTH) {
            const Index end = smaller<Index>(k + DEPTH, step.wave_rows);
            for (Index j = tile.first; j < tile.last; ++j) {
                const Index across = j * step.stride, columns = smaller<Index>(PANEL<T>, layer.outputs - j * PANEL<T>);
                T* c = scratch.tile + (j - tile.first) * PANEL<T>;
                multiply_transposed(x, along.d + across, k, end, c, apart, rows, columns, k > 0);
                if (tile.l && curve.product == Product::HESSIAN)
                    multiply_transposed(curve.along[tile.l - 1].y + down, layer.d + across, k, end, c, apart, rows,
                                        columns, true);
            }
        }
        add_share(step, curve, weights_of(step, tile), scratch.tile, apart);
        each_part(step, tile, [&](UnitParameter which, Index j) {
            T sums[PANEL<T>];
            for (Index k = 0; k < step.wave_rows; k += DEPTH)
                sum_rows(along.d + j * step.stride, k, smaller<Index>(k + DEPTH, step.wave_rows), sums, k > 0);
            add_share(step, curve, part_of(step, layer, which, j), sums, 0);
        });
    });
}

// to (inputs, outputs) = x dzᵀ, of one row of two matrices in panels.
template <class T, class To>
INLINE void outer_product(const T* x, const T* dz, Index stride, Index inputs, Index outputs, To* to) {
    const auto each = [&](Index count, auto f) LAMBDA {
        for (Index a = 0; a < count; a += PANEL<T>) f(a, smaller<Index>(PANEL<T>, count - a));
    };
    if (outputs == 1)  // then rows of W are too short to fill a register
        return each(inputs, [&](Index a, Index some) LAMBDA {
            for (Index i = 0; i < some; ++i)
                to[a + i] = static_cast<To>(x[a / PANEL<T> * stride + i]) * static_cast<To>(*dz);
        });
    each(inputs, [&](Index a, Index some) LAMBDA {
        for (Index i = 0; i < some; ++i) {
            const To factor = static_cast<To>(x[a / PANEL<T> * stride + i]);
            To* w = to + (a + i) * outputs;
            each(outputs, [&](Index c, Index across) LAMBDA {
                for (Index v = 0; v < across; ++v) w[c + v] = factor * static_cast<To>(dz[c / PANEL<T> * stride + v]);
            });
        }
    });
}

// to (P,) = d/dθ of one row, for which along.d holds dL/dz of every layer; r is its number in the wave.
template <class T, class To> void form_row(const Step<T>& step, const Curve<T>& curve, Index r, To* to) {
    for (int l = 0; l < step.layers; ++l) {
        const Layer<T>& layer = step.layer[l];
        const T *x = (l ? step.layer[l - 1].y : step.x) + r * PANEL<T>, *dz = curve.along[l].d + r * PANEL<T>;
        outer_product(x, dz, step.stride, layer.inputs, layer.outputs, to + layer.weights);
        const T one = 1;
        if (layer.units[BIAS].at >= 0)
            outer_product(&one, dz, step.stride, 1, layer.outputs, to + layer.units[BIAS].at);
    }
}

// Row q of the panels (of 16 numbers) = a row of P.
INLINE void put_panels(const double* row, Index parameters, double* panels_at, Index stride, Index q) {
    using V = Vector<double>;
    for (Index p = 0; p < parameters; p += PANEL<double>)
        for (int v = 0; v < PANEL<double>; v += LANES<double>)
            store(panels_at + p / PANEL<double> * stride + q * PANEL<double> + v, load<V>(row + p + v));
}

template <class T>
void jacobian_block(const Step<T>& step, const Curve<T>& curve, Scratch<T>& scratch, const JacobianRows<T>& to,
                    Index first, Index last) {
    const Index outputs = step.layer[step.layers - 1].outputs, rows = last - first;
    T* entered = curve.along[step.layers - 1].d;
    const Curvature<T>& curvature = CURVATURE<T>[step.loss.kind];
    forward_block(step, scratch, first, rows);
    for (Index k = 0; k < outputs; ++k) {
        if (to.rooted) curvature.root(step, curve, scratch, k, first, last);
        else
            each_score(step, first, last, [&](Index, Index c, Index at) LAMBDA { entered[at] = c == k ? T(1) : T(0); });
        pull_block(step, curve, scratch, first, rows);
        for (Index r = first; r < last; ++r) {
            const Index q = r * outputs + k, number = step.wave * outputs + q;
            if (to.plain) form_row(step, curve, r, to.plain + number * to.parameters);
            if (to.matrix) form_row(step, curve, r, to.matrix + number * to.parameters);
            if (!to.panels) continue;
            form_row(step, curve, r, to.row);
            put_panels(to.row, to.parameters, to.panels, to.stride, q);
        }
    }
    if (!to.rooted) return;
    curvature.slope(step, curve, scratch, first, last);
    pull_block(step, curve, scratch, first, rows);
}

template <class T>
void jacobian(const Step<T>& step, const Curve<T>& curve, Scratch<T>& scratch, const JacobianRows<T>& to, Index first,
              Index last) {
    by_blocks(scratch, first, last, [&](Index a, Index b) { jacobian_block(step, curve, scratch, to, a, b); });
}

template <class T>
constexpr SecondOrder<T> SECOND_ORDER = {prepare_along<T>, product_rows<T>, product_tiles<T>, jacobian<T>};

}  // namespace
}  // namespace chainrule::CHAINRULE_SET

namespace chainrule {

#define JOINED(set, number) second_order_##set##_##number
#define SECOND_ORDER_OF(set, number) JOINED(set, number)
extern const SecondOrder<CHAINRULE_NUMBER> SECOND_ORDER_OF(CHAINRULE_SET, CHAINRULE_NUMBER);
const SecondOrder<CHAINRULE_NUMBER> SECOND_ORDER_OF(CHAINRULE_SET,
                                                    CHAINRULE_NUMBER) = CHAINRULE_SET::SECOND_ORDER<CHAINRULE_NUMBER>;

}  // namespace chainrule
