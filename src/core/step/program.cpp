// One training step on one instruction set in one precision; compiled once for each, with CHAINRULE_SET the name of
// the set and CHAINRULE_NUMBER float or double.
#include "formulas/links.hpp"
#include "step/inputs.hpp"
#include "step/passes.hpp"
#include "step/scoring.hpp"
#include "step/tiles.hpp"

namespace chainrule::CHAINRULE_SET {
namespace {

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

template <class T>
void block(const Step<T>& step, Scratch<T>& scratch, const Phase& phase, Index first, Index last, bool backward) {
    const Index rows = last - first, offset = first * PANEL<T>;
    int l = phase.from;
    if (!phase.back) {
        if (l == 0) take_inputs(step, scratch, first, rows);
        const T* x = (l ? step.layer[l - 1].y : step.x) + offset;
        for (; l < phase.to; x = step.layer[l++].y + offset)
            forward(step, step.layer[l], x, places_of(step.layer[l], first, backward), step.stride, step.wave + first,
                    rows);
        if (l < step.layers) return product(step.layer[l], x, step.layer[l].y + offset, step.stride, rows);
        TAKE_LOSS<T>[step.loss.kind](step, scratch, first, last, backward);
        --l;
    }
    for (const int to = phase.back ? phase.to : step.back_to; backward && l > to; --l)
        pull(step.layer[l], step.layer[l - 1], scratch, first, step.stride, rows);
}

// Rows first to last of the wave: their losses and, on the way back, dL/dz of every layer.
template <class T>
void take_rows(const Step<T>& step, Scratch<T>& scratch, const Phase& phase, Index first, Index last, bool backward) {
    const Index count = panels(last - first, BLOCK);
    for (Index b = 0; b < count; ++b) {
        if (scratch.watch && scratch.watch->given_up()) return;
        block(step, scratch, phase, first + (last - first) * b / count, first + (last - first) * (b + 1) / count,
              backward);
    }
}

// Panels first to last of a batch normalisation.
template <class T> void take_columns(const Step<T>& step, const Phase& phase, Index first, Index last) {
    const auto take = phase.back ? normalize_columns_back<T> : normalize_columns<T>;
    for (Index j = first; j < last; ++j) take(step, step.layer[phase.from], j);
}

// Predictions for rows first to last of X, a block at a time through two buffers.
template <class T> void predict(const Step<T>& step, Scratch<T>& scratch, Index first, Index last, Link link, T* out) {
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
        T* const to = out + r * outputs;
        TAKE_LINK<T>[link](x, stride, rows, outputs, to);
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

// An activation's f ("f relu"), f' ("df relu") or f'' ("d2f relu"), as a step runs it: one vector of a panel at a time.
template <class T> bool evaluate_activation(const char* name, const T* x, T* y, Index n, T setting) {
    const bool slope = *name == 'd', bend = slope && name[1] == '2';
    name += slope + bend;
    if (name[0] != 'f' || name[1] != ' ') return false;
    T bias[LANES<T>];
    store(bias, all<Vector<T>>(T(-0.0)));  // the number that added to any changes nothing
    for (std::size_t k = 0; k < sizeof ACTIVATION_NAMES / sizeof *ACTIVATION_NAMES; ++k) {
        if (!same(name + 2, ACTIVATION_NAMES[k])) continue;
        T value[PANEL<T>], derivative[PANEL<T>], along[PANEL<T>], bent[PANEL<T>];
        for (Index i = 0; i < n; i += LANES<T>) {
            const int count = static_cast<int>(smaller<Index>(LANES<T>, n - i));
            store(value, load<Vector<T>>(x + i, count));
            store(along, all<Vector<T>>(1));
            if (bend) ACTIVATE_ALONG<T>[k](value, nullptr, along, bent, bias, bias, setting, 1, 1);
            else ACTIVATE<T>[k](value, derivative, bias, setting, 1, 1);
            store(y + i, load<Vector<T>>(bend ? bent : slope ? derivative : value), count);
        }
        return true;
    }
    return false;
}

// One function of math.hpp, or of an activation, over an array: for the tests.
template <class T> bool evaluate(const char* name, const T* x, T* y, Index n, T setting) {
#define TRY(NAME, F) \
    if (same(name, NAME)) return each<T>(x, y, n, [&](Vector<T> v) LAMBDA { return F; });
    TRY("exp", exp(v))
    TRY("expm1", expm1(v))
    TRY("log", log(v))
    TRY("log1p", log1p(v))
    TRY("erf", erf(v))
    TRY("normal_cdf", normal_cdf(v))
    TRY("cosine", turned(v).cosine)
    TRY("sine", turned(v).sine)
#undef TRY
    return evaluate_activation(name, x, y, n, setting);
}

template <class T>
constexpr Program<T> PROGRAM = {prepare<T>, take_rows<T>,     take_columns<T>, update<T>,   move_tiles<T>,
                                shorten<T>, measure_tiles<T>, predict<T>,      evaluate<T>, augment<T>};

}  // namespace
}  // namespace chainrule::CHAINRULE_SET

namespace chainrule {

#define JOINED(set, number) program_##set##_##number
#define PROGRAM_OF(set, number) JOINED(set, number)
extern const Program<CHAINRULE_NUMBER> PROGRAM_OF(CHAINRULE_SET, CHAINRULE_NUMBER);
const Program<CHAINRULE_NUMBER> PROGRAM_OF(CHAINRULE_SET, CHAINRULE_NUMBER) = CHAINRULE_SET::PROGRAM<CHAINRULE_NUMBER>;

}  // namespace chainrule
