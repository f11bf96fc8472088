// Symmetric matrices on one instruction set; compiled once for each.
//
// A = Uᵀ U, GROUP panels of rows at a time. Every entry is A minus sums over pieces of DEPTH rows in one order, then
// over the rows of its group: the number of threads changes nothing.
#include "step/matrices.hpp"

#include "step/products.hpp"
#include "vector/walks.hpp"

namespace chainrule::CHAINRULE_SET {
namespace {

using V = Vector<double>;
constexpr Index TILE = SIDE * SIDE;

void add_products(const double* R, Index stride, Index rows, double* tiles, Index first, Index last, bool add) {
    Index j = 0, before = 0;  // tiles in the panels before j
    for (Index t = first; t < last; ++t) {
        while (before + j + 1 <= t) before += ++j;
        const Index i = t - before;
        for (Index k = 0; k < rows; k += DEPTH)
            multiply_transposed(R + i * stride, R + j * stride, k, smaller<Index>(k + DEPTH, rows), tiles + t * TILE,
                                SIDE, SIDE, SIDE, add || k > 0);
    }
}

void pack(const double* R, Index n, Index first, Index last, double* to, Index stride) {
    for (Index r = first; r < last; ++r)
        for (Index c = 0; c < n; c += LANES<double>)
            store(to + c / SIDE * stride + (r - first) * SIDE + c % SIDE,
                  load<V>(R + r * n + c, static_cast<int>(smaller<Index>(LANES<double>, n - c))));
}

// Tile (i, j) of A, with 1 on the diagonal beyond the last row, minus `sums`.
void take(const Symmetric& given, Index i, Index j, const double* sums, double* to) {
    const Index n = given.n;
    for (Index r = 0; r < SIDE; ++r)
        for (Index c = 0; c < SIDE; c += LANES<double>) {
            const Index row = i * SIDE + r, column = j * SIDE + c;
            const int count = static_cast<int>(smaller<Index>(LANES<double>, n - column));
            V a = row < n && count > 0 ? load<V>(given.A + row * n + column, count) : zero<V>();
            if (sums) a = a - load<V>(sums + r * SIDE + c);
            store(to + r * SIDE + c, a);
        }
    for (Index r = 0; i == j && r < SIDE; ++r) {
        double& pivot = to[r * SIDE + r];
        if (i * SIDE + r >= n) pivot = 1;
        else if (given.diagonal) pivot += given.diagonal[i * SIDE + r];
    }
}

// sums = or += Σ U(k, i)ᵀ U(k, j) over rows first <= k < last.
INLINE void products(const double* U, Index i, Index j, Index first, Index last, double* sums, bool add) {
    multiply_transposed(U + panel_at(i), U + panel_at(j), first, last, sums, SIDE, SIDE, SIDE, add);
}

void reduce(const Symmetric& given, double* U, Index group, Index first, Index apart, double* scratch) {
    const Index count = panels(given.n, SIDE), end = smaller<Index>(group + GROUP, count), rows = group * SIDE;
    for (Index begin = first; begin < count; begin += GROUP * apart) {
        const auto each = [&](auto f) LAMBDA {
            double* sums = scratch;
            for (Index j = begin; j < count && j < begin + GROUP * apart; j += apart)
                for (Index i = group; i < end && i <= j; ++i, sums += TILE) f(i, j, sums);
        };
        for (Index k = 0; k < rows; k += DEPTH)
            each([&](Index i, Index j, double* sums)
                     LAMBDA { products(U, i, j, k, smaller<Index>(k + DEPTH, rows), sums, k > 0); });
        each([&](Index i, Index j, double* sums)
                 LAMBDA { take(given, i, j, rows ? sums : nullptr, U + panel_at(j) + i * TILE); });
    }
}

// Row r of a tile, vector v.
INLINE double* at(double* tile, Index r, int v) { return tile + r * SIDE + v * LANES<double>; }

// The rows of a tile above the diagonal: row r less Σ U(k, r) row k over k < r, then divided by the pivot.
template <class F> INLINE bool eliminate(const double* U, double* tile, F pivot) {
    for (Index r = 0; r < SIDE; ++r) {
        V row[2] = {load<V>(at(tile, r, 0)), load<V>(at(tile, r, 1))};
        for (Index k = 0; k < r; ++k)
            for (int v = 0; v < 2; ++v) row[v] = fma(load<V>(at(tile, k, v)), -U[k * SIDE + r], row[v]);
        for (int v = 0; v < 2; ++v) store(at(tile, r, v), row[v]);
        const double by = pivot(r);
        if (!(by > 0)) return false;
        for (int v = 0; v < 2; ++v) store(at(tile, r, v), row[v] / by);
    }
    return true;
}

// Tile (i, j) of a group, less the group's own rows above it, and divided by its diagonal tile.
bool complete(double* U, Index group, Index i, Index j) {
    double *tile = U + panel_at(j) + i * TILE, *own = U + panel_at(i) + i * TILE, sums[TILE];
    if (i > group) {
        products(U, i, j, group * SIDE, i * SIDE, sums, false);
        for (Index c = 0; c < TILE; c += LANES<double>) store(tile + c, load<V>(tile + c) - load<V>(sums + c));
    }
    if (i < j) return eliminate(own, tile, [&](Index r) LAMBDA { return own[r * SIDE + r]; });
    return eliminate(tile, tile, [&](Index r) LAMBDA {
        const double square = tile[r * SIDE + r];
        return square > 0 ? __builtin_sqrt(square) : 0.0;
    });
}

bool factorize(double* U, Index n, Index group) {
    const Index end = smaller<Index>(group + GROUP, panels(n, SIDE));
    for (Index i = group; i < end; ++i)
        for (Index j = i; j < end; ++j)
            if (!complete(U, group, i, j)) return false;
    return true;
}

void finish(double* U, Index n, Index group, Index first, Index apart) {
    for (Index j = first; j < panels(n, SIDE); j += apart)
        for (Index i = group; i < group + GROUP; ++i) complete(U, group, i, j);
}

void solve(const double* U, Index n, const double* b, double* x) {
    const Index count = panels(n, SIDE);
    for (Index k = 0; k < count * SIDE; ++k) x[k] = k < n ? b[k] : 0;
    for (Index j = 0; j < count; ++j) {  // Uᵀ y = b
        const double* panel = U + panel_at(j);
        V chain[4][2] = {};
        for (Index k = 0; k < j * SIDE; ++k)
            for (int v = 0; v < 2; ++v)
                chain[k % 4][v] = fma(load<V>(panel + k * SIDE + v * LANES<double>), x[k], chain[k % 4][v]);
        double sums[SIDE];
        for (int v = 0; v < 2; ++v)
            store(sums + v * LANES<double>, (chain[0][v] + chain[1][v]) + (chain[2][v] + chain[3][v]));
        const double* own = panel + j * TILE;
        for (Index r = 0; r < SIDE; ++r) {
            double rest = x[j * SIDE + r] - sums[r];
            for (Index k = 0; k < r; ++k) rest -= own[k * SIDE + r] * x[j * SIDE + k];
            x[j * SIDE + r] = rest / own[r * SIDE + r];
        }
    }
    for (Index j = count; j-- > 0;) {  // U x = y
        const double *panel = U + panel_at(j), *own = panel + j * TILE;
        double* here = x + j * SIDE;
        for (Index r = SIDE; r-- > 0;) {
            for (Index c = r + 1; c < SIDE; ++c) here[r] -= own[r * SIDE + c] * here[c];
            here[r] /= own[r * SIDE + r];
        }
        const V lower = load<V>(here), upper = load<V>(here + LANES<double>);
        for (Index k = 0; k < j * SIDE; ++k)
            x[k] -= sum(fma(load<V>(panel + k * SIDE + LANES<double>), upper, load<V>(panel + k * SIDE) * lower));
    }
}

constexpr Matrices MATRICES = {add_products, pack, reduce, factorize, finish, solve};

}  // namespace
}  // namespace chainrule::CHAINRULE_SET

namespace chainrule {

#define JOINED(set) matrices_##set
#define MATRICES_OF(set) JOINED(set)
extern const Matrices MATRICES_OF(CHAINRULE_SET);
const Matrices MATRICES_OF(CHAINRULE_SET) = CHAINRULE_SET::MATRICES;

}  // namespace chainrule
