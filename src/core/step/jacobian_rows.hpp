// Rows of the Jacobian, from the inputs of the layers and what a pull leaves in them.
#pragma once

#include "step/second_order.hpp"
#include "vector/simd.hpp"

namespace chainrule::CHAINRULE_SET {

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

}  // namespace chainrule::CHAINRULE_SET
