// Matrix products on panels: kernels keep a piece of the result in registers while the sum runs.
//
// Shapes: n rows, K terms of each sum. Every element of a result is one chain of fused multiply-adds over DEPTH terms
// at a time, whatever the kernel: kernels differ between instruction sets, results do not.
#pragma once

#include <utility>

#include "step/plan.hpp"
#include "vector/simd.hpp"

namespace chainrule::CHAINRULE_SET {

#if defined(__AVX512F__)
constexpr int KERNEL_ROWS = 12, KERNEL_VECTORS = 2;  // 24 of 32 registers accumulate
#elif defined(__AVX2__)
constexpr int KERNEL_ROWS = 6, KERNEL_VECTORS = 1;  // 12 of 16
#elif defined(__aarch64__)
constexpr int KERNEL_ROWS = 6, KERNEL_VECTORS = 1;  // 24 of 32
#else
constexpr int KERNEL_ROWS = 2, KERNEL_VECTORS = 1;  // 8 of 16
#endif

// acc[r][v] += Σₖ a(r, k) b(k, v), with a(r, k) at a[r * ROW + k * STEP] and rows of b one panel row apart.
template <int ROW, int STEP, class T, int R, int V>
INLINE void accumulate(Vector<T> (&acc)[R][V], const T* a, const T* b, Index steps) {
    for (Index k = 0; k < steps; ++k, a += STEP, b += PANEL<T>) {
        Vector<T> row[V];
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) row[v] = load<Vector<T>>(b + v * LANES<T>);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
            const Vector<T> factor = all<Vector<T>>(a[r * ROW]);
#pragma GCC unroll 4
            for (int v = 0; v < V; ++v) acc[r][v] = fma(factor, row[v], acc[r][v]);
        }
    }
}

template <class T, int R, int V> INLINE void clear(Vector<T> (&acc)[R][V]) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) acc[r][v] = zero<Vector<T>>();
}

template <class T, int R, int V> INLINE void put(const Vector<T> (&acc)[R][V], T* c, Index apart, bool add) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) {
            T* at = c + r * apart + v * LANES<T>;
            store(at, add ? load<Vector<T>>(at) + acc[r][v] : acc[r][v]);
        }
}

// One factor of a product: where it begins, and how far apart its panels are.
template <class T> struct Factor {
    const T* at;
    Index stride;
};

// c (R rows) = or += Σₖ a(r, k) b(k, ·) for first <= k < last; a in panels over k, first a multiple of PANEL.
template <class T, int R, int V>
void inner_kernel(Factor<T> a, const T* b, Index first, Index last, T* c, Index, bool add) {
    Vector<T> acc[R][V];
    clear(acc);
    for (Index k = first; k < last; k += PANEL<T>)
        accumulate<PANEL<T>, 1>(acc, a.at + k / PANEL<T> * a.stride, b + k * PANEL<T>,
                                smaller<Index>(PANEL<T>, last - k));
    put(acc, c, PANEL<T>, add);
}

// c (R rows) = or += Σₖ a(k, r) b(k, ·): columns of one panel of a against one panel of b.
template <class T, int R, int V>
void outer_kernel(Factor<T> a, const T* b, Index first, Index last, T* c, Index apart, bool add) {
    Vector<T> acc[R][V];
    clear(acc);
    accumulate<1, PANEL<T>>(acc, a.at + first * PANEL<T>, b + first * PANEL<T>, last - first);
    put(acc, c, apart, add);
}

template <class T> using Kernel = void (*)(Factor<T>, const T*, Index, Index, T*, Index, bool);

template <class T> struct Kernels {
    Kernel<T> inner[KERNEL_VECTORS][KERNEL_ROWS], outer[KERNEL_VECTORS][KERNEL_ROWS];
};

template <class T, int... N> constexpr Kernels<T> kernels(std::integer_sequence<int, N...>) {
    Kernels<T> all{};
    ((all.inner[N / KERNEL_ROWS][N % KERNEL_ROWS] = inner_kernel<T, N % KERNEL_ROWS + 1, N / KERNEL_ROWS + 1>), ...);
    ((all.outer[N / KERNEL_ROWS][N % KERNEL_ROWS] = outer_kernel<T, N % KERNEL_ROWS + 1, N / KERNEL_ROWS + 1>), ...);
    return all;
}

template <class T>
constexpr Kernels<T> KERNELS = kernels<T>(std::make_integer_sequence<int, KERNEL_VECTORS * KERNEL_ROWS>{});

// Cover `rows` x `columns` of one panel of the result with kernels of nearly equal height; a moves `step` a row.
template <class T>
INLINE void cover(const Kernel<T> (&kinds)[KERNEL_VECTORS][KERNEL_ROWS], Factor<T> a, Index step, const T* b,
                  Index first, Index last, T* c, Index apart, Index rows, Index columns, bool add) {
    const Index count = panels(rows, KERNEL_ROWS);
    for (int v = 0; v * LANES<T> < columns; v += KERNEL_VECTORS) {
        const Index vectors = smaller<Index>(KERNEL_VECTORS, panels(columns - v * LANES<T>, LANES<T>));
        for (Index t = 0, r = 0; t < count; ++t) {
            const Index height = (rows - r) / (count - t);
            kinds[vectors - 1][height - 1]({a.at + r * step, a.stride}, b + v * LANES<T>, first, last,
                                           c + r * apart + v * LANES<T>, apart, add);
            r += height;
        }
    }
}

// c = or += a b for one panel of b (terms, PANEL): a (rows, terms) in panels, the sum in pieces of at most DEPTH terms.
template <class T>
INLINE void multiply(Factor<T> a, const T* b, Index terms, T* c, Index rows, Index columns, bool add = false) {
    const Index strips = panels(terms, PANEL<T>), pieces = panels(strips, DEPTH / PANEL<T>);
    for (Index p = 0; p < pieces; ++p)
        cover(KERNELS<T>.inner, a, Index{PANEL<T>}, b, strips * p / pieces * PANEL<T>,
              smaller(terms, strips * (p + 1) / pieces * PANEL<T>), c, PANEL<T>, rows, columns, add || p > 0);
}

// c (rows, columns) = or += Σₖ a(k, ·)ᵀ b(k, ·) over rows first <= k < last of two panels; rows of c are `apart`.
template <class T>
INLINE void multiply_transposed(const T* a, const T* b, Index first, Index last, T* c, Index apart, Index rows,
                                Index columns, bool add) {
    cover(KERNELS<T>.outer, Factor<T>{a, 0}, Index{1}, b, first, last, c, apart, rows, columns, add);
}

}  // namespace chainrule::CHAINRULE_SET
