// The way forward through one layer.
#pragma once

#include "step/products.hpp"
#include "step/stages.hpp"

namespace chainrule::CHAINRULE_SET {

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
void forward(const Step<T>& step, const Layer<T>& layer, const T* x, const Places<T>& to, Index stride, Index row,
             Index rows) {
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

}  // namespace chainrule::CHAINRULE_SET
