// What stands between one affine map and the next: normalisation, activation, noise; see blocks/.
//
// Everything works on one panel, in place of z, for rows `row` on of the batch (which name the random numbers), so that
// it finds its numbers in the cache. d becomes f'(z), e the derivative in a slope that is learnt; each may be null.
#pragma once

#include "formulas/activations.hpp"
#include "step/plan.hpp"
#include "vector/philox.hpp"
#include "vector/walks.hpp"

namespace chainrule::CHAINRULE_SET {

enum Purpose : std::uint64_t {
    DROPOUT = 4,
    NOISE = 5,
    SLOPE_OF = 6,
    CONNECTION = 7,
    AUGMENTATION = 8
};  // the numbers of randomness.py

// One panel of a layer's outputs (or of the inputs).
template <class T> struct Panel {
    Index number, columns;  // which panel, and how many columns the whole matrix has
    T *y, *d, *e;

    int vectors() const {
        return static_cast<int>(panels(smaller<Index>(PANEL<T>, columns - number * PANEL<T>), LANES<T>));
    }
};

template <class T> INLINE Stream stream_of(const Step<T>& step, Purpose purpose, std::uint64_t block) {
    return {step.seed, purpose, step.number, block};
}

// 1 / (1 - p) where 16 bits are at least `dropped`, else 0: LANES entries, from the bits of BITS.
template <class T> INLINE Vector<T> kept(const T* bits, T dropped) {
    const Vector<T> keep = all<Vector<T>>(T(65536) / (T(65536) - dropped));
    return select(load<Vector<T>>(bits) >= dropped, keep, zero<Vector<T>>());
}

// Call f(v, bits) for the vectors v of columns of one row of a panel, with LANES random numbers of 16 bits each.
template <class T, class F> INLINE void each_bits(const Stream& stream, Index row, Index columns, Index panel, F f) {
    const Index rest = columns - panel * PANEL<T>, groups = panels(smaller<Index>(PANEL<T>, rest), BITS);
    const std::uint64_t begin = bits_begin(row, columns) + static_cast<std::uint64_t>(panel * (PANEL<T> / BITS));
    for (Index g = 0; g < groups; ++g) {
        T bits[BITS];
        draw_bits(stream, begin + static_cast<std::uint64_t>(g), bits);
        for (int v = 0; v < BITS; v += LANES<T>) f(static_cast<int>(g) * BITS + v, bits + v);
    }
}

// Call f(v, z) for the vectors v of columns of one row of a panel, with LANES normal numbers each.
template <class T, class F> INLINE void each_normal(const Stream& stream, Index row, Index columns, Index panel, F f) {
    constexpr Index parts = NORMALS / PANEL<T>;  // panels that share NORMALS numbers
    T normals[NORMALS];
    draw_normals(stream, normals_begin(row, columns) + static_cast<std::uint64_t>(panel / parts * 4), normals);
    for (int v = 0; v < PANEL<T>; v += LANES<T>) f(v, normals + panel % parts * PANEL<T> + v);
}

template <class T> INLINE void multiply_by(T* at, Vector<T> factor) { store(at, load<Vector<T>>(at) * factor); }

// Dropout, then Gaussian noise.
template <class T>
void disturb(const Step<T>& step, const Noise<T>& noise, const Panel<T>& panel, Index row, Index rows) {
    for (Index r = 0; noise.dropped != 0 && r < rows; ++r)
        each_bits<T>(stream_of(step, DROPOUT, noise.dropout_block), row + r, panel.columns, panel.number,
                     [&](int v, const T* bits) LAMBDA {
                         const Vector<T> keep = kept(bits, noise.dropped);
                         const Index at = r * PANEL<T> + v;
                         multiply_by(panel.y + at, keep);
                         if (panel.d) multiply_by(panel.d + at, keep);
                         if (panel.e) multiply_by(panel.e + at, keep);
                     });
    for (Index r = 0; noise.deviation != 0 && r < rows; ++r)
        each_normal<T>(stream_of(step, NOISE, noise.noise_block), row + r, panel.columns, panel.number,
                       [&](int v, const T* z) LAMBDA {
                           T* at = panel.y + r * PANEL<T> + v;
                           store(at, load<Vector<T>>(at) + load<Vector<T>>(z) * noise.deviation);
                       });
}

// y = x where x > 0, else a x.
template <class T> INLINE void put_leaky(const Panel<T>& panel, Index at, Vector<T> x, Vector<T> a) {
    store(panel.y + at, select(x > 0, x, a * x));
    if (panel.d) store(panel.d + at, select(x > 0, all<Vector<T>>(1), a));
}

struct LearntSlope {
    template <class T>
    static void take(const Step<T>&, const Layer<T>& layer, const Panel<T>& panel, const T* bias, Index, Index rows) {
        using V = Vector<T>;
        const T* slopes = layer.units[SLOPE].packed + panel.number * PANEL<T>;
        for (Index at = 0; at < rows * PANEL<T>; at += LANES<T>) {
            const V x = load<V>(panel.y + at) + load<V>(bias + at % PANEL<T>);
            put_leaky(panel, at, x, load<V>(slopes + at % PANEL<T>));
            if (panel.e) store(panel.e + at, minimum(zero<V>(), x));
        }
    }
};

struct DrawnSlope {
    template <class T>
    static void take(const Step<T>& step, const Layer<T>& layer, const Panel<T>& panel, const T* bias, Index row,
                     Index rows) {
        using V = Vector<T>;
        for (Index r = 0; r < rows; ++r)
            each_bits<T>(stream_of(step, SLOPE_OF, layer.live_block), row + r, panel.columns, panel.number,
                         [&](int v, const T* bits) LAMBDA {
                             const Index at = r * PANEL<T> + v;
                             const V share = (load<V>(bits) + T(0.5)) * T(0x1p-16);
                             put_leaky(panel, at, load<V>(panel.y + at) + load<V>(bias + v),
                                       share * layer.range + layer.lowest);
                         });
    }
};

// max(0, x + n) with n = √σ(x) z; its derivative is 1 + n (1 - σ) / 2 where it is positive.
struct DrawnNoise {
    template <class T>
    static void take(const Step<T>& step, const Layer<T>& layer, const Panel<T>& panel, const T* bias, Index row,
                     Index rows) {
        using V = Vector<T>;
        for (Index r = 0; r < rows; ++r)
            each_normal<T>(stream_of(step, NOISE, layer.live_block), row + r, panel.columns, panel.number,
                           [&](int v, const T* z) LAMBDA {
                               const Index at = r * PANEL<T> + v;
                               const V x = load<V>(panel.y + at) + load<V>(bias + v),
                                       n = square_root(sigmoid(x)) * load<V>(z), noisy = x + n;
                               store(panel.y + at, select(noisy > 0, noisy, zero<V>()));
                               if (panel.d)
                                   store(panel.d + at, select(noisy > 0, n * sigmoid(-x) * T(0.5) + T(1), zero<V>()));
                           });
    }
};

template <class T> using Live = void (*)(const Step<T>&, const Layer<T>&, const Panel<T>&, const T*, Index, Index);

#define ROW(name, Type) Type::take<T>,
template <class T> constexpr Live<T> LIVE[] = {nullptr, CHAINRULE_LIVE_ACTIVATIONS(ROW)};
#undef ROW

// y = noise(f(z + bias)).
template <class T>
void finish(const Step<T>& step, const Layer<T>& layer, const Panel<T>& panel, const T* bias, Index row, Index rows) {
    if (layer.live && (step.training || layer.units[SLOPE].at >= 0))
        LIVE<T>[layer.live](step, layer, panel, bias, row, rows);
    else ACTIVATE<T>[layer.activation](panel.y, panel.d, bias, layer.setting, rows, panel.vectors());
    if (step.training && layer.disturbs()) disturb<T>(step, layer, panel, row, rows);
}

// Σ over the columns of a row of f(c, at), whole registers first.
template <class T, class F> INLINE T sum_over_row(Index r, Index columns, Index stride, F f) {
    Vector<T> total = zero<Vector<T>>();
    each_column<T>(r, columns, stride,
                   [&](Index c, int count, Index at) LAMBDA { total = total + only(f(c, at), count); });
    return sum(total);
}

// Each row of z + b standardised and scaled: y = γ x̂; where they are asked for, normal, and 1/σ of row r at inverse[r].
template <class T> void normalize_rows(const Layer<T>& layer, T* y, T* normal, T* inverse, Index stride, Index rows) {
    using V = Vector<T>;
    const T *bias = layer.units[BIAS].packed, *scale = layer.units[SCALE].packed,
            share = T(1) / static_cast<T>(layer.outputs);
    for (Index r = 0; r < rows; ++r) {
        const T mean = sum_over_row<T>(r, layer.outputs, stride,
                                       [&](Index c, Index at) LAMBDA {
                                           const V z = load<V>(y + at) + load<V>(bias + c);
                                           store(y + at, z);
                                           return z;
                                       }) *
                       share;
        const T variance = sum_over_row<T>(r, layer.outputs, stride,
                                           [&](Index, Index at) LAMBDA {
                                               const V centred = load<V>(y + at) - mean;
                                               store(y + at, centred);
                                               return centred * centred;
                                           }) *
                           share;
        const T steep = T(1) / __builtin_sqrt(variance + layer.epsilon);
        each_column<T>(r, layer.outputs, stride, [&](Index c, int, Index at) LAMBDA {
            const V x = load<V>(y + at) * steep;
            if (normal) store(normal + at, x);
            store(y + at, x * load<V>(scale + c));
        });
        if (inverse) inverse[r] = steep;
    }
}

// The way back: d has dL/dy on entry, which goes to `upstream`, and dL/dz afterwards.
template <class T> void normalize_rows_back(const Layer<T>& layer, Index first, Index stride, Index rows) {
    using V = Vector<T>;
    const T *scale = layer.units[SCALE].packed, share = T(1) / static_cast<T>(layer.outputs);
    T* d = layer.d + first * PANEL<T>;
    const T* normal = layer.normal + first * PANEL<T>;
    for (Index r = 0; r < rows; ++r) {
        const V steep = all<V>(layer.inverse[first + r]);
        const T mean = sum_over_row<T>(r, layer.outputs, stride,
                                       [&](Index c, Index at) LAMBDA {
                                           store(layer.upstream + first * PANEL<T> + at, load<V>(d + at));
                                           const V g = load<V>(d + at) * load<V>(scale + c);
                                           store(d + at, g);
                                           return g;
                                       }) *
                       share;
        const T slope =
            sum_over_row<T>(r, layer.outputs, stride,
                            [&](Index, Index at) LAMBDA { return load<V>(d + at) * load<V>(normal + at); }) *
            share;
        each_column<T>(r, layer.outputs, stride, [&](Index, int, Index at) LAMBDA {
            store(d + at, steep * (load<V>(d + at) - mean - load<V>(normal + at) * slope));
        });
    }
}

// Σ over rows of f(at) for the columns of one panel, in four chains.
template <class T, class F> INLINE void sum_over_rows(Index rows, F f, T* to) {
    using V = Vector<T>;
    for (int v = 0; v < PANEL<T>; v += LANES<T>) {
        V chain[4] = {zero<V>(), zero<V>(), zero<V>(), zero<V>()};
        for (Index r = 0; r < rows; ++r) chain[r % 4] = chain[r % 4] + f(r * PANEL<T> + v, v);
        store(to + v, (chain[0] + chain[1]) + (chain[2] + chain[3]));
    }
}

// What the running statistics become with those of this wave; θ takes them with the update.
template <class T> void settle(const Step<T>& step, const Layer<T>& layer, Index column, Index count) {
    const T rows = static_cast<T>(step.wave_rows), unbiased = rows / (rows - 1), rest = T(1) - layer.momentum;
    for (Index c = column; c < column + count; ++c) {
        T &mean = layer.settled_mean[c], &variance = layer.settled_variance[c];
        if (step.wave == 0) mean = step.theta[layer.mean + c], variance = step.theta[layer.variance + c];
        if (step.wave_rows < 2) continue;
        mean = rest * mean + layer.momentum * layer.batch_mean[c];
        variance = rest * variance + layer.momentum * (layer.batch_variance[c] * unbiased);
    }
}

// Batch normalisation of one panel, then its activation: z is in y on entry. A single row is normalised by the running
// statistics.
template <class T> void normalize_columns(const Step<T>& step, const Layer<T>& layer, Index j) {
    using V = Vector<T>;
    const Index rows = step.wave_rows, column = j * PANEL<T>, count = smaller<Index>(PANEL<T>, layer.outputs - column);
    T *y = layer.y + j * step.stride, *normal = layer.normal + j * step.stride;
    T *mean = layer.batch_mean + column, *variance = layer.batch_variance + column, *inverse = layer.inverse + column;
    const T *bias = layer.units[BIAS].packed + column, *scale = layer.units[SCALE].packed + column;
    const T share = T(1) / static_cast<T>(rows);
    if (rows > 1) {
        sum_over_rows(rows, [&](Index at, int v) LAMBDA { return load<V>(y + at) + load<V>(bias + v); }, mean);
        for (int v = 0; v < PANEL<T>; v += LANES<T>) multiply_by(mean + v, all<V>(share));
        sum_over_rows(
            rows,
            [&](Index at, int v) LAMBDA {
                const V centred = load<V>(y + at) + load<V>(bias + v) - load<V>(mean + v);
                return centred * centred;
            },
            variance);
        for (int v = 0; v < PANEL<T>; v += LANES<T>) multiply_by(variance + v, all<V>(share));
    } else {
        const T* running = step.wave ? layer.settled_mean : step.theta + layer.mean;
        const T* spread = step.wave ? layer.settled_variance : step.theta + layer.variance;
        for (Index c = 0; c < count; ++c) mean[c] = running[column + c], variance[c] = spread[column + c];
    }
    settle(step, layer, column, count);
    for (int v = 0; v < PANEL<T>; v += LANES<T>)
        store(inverse + v, T(1) / square_root(load<V>(variance + v) + layer.epsilon));
    for (Index at = 0; at < rows * PANEL<T>; at += LANES<T>) {
        const Index v = at % PANEL<T>;
        const V x = (load<V>(y + at) + load<V>(bias + v) - load<V>(mean + v)) * load<V>(inverse + v);
        store(normal + at, x);
        store(y + at, x * load<V>(scale + v));
    }
    const Panel<T> panel{j, layer.outputs, y, layer.sloped ? layer.d + j * step.stride : nullptr,
                         layer.e ? layer.e + j * step.stride : nullptr};
    finish(step, layer, panel, layer.units[SHIFT].packed + column, step.wave, rows);
}

// The way back: dL/dy is in d on entry, dL/dz afterwards; dγ and dβ are kept.
template <class T> void normalize_columns_back(const Step<T>& step, const Layer<T>& layer, Index j) {
    using V = Vector<T>;
    const Index rows = step.wave_rows, column = j * PANEL<T>;
    T* d = layer.d + j * step.stride;
    const T *normal = layer.normal + j * step.stride, *inverse = layer.inverse + column,
            *scale = layer.units[SCALE].packed + column;
    T along[PANEL<T>], level[PANEL<T>];
    sum_over_rows(rows, [&](Index at, int) LAMBDA { return load<V>(d + at) * load<V>(normal + at); }, along);
    sum_over_rows(rows, [&](Index at, int) LAMBDA { return load<V>(d + at); }, level);
    for (int v = 0; v < PANEL<T>; v += LANES<T>) {
        T *dscale = layer.units[SCALE].gradient + column + v, *dshift = layer.units[SHIFT].gradient + column + v;
        store(dscale, step.wave ? load<V>(dscale) + load<V>(along + v) : load<V>(along + v));
        store(dshift, step.wave ? load<V>(dshift) + load<V>(level + v) : load<V>(level + v));
    }
    const T share = rows > 1 ? T(1) / static_cast<T>(rows) : T(0);
    for (int v = 0; v < PANEL<T>; v += LANES<T>) {
        const V steep = load<V>(scale + v) * load<V>(inverse + v), mean = load<V>(level + v) * share,
                slope = load<V>(along + v) * share;
        for (Index at = v; at < rows * PANEL<T>; at += PANEL<T>)
            store(d + at, steep * (load<V>(d + at) - mean - load<V>(normal + at) * slope));
    }
}

}  // namespace chainrule::CHAINRULE_SET
