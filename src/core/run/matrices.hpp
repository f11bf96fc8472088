// Symmetric matrices in float64: solving with Cholesky's factors, and the product of a matrix with itself.
#pragma once

#include "run/instruction_sets.hpp"

namespace chainrule {

// From tiles (step/matrices.hpp) to a symmetric matrix (n, n) in C order.
void unpack(const double* tiles, Index n, double* out);

// x with (A + diag) x = b, each (n,); false where A + diag is not positive definite.
bool solve(const InstructionSet& set, const Symmetric& given, const double* b, double* x, int threads);

// out (n, n) = Rᵀ R, with R (rows, n) in C order.
void gram(const InstructionSet& set, const double* R, Index rows, Index n, double* out, int threads);

}  // namespace chainrule
