// What the products with second derivatives and the rows of the Jacobian work on, beside a step as at prediction.
//
// R{·} is the change of a number when θ moves along a direction v (Pearlmutter 1994). It goes through the same blocks of
// rows and the same tiles as a step: threads split outputs, never sums.
#pragma once

#include "step/plan.hpp"

namespace chainrule {

// (d²J/dθ²) v, (Jᵀ L'' J) v, or Jᵀ dscores with J = dscores/dθ.
enum class Product { HESSIAN, GAUSS_NEWTON, PULL };

// A layer's numbers along v, in the workspace.
template <class T> struct Along {
    T* packed;      // V, what v has for W, in panels of outputs
    T* transposed;  // Vᵀ in panels of inputs; null for the first layer
    T* bias;        // padded; 0 where there is none
    T* y;           // R{y} of a wave, in panels
    T* d;           // R{dL/dz}; of a pull and of the Jacobian, dL/dz
    T* bent;        // R{f'(z)}
};

template <class T> struct Curve {
    Product product;
    Along<T>* along;   // of each layer
    const T* v;        // (P,)
    const T* dscores;  // of a pull: (rows, outputs), C order
    T* out;            // (P,), what is wanted
};

// Where the rows of the Jacobian go, one for each row of the wave and output. Rooted: those of √L'' J, in float64; the
// passes then end with the losses of the rows and their dL/dz, of which the tiles make dL/dθ.
template <class T> struct JacobianRows {
    bool rooted;
    Index parameters;
    T* plain;        // (rows, outputs, P) in C order, or null
    double* matrix;  // the same, rooted, or null
    double* panels;  // those of a wave in panels, rooted, or null
    Index stride;    // between these panels
    double* row;     // of this thread: one row, padded
};

template <class T> struct SecondOrder {
    void (*prepare)(const Step<T>&, const Curve<T>&, Index first, Index last);
    void (*rows)(const Step<T>&, const Curve<T>&, Scratch<T>&, Index first, Index last);
    void (*tiles)(const Step<T>&, const Curve<T>&, Scratch<T>&, Index first, Index last);
    void (*jacobian)(const Step<T>&, const Curve<T>&, Scratch<T>&, const JacobianRows<T>&, Index first, Index last);
};

}  // namespace chainrule
