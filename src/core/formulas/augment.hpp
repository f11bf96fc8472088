// The augmentations of augmentation.py, a row at a time.
// What is random in a row depends on the stream and the row alone.
#pragma once

#include "formulas/augmentation_spec.hpp"
#include "formulas/tables.hpp"
#include "vector/math.hpp"
#include "vector/philox.hpp"

namespace chainrule::CHAINRULE_SET {

// x + σ z.
struct AddNoise {
    template <class T>
    static void change(const AugmentationSpec& spec, const Stream& stream, Index row, const T* from, T* to, T*) {
        const Index inputs = spec.inputs();
        const std::uint64_t begin = normals_begin(row, inputs);
        T z[NORMALS];
        for (Index i = 0; i < inputs; i += LANES<T>) {
            if (i % NORMALS == 0) draw_normals(stream, begin + static_cast<std::uint64_t>(i / NORMALS * 4), z);
            const int count = static_cast<int>(smaller<Index>(LANES<T>, inputs - i));
            const auto x = load<Vector<T>>(from + i, count);
            store(to + i, x + load<Vector<T>>(z + i % NORMALS) * static_cast<T>(spec.numbers[0]), count);
        }
    }
};

// `value` where the random bits are below the threshold, else x.
struct MaskInputs {
    template <class T>
    static void change(const AugmentationSpec& spec, const Stream& stream, Index row, const T* from, T* to, T*) {
        const Index inputs = spec.inputs();
        const std::uint64_t begin = bits_begin(row, inputs);
        const T threshold = static_cast<T>(spec.numbers[0]), value = static_cast<T>(spec.numbers[1]);
        T bits[BITS];
        for (Index i = 0; i < inputs; i += LANES<T>) {
            if (i % BITS == 0) draw_bits(stream, begin + static_cast<std::uint64_t>(i / BITS), bits);
            const int count = static_cast<int>(smaller<Index>(LANES<T>, inputs - i));
            const auto masked = load<Vector<T>>(bits + i % BITS) < threshold;
            store(to + i, select(masked, all<Vector<T>>(value), load<Vector<T>>(from + i, count)), count);
        }
    }
};

// The cubic B-spline: ((2 - |x|)₊³ - 4 (1 - |x|)₊³) / 6.
template <class V> INLINE V spline(V x) {
    using T = typename V::Lane;
    const V a = absolute(x), wide = maximum(zero<V>(), T(2) - a), near = maximum(zero<V>(), T(1) - a);
    return fma(near * near * near, T(-4), wide * wide * wide) * T(1.0 / 6);
}

// s(p) = c + A (p - c) + t, for the image with a border of one pixel: s = A p + at.
struct Affine {
    double a[2][2], at[2];
};

// From the row's first five random numbers, in double precision for both types: it is done once.
template <class T> Affine affine_of(const AugmentationSpec& spec, const T* u) {
    using V = Vector<double>;
    const double* numbers = spec.numbers;
    const double centre[] = {static_cast<double>(spec.rows - 1) / 2, static_cast<double>(spec.columns - 1) / 2};
    double turns[V::lanes] = {numbers[1] * u[0] / 360, numbers[3] * u[2] / 360}, cosine[V::lanes], sine[V::lanes];
    const Turned<V> turn = turned(absolute(load<V>(turns)));
    store(cosine, turn.cosine);
    store(sine, with_sign(turn.sine, load<V>(turns)));
    const double size = 1 + numbers[2] * u[1], slant = sine[1] / cosine[1];
    Affine affine = {{{size * (cosine[0] - sine[0] * slant), size * -sine[0]},
                      {size * (sine[0] + cosine[0] * slant), size * cosine[0]}},
                     {}};
    for (int axis = 0; axis < 2; ++axis)
        affine.at[axis] =
            1 + centre[axis] + numbers[0] * u[3 + axis] - affine.a[axis][0] * centre[0] - affine.a[axis][1] * centre[1];
    return affine;
}

// The row's random numbers (2 bits + 1) / 2^16 - 1, exactly.
template <class T> void draw_uniform(const AugmentationSpec& spec, const Stream& stream, Index row, T* u) {
    const Index count = panels(spec.random(), BITS);
    T bits[BITS];
    for (Index k = 0; k < count; ++k, u += BITS) {
        draw_bits(stream, static_cast<std::uint64_t>(row * count + k), bits);
        for (int i = 0; i < BITS; i += LANES<T>)
            store(u + i, fma(load<Vector<T>>(bits + i), T(0x2p-16), T(0x1p-16) - T(1)));
    }
}

// The field's sums along each knot row, Σₖ β(c/h - k) a uⱼₖ: 2 x knots down rows of padded columns, axis by axis.
template <class T> void blend_knots(const AugmentationSpec& spec, const T* u, T* field) {
    using V = Vector<T>;
    const Index down = spec.knots_down(), across = spec.knots_across(),
                padded = panels(spec.columns, LANES<T>) * LANES<T>;
    const T spacing = static_cast<T>(spec.numbers[5]), amplitude = static_cast<T>(spec.numbers[4]);
    const V lanes = lane_numbers<V>();
    for (Index c = 0; c < spec.columns; c += LANES<T>) {
        const Index first = spec.cell(c), end = smaller<Index>(spec.cell(c + LANES<T> - 1) + 4, across);
        V weight[LANES<T> + 4];
        for (Index k = first; k < end; ++k)
            weight[k - first] = spline((lanes + static_cast<T>(c)) / spacing - static_cast<T>(k - 1)) * amplitude;
        for (Index j = 0; j < 2 * down; ++j) {
            V sum = zero<V>();
            for (Index k = first; k < end; ++k) sum = fma(weight[k - first], u[j * across + k], sum);
            store(field + j * padded + c, sum);
        }
    }
}

// The image with a border of `fill`: one pixel before, two after; channel by channel.
template <class T> void surround(const AugmentationSpec& spec, const T* from, T* image) {
    const Index width = spec.columns + 3, plane = (spec.rows + 3) * width;
    const auto fill = all<Vector<T>>(static_cast<T>(spec.numbers[6]));
    for (Index i = 0; i < plane * spec.channels; i += LANES<T>) store(image + i, fill);
    for (Index k = 0; k < spec.channels; ++k)
        for (Index r = 0; r < spec.rows; ++r) {
            const T* x = from + r * spec.columns * spec.channels + k;
            T* to = image + k * plane + (r + 1) * width + 1;
            for (Index c = 0; c < spec.columns; c += LANES<T>) {
                const int count = static_cast<int>(smaller<Index>(LANES<T>, spec.columns - c));
                if (spec.channels == 1) store(to + c, load<Vector<T>>(x + c, count), count);
                else
                    for (int i = 0; i < count; ++i) to[c + i] = x[(c + i) * spec.channels];
            }
        }
}

// Where a vector of pixels is taken from: the corner above and left, and how far down and right of it.
template <class T> struct Source {
    typename IntegerOf<T>::type corner[LANES<T>];
    Vector<T> down, right;
};

// s = k + f with 0 <= f <= 1; rounding s - 1/2 may give either neighbour of a whole s, which bilinear images do not
// see.
template <class T> INLINE Source<T> source_of(Vector<T> s, Vector<T> t, T last_row, T last_column, Index width) {
    using V = Vector<T>;
    using I = typename IntegerOf<T>::type;
    constexpr T rounder = Coefficients<T>::ROUNDER;
    constexpr I whole = (I(1) << (Coefficients<T>::MANTISSA_BITS - 2)) - 1;
    s = minimum(maximum(s, zero<V>()), all<V>(last_row));
    t = minimum(maximum(t, zero<V>()), all<V>(last_column));
    const V i = s - T(0.5) + rounder, j = t - T(0.5) + rounder;
    Source<T> source;
    store(source.corner, (bits_of(i) & whole) * static_cast<I>(width) + (bits_of(j) & whole));
    source.down = s - (i - rounder);
    source.right = t - (j - rounder);
    return source;
}

// What lies between the pixels at the corners and their right neighbours. A gather of pairs, where there is one, reads
// half as often.
template <class T> INLINE Vector<T> between(const T* image, const Source<T>& source) {
    using V = Vector<T>;
    V left, right;
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) {
        const __m512i at = _mm512_loadu_si512(source.corner);
        const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
        const __m512 low = _mm512_castpd_ps(_mm512_i32gather_pd(_mm512_castsi512_si256(at), image, 4));
        const __m512 high = _mm512_castpd_ps(_mm512_i32gather_pd(_mm512_extracti64x4_epi64(at, 1), image, 4));
        left.v = (decltype(left.v))_mm512_permutex2var_ps(low, even, high);
        right.v = (decltype(right.v))_mm512_permutex2var_ps(low, _mm512_add_epi32(even, _mm512_set1_epi32(1)), high);
        return fma(source.right, right - left, left);
    }
#endif
    T pixels[2][LANES<T>];
    for (int i = 0; i < LANES<T>; ++i) {
        pixels[0][i] = image[source.corner[i]];
        pixels[1][i] = image[source.corner[i] + 1];
    }
    left = load<V>(pixels[0]);
    right = load<V>(pixels[1]);
    return fma(source.right, right - left, left);
}

template <class T> INLINE Vector<T> bilinear(const T* image, Index width, const Source<T>& source) {
    const Vector<T> above = between(image, source), below = between(image + width, source);
    return fma(source.down, below - above, above);
}

// Store the first `count` lanes, `apart` from each other.
template <class T> INLINE void put_pixels(Vector<T> y, T* to, Index apart, int count) {
    if (apart == 1) return store(to, y, count);
    T lanes[LANES<T>];
    store(lanes, y);
    for (int i = 0; i < count; ++i) to[i * apart] = lanes[i];
}

// The image at s(p), bilinear; see augmentation.py. numbers: shift, rotate, scale, shear, amplitude, smoothness, fill.
struct DeformImage {
    template <class T>
    static void change(const AugmentationSpec& spec, const Stream& stream, Index row, const T* from, T* to,
                       T* workspace) {
        using V = Vector<T>;
        const Index width = spec.columns + 3, plane = (spec.rows + 3) * width, down = spec.knots_down();
        const Index padded = panels(spec.columns, LANES<T>) * LANES<T>;
        T *u = workspace, *field = u + panels(spec.random(), BITS) * BITS, *image = field + 2 * down * padded;
        draw_uniform(spec, stream, row, u);
        const Affine affine = affine_of(spec, u);
        blend_knots(spec, u + 5, field);
        surround(spec, from, image);
        const V lanes = lane_numbers<V>();
        for (Index r = 0; r < spec.rows; ++r) {
            const Index cell = down ? spec.cell(r) : 0;
            T weight[LANES<T>];
            store(weight,
                  spline(static_cast<T>(r) / static_cast<T>(spec.numbers[5]) - (lanes + static_cast<T>(cell - 1))));
            for (Index c = 0; c < spec.columns; c += LANES<T>) {
                V s[2];
                for (int axis = 0; axis < 2; ++axis) {
                    const auto start = static_cast<T>(affine.at[axis] + affine.a[axis][0] * static_cast<double>(r));
                    s[axis] = fma(lanes + static_cast<T>(c), static_cast<T>(affine.a[axis][1]), start);
                    const T* sums = field + (axis * down + cell) * padded + c;
                    for (int k = 0; k < 4 && down; ++k) s[axis] = fma(load<V>(sums + k * padded), weight[k], s[axis]);
                }
                const Source<T> source = source_of<T>(s[0], s[1], T(spec.rows + 1), T(spec.columns + 1), width);
                const int count = static_cast<int>(smaller<Index>(LANES<T>, spec.columns - c));
                for (Index k = 0; k < spec.channels; ++k) {
                    const V y = bilinear(image + k * plane, width, source);
                    put_pixels(y, to + (r * spec.columns + c) * spec.channels + k, spec.channels, count);
                }
            }
        }
    }
};

template <class T> using Change = void (*)(const AugmentationSpec&, const Stream&, Index, const T*, T*, T*);

#define ROW_OF(name, Type, numbers) Type::change<T>,
template <class T> constexpr Change<T> CHANGE[] = {CHAINRULE_AUGMENTATIONS(ROW_OF)};
#undef ROW_OF

// One row of inputs, changed; from and to may be the same. The workspace holds spec.workspace<T>() numbers.
template <class T>
void augment(const AugmentationSpec& spec, const Stream& stream, Index row, const T* from, T* to, T* workspace) {
    CHANGE<T>[spec.kind](spec, stream, row, from, to, workspace);
}

}  // namespace chainrule::CHAINRULE_SET
