// One training step on one instruction set; compiled once for each, with CHAINRULE_SET its name.
#include "inputs.hpp"
#include "losses.hpp"
#include "products.hpp"
#include "transpose.hpp"
#include "updates.hpp"

namespace chainrule::CHAINRULE_SET {
namespace {

// A layer's panels of the workspace, for rows `first` of the wave on.
template <class T> struct Places {
    T *y, *d, *e, *normal, *inverse;
};

template <class T> Places<T> places_of(const Layer<T>& layer, Index first, bool backward) {
    const auto from = [&](T* panels, Index apart) { return panels ? panels + first * apart : nullptr; };
    if (!backward) return {from(layer.y, PANEL<T>), nullptr, nullptr, nullptr, nullptr};
    return {from(layer.y, PANEL<T>), layer.sloped ? from(layer.d, PANEL<T>) : nullptr, from(layer.e, PANEL<T>),
            from(layer.normal, PANEL<T>), layer.norm == LAYER_NORM ? from(layer.inverse, 1) : nullptr};
}

// z = x W, without b.
template <class T> void product(const Layer<T>& layer, const T* x, T* y, Index stride, Index rows) {
    for (Index j = 0; j * PANEL<T> < layer.outputs; ++j)
        multiply({x, stride}, layer.packed + j * layer.inputs * PANEL<T>, layer.inputs, y + j * stride, rows,
                 smaller<Index>(PANEL<T>, layer.outputs - j * PANEL<T>));
}

// A whole layer for rows from `row` of the batch on; all in panels `stride` apart.
template <class T>
void forward(const Step<T>& step, const Layer<T>& layer, const T* x, const Places<T>& to, Index stride, Index row, Index rows) {
    const bool norm = layer.norm == LAYER_NORM;
    if (norm) {
        product(layer, x, to.y, stride, rows);
        normalize_rows(layer, to.y, to.normal, to.inverse, stride, rows);
    }
    for (Index j = 0; j * PANEL<T> < layer.outputs; ++j) {
        const auto panel_of = [&](T* panels) { return panels ? panels + j * stride : nullptr; };
        const Panel<T> panel{j, layer.outputs, panel_of(to.y), panel_of(to.d), panel_of(to.e)};
        if (!norm)
            multiply({x, stride}, layer.packed + j * layer.inputs * PANEL<T>, layer.inputs, panel.y, rows,
                     smaller<Index>(PANEL<T>, layer.outputs - j * PANEL<T>));
        finish(step, layer, panel, layer.units[norm ? SHIFT : BIAS].packed + j * PANEL<T>, row, rows);
    }
}

// dL/dz of the layer before, or dL/dy of its normalisation: (dz Wᵀ) f'.
template <class T>
void pull(const Layer<T>& layer, const Layer<T>& before, Scratch<T>& scratch, Index first, Index stride, Index rows) {
    for (Index j = 0; j * PANEL<T> < layer.inputs; ++j) {
        const Index columns = smaller<Index>(PANEL<T>, layer.inputs - j * PANEL<T>), at = j * stride + first * PANEL<T>;
        T* d = before.d + at;
        T* product = before.sloped ? scratch.block : d;
        multiply({layer.d + first * PANEL<T>, stride}, layer.transposed + j * layer.outputs * PANEL<T>, layer.outputs,
                 product, rows, columns);
        for (Index i = 0; before.e && i < rows * PANEL<T>; i += LANES<T>)
            multiply_by(before.e + at + i, load<Vector<T>>(product + i));
        for (Index i = 0; before.sloped && i < rows * PANEL<T>; i += LANES<T>)
            multiply_by(d + i, load<Vector<T>>(product + i));
    }
    if (before.norm == LAYER_NORM) normalize_rows_back(before, first, stride, rows);
}

template <class T> void block(const Step<T>& step, Scratch<T>& scratch, const Phase& phase, Index first, Index last, bool backward) {
    const Index rows = last - first, offset = first * PANEL<T>;
    int l = phase.from;
    if (!phase.back) {
        if (l == 0) take_inputs(step, scratch, first, rows);
        const T* x = (l ? step.layer[l - 1].y : step.x) + offset;
        for (; l < phase.to; x = step.layer[l++].y + offset)
            forward(step, step.layer[l], x, places_of(step.layer[l], first, backward), step.stride, step.wave + first, rows);
        if (l < step.layers) return product(step.layer[l], x, step.layer[l].y + offset, step.stride, rows);
        TAKE_LOSS<T>[step.loss.kind](step, scratch, first, last, backward);
        --l;
    }
    for (const int to = phase.back ? phase.to : step.back_to; backward && l > to; --l)
        pull(step.layer[l], step.layer[l - 1], scratch, first, step.stride, rows);
}

// Rows first to last of the wave: their losses and, on the way back, dL/dz of every layer.
template <class T> void take_rows(const Step<T>& step, Scratch<T>& scratch, const Phase& phase, Index first, Index last, bool backward) {
    const Index count = panels(last - first, BLOCK);
    for (Index b = 0; b < count; ++b) {
        if (scratch.watch && scratch.watch->given_up()) return;
        block(step, scratch, phase, first + (last - first) * b / count, first + (last - first) * (b + 1) / count, backward);
    }
}

// Panels first to last of a batch normalisation.
template <class T> void take_columns(const Step<T>& step, const Phase& phase, Index first, Index last) {
    const auto take = phase.back ? normalize_columns_back<T> : normalize_columns<T>;
    for (Index j = first; j < last; ++j) take(step, step.layer[phase.from], j);
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

// The part of a unit parameter that belongs to panel j; a shared one belongs to the first.
template <class T> Piece<T> part_of(const Step<T>& step, const Layer<T>& layer, UnitParameter which, Index j) {
    const Units<T>& units = layer.units[which];
    const Index column = j * PANEL<T>, count = smaller<Index>(PANEL<T>, layer.outputs - column);
    const Strengths<T> strengths = AS_BIAS[which] ? step.biases : Strengths<T>{};
    return {units.at + column, 0, 1, which == SLOPE && layer.shared_slope ? 1 : count, strengths, units.slot + j, KIND_OF[which]};
}

// Call f(which, j) for the unit parameters beside a unit of the first inputs.
template <class T, class F> INLINE void each_part(const Step<T>& step, const Unit& unit, F f) {
    const Layer<T>& layer = step.layer[unit.l];
    for (int k = 0; unit.row == 0 && k < UNIT_PARAMETERS; ++k)
        for (Index j = unit.first; layer.units[k].at >= 0 && j < unit.last; ++j)
            if (const auto which = static_cast<UnitParameter>(k); which != SLOPE || !layer.shared_slope || j == 0) f(which, j);
}

template <class T> void copy(const T* from, Index apart, Index rows, Index columns, T* to) {
    each_vector(rows, columns, LANES<T>, [&](Index r, Index c, int count) LAMBDA {
        store(to + r * PANEL<T> + c, load<Vector<T>>(from + r * apart + c, count));
    });
}

// Leave out the weights that this step leaves out, or their gradient; `row` is that of W.
template <class T> void disconnect(const Step<T>& step, const Layer<T>& layer, std::uint64_t number, Index row, Index rows, Index j, T* panel, Index apart) {
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

// Copy panel j of W from a row on, and what stands beside its first inputs, into the workspace as step `number` sees them:
// both ways round for training.
template <class T> void pack_panel(const Step<T>& step, const Layer<T>& layer, Index row, Index j, std::uint64_t number) {
    const Index column = j * PANEL<T>, columns = smaller<Index>(PANEL<T>, layer.outputs - column);
    const Index rows = smaller<Index>(PANEL<T>, layer.inputs - row);
    T* packed = layer.packed + (j * layer.inputs + row) * PANEL<T>;
    copy(step.theta + layer.weights + row * layer.outputs + column, layer.outputs, rows, columns, packed);
    for (int k = 0; row == 0 && k < UNIT_PARAMETERS; ++k) {
        const Units<T>& units = layer.units[k];
        for (Index c = 0; k == BIAS && units.at < 0 && c < PANEL<T>; ++c) units.packed[column + c] = 0;  // `fold` fills it
        if (units.at < 0) continue;
        if (k != SLOPE || !layer.shared_slope) copy(step.theta + units.at + column, 0, 1, columns, units.packed + column);
        else  // who moves it packs it for all
            for (Index c = 0; j == 0 && c < layer.outputs; ++c) units.packed[c] = step.theta[units.at];
    }
    if (layer.norm == BATCH_NORM && !step.training) fold(step, layer, j, packed, rows, row == 0);
    if (layer.disconnected != 0 && step.training) disconnect(step, layer, number, row, rows, j, packed, PANEL<T>);
    if (layer.transposed) transpose(packed, layer.transposed + row * layer.outputs + column * PANEL<T>, rows, columns);
}

template <class T> void pack(const Step<T>& step, const Unit& unit, std::uint64_t number) {
    for (Index j = unit.first; j < unit.last; ++j) pack_panel(step, step.layer[unit.l], unit.row, j, number);
}

template <class T> void prepare(const Step<T>& step, Index first, Index last) {
    each_unit(step, first, last, [&](const Unit& unit) {
        pack(step, unit, step.number);
        measure(step, weights_of(step, unit));
        each_part(step, unit, [&](UnitParameter which, Index j) { measure(step, part_of(step, step.layer[unit.l], which, j)); });
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
template <class T> void differentiate_units(const Step<T>& step, const Layer<T>& layer, Index j, Index first, Index last, bool add) {
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

// The gradient of a unit and of what stands beside it, summed over rows first to last of the wave: c, rows `apart`.
template <class T> void differentiate(const Step<T>& step, const Unit& unit, Index first, Index last, T* c, Index apart, bool add) {
    const Layer<T>& layer = step.layer[unit.l];
    const T* x = (unit.l ? step.layer[unit.l - 1].y : step.x) + unit.row / PANEL<T> * step.stride;
    const Index rows = smaller<Index>(PANEL<T>, layer.inputs - unit.row);
    for (Index j = unit.first; j < unit.last; ++j) {
        const T* dz = layer.d + j * step.stride;
        const Index columns = smaller<Index>(PANEL<T>, layer.outputs - j * PANEL<T>);
        multiply_transposed(x, dz, first, last, c + (j - unit.first) * PANEL<T>, apart, rows, columns, add);
        if (unit.row == 0) differentiate_units(step, layer, j, first, last, add);
    }
}

// The running statistics of a batch normalisation after this step.
template <class T> void settle(const Step<T>& step, const Unit& unit) {
    const Layer<T>& layer = step.layer[unit.l];
    for (Index j = unit.first; layer.norm == BATCH_NORM && unit.row == 0 && j < unit.last; ++j)
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

// The update of a unit and of what stands beside it, from its gradient c, rows `apart`.
template <class T> void finish_unit(const Step<T>& step, const Unit& unit, T* c, Index apart) {
    const Move<T> move = MOVE<T>[step.rule][step.care];
    const Layer<T>& layer = step.layer[unit.l];
    move(step, weights_of(step, unit), c, apart);
    each_part(step, unit, [&](UnitParameter which, Index j) {
        move(step, part_of(step, layer, which, j), layer.units[which].gradient + j * PANEL<T>, 0);
    });
    settle(step, unit);
    pack(step, unit, step.number + 1);
}

template <class T> void complete_unit(const Step<T>& step, const Unit& unit, T* c, Index apart) {
    const Layer<T>& layer = step.layer[unit.l];
    complete(step, weights_of(step, unit), c, apart);
    each_part(step, unit, [&](UnitParameter which, Index j) {
        complete(step, part_of(step, layer, which, j), layer.units[which].gradient + j * PANEL<T>, 0);
    });
}

// Where the gradient of a unit lies until it is complete; its rows are layer.width panels apart.
template <class T> INLINE T* gradient_of(const Layer<T>& layer, Index number) {
    return layer.gradient + (number - layer.first_unit) * layer.width * PANEL<T> * PANEL<T>;
}

// Units first to last: the wave's share of the gradient and, after the batch's last rows, the update, unless it is
// deferred until the whole gradient is known.
template <class T> void update(const Step<T>& step, Scratch<T>& scratch, Index first, Index last) {
    const bool ends = step.wave + step.wave_rows == step.rows;  // then all units move, or none
    const bool stored = step.rows > DEPTH || step.wave_rows < step.rows || step.defers();
    for (Index k = 0; k < step.wave_rows; k += DEPTH) {
        const Index end = smaller<Index>(k + DEPTH, step.wave_rows);
        const bool add = step.wave + k > 0, done = step.wave + end == step.rows;
        if (!ends && scratch.watch && scratch.watch->given_up()) return;
        each_unit(step, first, last, [&](const Unit& unit) {
            const Layer<T>& layer = step.layer[unit.l];
            const Index apart = layer.width * PANEL<T>;
            T* c = stored ? gradient_of(layer, unit.number) : scratch.unit;
            differentiate(step, unit, k, end, c, apart, add);
            if (!done) return;
            const Index rows = smaller<Index>(PANEL<T>, layer.inputs - unit.row);
            for (Index j = unit.first; layer.disconnected != 0 && j < unit.last; ++j)
                disconnect(step, layer, step.number, unit.row, rows, j, c + (j - unit.first) * PANEL<T>, apart);
            (step.defers() ? complete_unit<T> : finish_unit<T>)(step, unit, c, apart);
        });
    }
}

// Units first to last: the deferred update.
template <class T> void move_units(const Step<T>& step, Index first, Index last) {
    each_unit(step, first, last, [&](const Unit& unit) {
        const Layer<T>& layer = step.layer[unit.l];
        finish_unit(step, unit, gradient_of(layer, unit.number), layer.width * PANEL<T>);
    });
}

// Call f(row, rows, at, apart) for the pieces of panel j of a layer's weights, or of their gradient, from the top.
template <class T, class F> INLINE void each_block(const Step<T>& step, const Layer<T>& layer, Index j, bool gradient, F f) {
    const Index down = panels(layer.inputs, PANEL<T>), unit = layer.first_unit + j / layer.width * down;
    for (Index i = 0; i < down; ++i) {
        const Index row = i * PANEL<T>, rows = smaller<Index>(PANEL<T>, layer.inputs - row);
        if (gradient) f(row, rows, gradient_of(layer, unit + i) + j % layer.width * PANEL<T>, layer.width * PANEL<T>);
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

template <class T> void measure_units(const Step<T>& step, Index first, Index last) {
    each_unit(step, first, last, [&](const Unit& unit) { measure(step, weights_of(step, unit)); });
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
            forward<T>(step, step.layer[l], x, {y, nullptr, nullptr, nullptr, nullptr}, stride, r, rows);
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

template <class T>
constexpr Program<T> PROGRAM = {prepare<T>, take_rows<T>,     take_columns<T>, update<T>,   move_units<T>,
                                shorten<T>, measure_units<T>, predict<T>,      evaluate<T>, augment<T>};

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
