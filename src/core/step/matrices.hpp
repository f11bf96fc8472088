// Symmetric matrices in float64: sums of products, Cholesky's factors, and solving with them.
//
// A matrix (n, n) lies in square tiles of SIDE: tile (i, j) with i <= j at panel j, one below the other, so that panel j
// has j + 1 of them; rows of a tile follow one another. Threads share panels and tiles out, never sums.
#pragma once

#include <atomic>

#include "vector/panels.hpp"

namespace chainrule {

constexpr int SIDE = PANEL<double>;
constexpr int GROUP = 4;  // panels factorised together

// Where panel j begins.
constexpr Index panel_at(Index j) { return j * (j + 1) / 2 * SIDE * SIDE; }

// A (n, n), of which the upper half is read, and what is added to its diagonal, or null.
struct Symmetric {
    const double* A;
    const double* diagonal;
    Index n;
};

struct Matrices {
    // Tiles first to last, counted panel by panel, = or += those of Rᵀ R, with R (rows, n) in panels.
    void (*add_products)(const double* R, Index stride, Index rows, double* tiles, Index first, Index last, bool add);
    // Rows first to last of R (any, n), in C order, into panels.
    void (*pack)(const double* R, Index n, Index first, Index last, double* panels, Index stride);
    // A - Σ Uᵀ U over the rows above the group, of panels `first` to `last`, one of every `apart`; scratch: a group's tiles.
    void (*reduce)(const Symmetric&, double* U, Index group, Index first, Index apart, double* scratch);
    // The group's own panels; false where A is not positive definite.
    bool (*factorize)(double* U, Index n, Index group);
    // The group's rows of the panels behind it.
    void (*finish)(double* U, Index n, Index group, Index first, Index apart);
    // x = (Uᵀ U)⁻¹ b; x is padded to whole panels.
    void (*solve)(const double* U, Index n, const double* b, double* x);
};

}  // namespace chainrule
