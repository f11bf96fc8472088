// Panels: how matrices lie in the workspace.
//
// A panel is PANEL<T> columns (128 bytes) side by side, all rows of a panel one after the other, the last panel padded.
// Element (r, c) is at  panel (c / PANEL) * stride + r * PANEL + c % PANEL.  Rows of a panel are two cache lines, so
// products stream through them in either direction without packing anything again.
#pragma once

#include <cstddef>
#include <cstdint>

namespace chainrule {

using Index = std::int64_t;

constexpr std::size_t PANEL_BYTES = 128;
template <class T> constexpr int PANEL = static_cast<int>(PANEL_BYTES / sizeof(T));

// How many pieces of a width columns fill.
[[gnu::always_inline]] constexpr Index panels(Index columns, Index width) { return (columns + width - 1) / width; }

template <class T> [[gnu::always_inline]] constexpr T smaller(T a, T b) { return a < b ? a : b; }

}  // namespace chainrule
