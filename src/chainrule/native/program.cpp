// One training step on one instruction set; compiled once for each, with CHAINRULE_SET its name.
#include "activations.hpp"
#include "augment.hpp"
#include "links.hpp"
#include "losses.hpp"
#include "philox.hpp"
#include "plan.hpp"
#include "products.hpp"
#include "transpose.hpp"
#include "updates.hpp"

namespace chainrule::CHAINRULE_SET {
namespace {

// Copy rows of X into panels.
template <class T> void gather(const T* X, Index inputs, const Index* order, Index start, T* x, Index stride, Index rows) {
    for (Index r = 0; r < rows; ++r) {
        const T* row = X + (order ? order[r] : start + r) * inputs;
        if (order && r + 2 < rows) __builtin_prefetch(X + order[r + 2] * inputs);
        T* to = x + r * PANEL<T>;
        for (Index c = 0; c < inputs; c += PANEL<T>, to += stride)
            for (int v = 0; v < PANEL<T>; v += LANES<T>) {
                const Index rest = inputs - c - v;
                if (rest > 0) store(to + v, load<Vector<T>>(row + c + v, static_cast<int>(smaller<Index>(rest, LANES<T>))));
            }
    }
}

// y = f(x W + b), and d = f' where it is asked for; all in panels `stride` apart.
template <class T> void forward(const Layer<T>& layer, const T* x, T* y, T* d, Index stride, Index rows) {
    for (Index j = 0; j * PANEL<T> < layer.outputs; ++j) {
        const Index columns = smaller<Index>(PANEL<T>, layer.outputs - j * PANEL<T>);
        T* panel = y + j * stride;
        multiply({x, stride}, layer.packed + j * layer.inputs * PANEL<T>, layer.inputs, panel, rows, columns);
        ACTIVATE<T>[layer.activation](panel, d && layer.activation ? d + j * stride : nullptr,
                                      layer.bias + j * PANEL<T>, layer.setting, rows,
                                      static_cast<int>(panels(columns, LANES<T>)));
    }
}

// dL/dz of the layer before: (dz Wᵀ) f'.
template <class T>
void pull(const Layer<T>& layer, const Layer<T>& before, Scratch<T>& scratch, Index first, Index stride, Index rows) {
    for (Index j = 0; j * PANEL<T> < layer.inputs; ++j) {
        const Index columns = smaller<Index>(PANEL<T>, layer.inputs - j * PANEL<T>);
        T* d = before.d + j * stride + first * PANEL<T>;
        T* product = before.activation ? scratch.block : d;
        multiply({layer.d + first * PANEL<T>, stride}, layer.transposed + j * layer.outputs * PANEL<T>, layer.outputs,
                 product, rows, columns);
        if (!before.activation) continue;
        for (Index i = 0; i < rows * PANEL<T>; i += LANES<T>)
            store(d + i, load<Vector<T>>(d + i) * load<Vector<T>>(product + i));
    }
}

template <class T> void block(const Step<T>& step, Scratch<T>& scratch, Index first, Index last, bool backward) {
    const Index rows = last - first, offset = first * PANEL<T>;
    if (!step.gathered)
        gather(step.X, step.layer[0].inputs, step.order ? step.order + step.wave + first : nullptr,
               step.start + step.wave + first, step.x + offset, step.stride, rows);
    const T* x = step.x + offset;
    for (int l = 0; l < step.layers; x = step.layer[l++].y + offset)
        forward(step.layer[l], x, step.layer[l].y + offset, backward ? step.layer[l].d + offset : nullptr, step.stride, rows);
    TAKE_LOSS<T>[step.loss.kind](step, scratch, first, last, backward);
    for (int l = step.layers - 1; backward && l > 0; --l)
        pull(step.layer[l], step.layer[l - 1], scratch, first, step.stride, rows);
}

// Rows first to last of the wave: their losses and, on the way back, dL/dz of every layer.
template <class T> void take_rows(const Step<T>& step, Scratch<T>& scratch, Index first, Index last, bool backward) {
    const Index count = panels(last - first, BLOCK);
    for (Index b = 0; b < count; ++b) {
        if (scratch.watch && scratch.watch->given_up()) return;
        block(step, scratch, first + (last - first) * b / count, first + (last - first) * (b + 1) / count, backward);
    }
}

// A unit: `rows` weights down from input `row`, panels first to last of layer l.
struct Unit {
    int l;
    Index number, row, first, last;
};

template <class T, class F> INLINE void each_unit(const Step<T>& step, Index first, Index last, F f) {
    int l = 0;
    for (Index u = first; u < last; ++u) {
        while (l + 1 < step.layers && u >= step.layer[l + 1].first_unit) ++l;
        const Layer<T>& layer = step.layer[l];
        const Index groups = panels(layer.inputs, PANEL<T>), unit = u - layer.first_unit, panel = unit / groups * layer.width;
        f(Unit{l, u, unit % groups * PANEL<T>, panel, smaller(panel + layer.width, panels(layer.outputs, PANEL<T>))});
    }
}

template <class T> Piece<T> weights_of(const Step<T>& step, const Unit& unit) {
    const Layer<T>& layer = step.layer[unit.l];
    const Index column = unit.first * PANEL<T>;
    return {layer.weights + unit.row * layer.outputs + column, layer.outputs, smaller<Index>(PANEL<T>, layer.inputs - unit.row),
            smaller(unit.last * PANEL<T>, layer.outputs) - column, step.weights, unit.number};
}

template <class T> Piece<T> biases_of(const Step<T>& step, const Layer<T>& layer, Index j) {
    const Index column = j * PANEL<T>;
    return {layer.biases + column, 0, 1, smaller<Index>(PANEL<T>, layer.outputs - column), step.biases, layer.bias_slot + j};
}

template <class T> void copy(const T* from, Index apart, Index rows, Index columns, T* to) {
    each_vector(rows, columns, LANES<T>, [&](Index r, Index c, int count) LAMBDA {
        store(to + r * PANEL<T> + c, load<Vector<T>>(from + r * apart + c, count));
    });
}

// Copy a unit of θ, and the biases beside its first inputs, into panels: both ways round for training.
template <class T> void pack(const Step<T>& step, const Unit& unit) {
    const Layer<T>& layer = step.layer[unit.l];
    const Piece<T> piece = weights_of(step, unit);
    for (Index j = unit.first; j < unit.last; ++j) {
        const Index column = j * PANEL<T>, columns = smaller<Index>(PANEL<T>, layer.outputs - column);
        T* packed = layer.packed + (j * layer.inputs + unit.row) * PANEL<T>;
        copy(step.theta + piece.at + column - unit.first * PANEL<T>, piece.apart, piece.rows, columns, packed);
        if (layer.transposed) transpose(packed, layer.transposed + unit.row * layer.outputs + column * PANEL<T>, piece.rows, columns);
        if (unit.row == 0) copy(step.theta + layer.biases + column, 0, 1, columns, layer.bias + column);
    }
}

template <class T> void prepare(const Step<T>& step, Index first, Index last) {
    each_unit(step, first, last, [&](const Unit& unit) {
        pack(step, unit);
        measure(step, weights_of(step, unit));
        for (Index j = unit.first; unit.row == 0 && j < unit.last; ++j) measure(step, biases_of(step, step.layer[unit.l], j));
    });
}

template <class T> void sum_rows(const T* dz, Index first, Index last, T* to, bool add) {
    Vector<T> acc[1][2];
    clear(acc);
    for (Index k = first; k < last; ++k)
        for (int v = 0; v < 2; ++v) acc[0][v] = acc[0][v] + load<Vector<T>>(dz + k * PANEL<T> + v * LANES<T>);
    put(acc, to, PANEL<T>, add);
}

// The gradient of a unit and of the biases beside it, summed over rows first to last of the wave: c, rows `apart`.
template <class T> void differentiate(const Step<T>& step, const Unit& unit, Index first, Index last, T* c, Index apart, bool add) {
    const Layer<T>& layer = step.layer[unit.l];
    const T* x = (unit.l ? step.layer[unit.l - 1].y : step.x) + unit.row / PANEL<T> * step.stride;
    const Index rows = smaller<Index>(PANEL<T>, layer.inputs - unit.row);
    for (Index j = unit.first; j < unit.last; ++j) {
        const T* dz = layer.d + j * step.stride;
        const Index columns = smaller<Index>(PANEL<T>, layer.outputs - j * PANEL<T>);
        multiply_transposed(x, dz, first, last, c + (j - unit.first) * PANEL<T>, apart, rows, columns, add);
        if (unit.row == 0) sum_rows(dz, first, last, layer.bias_gradient + j * PANEL<T>, add);
    }
}

// Units first to last: the wave's share of the gradient and, after the batch's last rows, the update.
template <class T> void update(const Step<T>& step, Scratch<T>& scratch, Index first, Index last) {
    const Move<T> move = MOVE<T>[step.rule];
    const bool ends = step.wave + step.wave_rows == step.rows;  // then all units move, or none
    for (Index k = 0; k < step.wave_rows; k += DEPTH) {
        const Index end = smaller<Index>(k + DEPTH, step.wave_rows);
        const bool add = step.wave + k > 0, done = step.wave + end == step.rows;
        if (!ends && scratch.watch && scratch.watch->given_up()) return;
        each_unit(step, first, last, [&](const Unit& unit) {
            const Layer<T>& layer = step.layer[unit.l];
            const Index apart = layer.width * PANEL<T>;
            T* c = step.rows <= DEPTH ? scratch.unit : layer.gradient + (unit.number - layer.first_unit) * apart * PANEL<T>;
            differentiate(step, unit, k, end, c, apart, add);
            if (!done) return;
            move(step, weights_of(step, unit), c, apart);
            for (Index j = unit.first; unit.row == 0 && j < unit.last; ++j)
                move(step, biases_of(step, layer, j), layer.bias_gradient + j * PANEL<T>, 0);
            pack(step, unit);
        });
    }
}

// Predictions for rows first to last of X, a block at a time through two buffers.
template <class T> void predict(const Step<T>& step, Scratch<T>& scratch, Index first, Index last, int link, T* out) {
    constexpr Index stride = BLOCK * PANEL<T>;
    const Index outputs = step.layer[step.layers - 1].outputs;
    for (Index r = first; r < last; r += BLOCK) {
        if (scratch.watch && scratch.watch->given_up()) return;
        const Index rows = smaller<Index>(BLOCK, last - r);
        T *x = scratch.layer[0], *y = scratch.layer[1];
        gather(step.X, step.layer[0].inputs, nullptr, r, x, stride, rows);
        for (int l = 0; l < step.layers; ++l) {
            forward<T>(step.layer[l], x, y, nullptr, stride, rows);
            T* const swap = x;
            x = y;
            y = swap;
        }
        TAKE_LINK<T>[link](x, stride, rows, outputs, out + r * outputs);
    }
}

bool same(const char* a, const char* b) {
    while (*a && *a == *b) ++a, ++b;
    return *a == *b;
}

template <class T, class F> bool each(const T* x, T* y, Index n, F f) {
    for (Index i = 0; i < n; i += LANES<T>) {
        const int count = static_cast<int>(smaller<Index>(LANES<T>, n - i));
        store(y + i, f(load<Vector<T>>(x + i, count)), count);
    }
    return true;
}

// One function of math.hpp, or an activation's f ("f relu") or f' ("df relu"), over an array: for the tests.
template <class T> bool evaluate(const char* name, const T* x, T* y, Index n, [[maybe_unused]] T setting) {
#define TRY(NAME, F)                                                                                               \
    if (same(name, NAME)) return each<T>(x, y, n, [&](Vector<T> v) LAMBDA { return F; });
    TRY("exp", exp(v)) TRY("expm1", expm1(v)) TRY("log", log(v)) TRY("log1p", log1p(v)) TRY("erf", erf(v))
    TRY("normal_cdf", normal_cdf(v)) TRY("cosine", turned(v).cosine) TRY("sine", turned(v).sine)
#define ROW(name, Type)                                                                                            \
    TRY("f " #name, Type::f(v, setting)) TRY("df " #name, Type::df(v, Type::f(v, setting), setting))
    CHAINRULE_ACTIVATIONS(ROW)
#undef ROW
#undef TRY
    return false;
}

template <class T> constexpr Program<T> PROGRAM = {prepare<T>, take_rows<T>, update<T>, predict<T>, evaluate<T>, augment<T>};

}  // namespace
}  // namespace chainrule::CHAINRULE_SET

namespace chainrule {

#define QUOTE(x) #x
#define NAME_OF(x) QUOTE(x)
#define JOIN(a, b) a##b
#define SET_OF(x) JOIN(set_, x)
extern const InstructionSet SET_OF(CHAINRULE_SET);
const InstructionSet SET_OF(CHAINRULE_SET) = {NAME_OF(CHAINRULE_SET), CHAINRULE_SET::PROGRAM<float>,
                                              CHAINRULE_SET::PROGRAM<double>};

}  // namespace chainrule
