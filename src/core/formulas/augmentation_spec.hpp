// An augmentation as the trainer hands it to a step: which one, its numbers, the image, the workspace of a row.
#pragma once

#include "formulas/tables.hpp"
#include "vector/panels.hpp"

namespace chainrule {

// An augmentation of rows, or of the images in them, and its numbers; see augmentation.py.
struct AugmentationSpec {
    AugmentationKind kind;
    double numbers[8];
    Index rows, columns, channels;  // 1, the inputs, 1 where there is no image

    [[gnu::always_inline]] Index inputs() const { return rows * columns * channels; }

    // Deformation: the cell of the grid of knots that a pixel lies in, the knots, and the 16-bit numbers of a row.
    [[gnu::always_inline]] Index cell(Index pixel) const {
        return static_cast<Index>(static_cast<double>(pixel) / numbers[5]);
    }
    [[gnu::always_inline]] Index knots_down() const { return numbers[4] ? cell(rows - 1) + 4 : 0; }
    [[gnu::always_inline]] Index knots_across() const { return numbers[4] ? cell(columns - 1) + 4 : 0; }
    [[gnu::always_inline]] Index random() const { return 5 + 2 * knots_down() * knots_across(); }

    // Numbers of workspace for one row: the random ones, the field along knot rows, the image and its border.
    template <class T> [[gnu::always_inline]] Index workspace() const {
        constexpr Index lanes = static_cast<Index>(64 / sizeof(T));
        const Index field = 2 * knots_down() * panels(columns, lanes) * lanes;
        return panels(random(), 16) * 16 + field + (rows + 3) * (columns + 3) * channels + lanes;
    }
};

}  // namespace chainrule
