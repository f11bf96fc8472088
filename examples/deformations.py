"""Draw digits as they are and as `chainrule.augmentation.Deformation` changes them: one row each, new in every column.

Run: python examples/deformations.py deformations.png   (needs matplotlib and MNIST's idx files in ../shared/data/mnist)
"""

import sys
from pathlib import Path

import numpy as np

from chainrule.augmentation import Deformation
from chainrule.foundation.randomness import Stream
from chainrule.tables.sources import read_idx

IMAGES = Path(__file__).parents[2] / "shared" / "data" / "mnist" / "train-images-idx3-ubyte.gz"
LABELS = IMAGES.with_name(IMAGES.name.replace("images-idx3", "labels-idx1"))
STRENGTHS = {
    "shift": {"shift": 2},
    "rotate": {"rotate": 10},
    "scale": {"scale": 0.1},
    "shear": {"shear": 8},
    "elastic": {"elastic": 1.2},
    "all": {"shift": 2, "rotate": 10, "scale": 0.1, "shear": 8, "elastic": 1.2},
    "twice all": {"shift": 4, "rotate": 20, "scale": 0.2, "shear": 16, "elastic": 2.4},
}


def main(path: str) -> None:
    """Draw one digit of each kind, and what each deformation makes of them."""
    digits, labels = read_idx(IMAGES), read_idx(LABELS)
    chosen = digits[[int(np.argmax(labels == digit)) for digit in range(10)]].reshape(10, -1) / 255
    sheets = {"as it is": chosen}
    for step, (name, strengths) in enumerate(STRENGTHS.items()):
        sheets[name] = Deformation((28, 28), **strengths)(chosen, Stream(0, "augmentation", step))
    draw(sheets, path)
    print(f"{path}: {len(chosen)} digits, {len(sheets) - 1} deformations of each")


def draw(sheets: dict[str, np.ndarray], path: str) -> None:
    """Save one row of pictures per sheet."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, rows = pyplot.subplots(len(sheets), 10, figsize=(10, len(sheets)))
    for (name, images), axes in zip(sheets.items(), rows, strict=True):
        for axis, image in zip(axes, images, strict=True):
            axis.imshow(image.reshape(28, 28), cmap="gray", vmin=0, vmax=1)
            axis.axis("off")
        axes[0].set_title(name, loc="left", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: python {sys.argv[0]} PICTURE.png")
    if not IMAGES.exists():
        sys.exit(f"nothing to draw: there is no {IMAGES}")
    main(sys.argv[1])
