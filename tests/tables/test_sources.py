"""Files -> features and target: what is read, what is missing, and one helpful line for every mistake."""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from chainrule.tables.sources import Asked, SourceError, load, read_idx
from chainrule.tables.table import Table
from chainrule.workbench.data import infer_task

DATA = Path(__file__).parents[3] / "shared" / "data"


def needs(name: str) -> Path:
    """Find a real data file, or skip the test."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not there: the real data are kept outside the repository")
    return path


def message(path: Path, act: Callable[[Path], Any]) -> str:
    """Give the one line of the SourceError, without the name of the file that it must begin with."""
    with pytest.raises(SourceError) as caught:
        act(path)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"{path}: ")
    return line.removeprefix(f"{path}: ")


# ---------------------------------------------------------------------------- tables as sources


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text("age,Income,town,gaps,when\n20,low,Bonn,1,2020-01-01\n40,high,Ulm,,2020-01-02\n")
    return path


def test_a_table_is_split_into_features_and_target(people: Path) -> None:
    source = load(str(people), "Income")
    assert isinstance(source.X, Table)
    assert source.X.columns == ["age", "town", "gaps", "when"]
    assert source.y is not None
    assert source.y.tolist() == ["low", "high"]
    assert (source.name, source.target, source.scale, source.X_test) == (str(people), "Income", 1.0, None)


@pytest.mark.parametrize(
    ("column", "kind", "task"),
    [
        (pl.Series([1, 2, 1, 2]), "i", "classification"),
        (pl.Series([0.5, 2, 1, 2]), "f", "regression"),
        (pl.Series([True, False, True, True]), "b", "classification"),
        (pl.Series(["a", "b", "a", "b"]), "U", "classification"),
        (pl.Series(["a", "b", "a", "b"], dtype=pl.Categorical), "U", "classification"),
        (pl.Series([1, 2, 3, 4], dtype=pl.Decimal(5, 2)), "i", "regression"),
        (pl.Series([2**60, 2**60 + 1] * 2), "i", "classification"),
    ],
)
def test_a_target_of_every_type(tmp_path: Path, column: pl.Series, kind: str, task: str) -> None:
    pl.DataFrame({"x": range(4), "y": column}).write_parquet(tmp_path / "t.parquet")
    y = load(tmp_path / "t.parquet", "y").y
    assert y is not None
    assert y.dtype.kind == kind
    assert infer_task(y) == task


WRONG_TARGETS = {
    None: "which column is the target? It has: 'age', 'Income', 'town', 'gaps', 'when'",
    "income": "there is no column 'income'; did you mean 'Income'?",
    "Twon": "there is no column 'Twon'; did you mean 'town'?",
    "zzz": "there is no column 'zzz'; it has: 'age', 'Income', 'town', 'gaps', 'when'",
    "gaps": "target 'gaps' is missing or not finite in row 2 (row 1 is the first row of data): take this row out",
    "when": (
        "target 'when' holds dates, such as 2020-01-01 in row 1; to learn the seconds give --columns when:number,"
        " to take each as a class --columns when:category"
    ),
}


@pytest.mark.parametrize("target", WRONG_TARGETS)
def test_a_wrong_target_is_explained(people: Path, target: str | None) -> None:
    assert message(people, lambda path: load(path, target)) == WRONG_TARGETS[target]


@pytest.mark.parametrize(("target", "width"), [(None, 5), ("zzz", 5), ("gaps", 4)])
def test_predict_does_not_need_the_target(people: Path, target: str | None, width: int) -> None:
    source = load(people, target, target_required=False)
    assert source.y is None
    assert source.X.shape == (2, width)


def test_a_target_with_several_gaps_says_how_many_and_where_first(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y\n1,a\n2,\n3,b\n4,\n")
    expected = "target 'y' is missing or not finite in 2 rows, the first is row 2 (row 1 is"
    assert message(path, lambda path: load(path, "y")).startswith(expected)
    path.write_text("y\na\nb\n")
    expected = "'y' is its only column; nothing is left to learn from"
    assert message(path, lambda path: load(path, "y")) == expected


def test_several_targets_and_weights(people: Path) -> None:
    source = load(people, ("age", "gaps"), target_required=False)
    assert source.y is None
    source = load(people, asked=Asked(target=("age",), weights="age2"), target_required=False)
    assert source.weights is None
    people.write_text("a,b,w,y\n1,2,0.5,3\n2,3,1.5,4\n")
    source = load(people, asked=Asked(target=("y,b",), weights="w"))
    assert source.y is not None
    assert source.weights is not None
    assert (source.target, source.y.tolist()) == (("y", "b"), [[3, 2], [4, 3]])
    assert (source.X.shape, source.weights.tolist()) == ((2, 1), [0.5, 1.5])
    asked = Asked(target=("y",), weights="v")
    expected = "there is no column 'v' for the weights; it has: 'a', 'b', 'w'"
    assert message(people, lambda path: load(path, asked=asked)) == expected


# ---------------------------------------------------------------------------- digits, npz and idx


def test_digits_need_no_file() -> None:
    source = load("digits")
    assert isinstance(source.X, np.ndarray)
    assert source.X.shape == (1797, 64)
    assert source.X.max() * source.scale == 1
    assert (source.name, source.target, source.image_shape) == ("digits", "digit", (8, 8))
    assert load("digits", "digit").target == "digit"
    with pytest.raises(SourceError, match=r"^digits: the target is 'digit'; there is no 'x' \(leave it"):
        load("digits", "x")


def test_an_unknown_name_is_explained(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"^digts: there is no such file; did you mean digits\?$"):
        load("digts")
    path = tmp_path / "data.bin"
    assert message(path, load) == "there is no such file"
    path.touch()
    assert message(path, load) == "it is empty"


IMAGES = np.arange(24, dtype=np.uint8).reshape(4, 3, 2)

NPZ: dict[str, tuple[dict[str, Any], tuple[int, int], bool, float]] = {
    "X and y": ({"X": np.ones((4, 2)), "y": [0, 1, 0, 1]}, (4, 2), False, 1.0),
    "data and target": ({"data": np.ones((4, 2)), "target": [0, 1, 0, 1]}, (4, 2), False, 1.0),
    "a column as target": ({"x": np.ones((4, 2)), "y": np.ones((4, 1))}, (4, 2), False, 1.0),
    "images": ({"X": IMAGES, "y": ["a", "b", "a", "b"]}, (4, 6), False, 1 / 255),
    "as keras writes mnist": (
        {"x_train": IMAGES, "y_train": [0, 1, 0, 1], "x_test": IMAGES[:2], "y_test": [0, 1]},
        (4, 6),
        True,
        1 / 255,
    ),
}


@pytest.mark.parametrize("name", NPZ)
def test_npz(tmp_path: Path, name: str) -> None:
    arrays, shape, has_test, scale = NPZ[name]
    np.savez(tmp_path / "data.npz", **arrays)
    source = load(tmp_path / "data.npz")
    assert source.y is not None
    assert (source.X.shape, source.y.shape, source.scale) == (shape, (4,), scale)
    assert (source.X_test is not None, source.y_test is not None) == (has_test, has_test)


def test_npz_with_a_target_of_another_name_and_with_none(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", X=np.ones((2, 2)), y=[0, 1], other=[2, 3])
    source = load(tmp_path / "data.npz", "other")
    assert source.y is not None
    assert source.y.tolist() == [2, 3]
    np.savez(tmp_path / "data.npz", X=np.ones((2, 2)))
    assert load(tmp_path / "data.npz", target_required=False).y is None


WRONG_NPZ: list[tuple[dict[str, Any], str]] = [
    ({"a": [1]}, "it holds 'a'; expected X and y, or x_train and y_train"),
    ({"X": np.ones((2, 2))}, "there is no array 'y'; it has: 'X'"),
    ({"X": np.ones((2, 2)), "y": [1, 2, 3]}, "'y' has 3 rows, the features have 2"),
    ({"X": np.ones(2), "y": [1, 2]}, "'X' must hold rows of numbers; it is float64 of shape (2,)"),
    (
        {"X": np.array([["a"], ["b"]]), "y": [1, 2]},
        "'X' must hold rows of numbers; it is <U1 of shape (2, 1)",
    ),
    ({"X": np.ones((0, 2)), "y": []}, "'X' is empty: its shape is (0, 2)"),
    ({"X": np.array([[1.0], [np.nan]]), "y": [1, 2]}, "'X' is missing or not finite in row 2 (row 1 is"),
    (
        {"X": np.ones((2, 1)), "y": [np.nan, np.inf]},
        "target 'y' is missing or not finite in 2 rows, the first is row 1",
    ),
    ({"X": np.ones((2, 1)), "y": [1j, 2]}, "'y' must hold numbers or text; it is complex128 of shape (2,)"),
    (
        {"X": np.ones((2, 1)), "y": np.array([None, "a"])},
        "'y' holds Python objects, which could run code; save",
    ),
    (
        {"x_train": np.ones((2, 1)), "y_train": [1, 2], "x_test": np.ones((2, 3)), "y_test": [1, 2]},
        "the test set has 3 inputs, the training set 1",
    ),
]


@pytest.mark.parametrize(("arrays", "cause"), WRONG_NPZ, ids=[cause[:30] for _, cause in WRONG_NPZ])
def test_a_wrong_npz_is_explained(tmp_path: Path, arrays: dict[str, Any], cause: str) -> None:
    np.savez(tmp_path / "data.npz", **arrays)
    assert message(tmp_path / "data.npz", load).startswith(cause)


def test_a_damaged_npz_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, X=np.arange(40.0).reshape(20, 2), y=np.arange(20))
    whole, path = buffer.getvalue(), tmp_path / "data.npz"
    path.write_bytes(whole[:-30])
    assert message(path, load) == "it is not an .npz file, or was cut off"
    path.write_bytes(whole[:70] + bytes([whole[70] ^ 1]) + whole[71:])
    assert message(path, load) == "the compressed data are damaged or cut off"


def idx(array: np.ndarray[Any, Any], code: int = 8) -> bytes:
    """The bytes of an idx file."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize(
    ("code", "dtype"),
    [(0x08, ">u1"), (0x09, ">i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")],
)
def test_idx_of_every_type(tmp_path: Path, code: int, dtype: str) -> None:
    path = tmp_path / "values-idx2"
    path.write_bytes(idx(np.array([[1, 2, 3], [4, 5, 100]], dtype), code))
    values = read_idx(path)
    assert values.tolist() == [[1, 2, 3], [4, 5, 100]]
    assert values.dtype == np.dtype(dtype).newbyteorder("=")
    assert values.flags.writeable


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    """A folder like MNIST's, small, half of it compressed."""
    labels = np.array([3, 1, 0, 2], np.uint8)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(IMAGES))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(IMAGES[:2])))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(labels[:2]))
    return tmp_path


@pytest.mark.parametrize("name", ["", "train-images-idx3-ubyte"])
def test_a_folder_or_a_file_of_images_brings_labels_and_test_set(mnist: Path, name: str) -> None:
    source = load(mnist / name)
    assert source.y is not None
    assert source.y_test is not None
    assert isinstance(source.X, np.ndarray)
    assert source.X.tolist() == IMAGES.reshape(4, 6).tolist()
    assert source.y.tolist() == [3, 1, 0, 2]
    assert source.y_test.tolist() == [3, 1]
    assert (source.target, source.scale, source.X.dtype) == ("label", 1 / 255, np.uint8)
    assert source.image_shape == (3, 2)


def test_test_images_are_no_training_set_with_a_test_set(mnist: Path) -> None:
    source = load(mnist / "t10k-images-idx3-ubyte.gz")
    assert (source.X.shape, source.X_test, source.image_shape) == ((2, 6), None, (3, 2))


def test_images_without_labels_are_for_prediction_only(mnist: Path) -> None:
    (mnist / "t10k-labels-idx1-ubyte").unlink()
    path = mnist / "t10k-images-idx3-ubyte.gz"
    assert message(path, load) == "the labels of t10k-images-idx3-ubyte.gz are not beside it"
    assert load(path, "income", target_required=False).y is None


HEADER = b"\0\0\x08\x03" + struct.pack(">3I", 4, 3, 2)

WRONG_IDX: list[tuple[bytes, str]] = [
    (b"", "it is not an idx file: it begins with the bytes"),
    (b"GIF89a", "it is not an idx file: it begins with the bytes 47 49 46 38"),
    (b"\0\0\x07\x03", "it is not an idx file: it begins with the bytes 00 00 07 03"),
    (HEADER[:9], "it ends inside its header"),
    (HEADER + bytes(23), "its header announces (4, 3, 2), 24 bytes of values, but it holds 23 bytes"),
    (HEADER + bytes(25), "its header announces (4, 3, 2), 24 bytes of values, but it holds more"),
    (
        b"\0\0\x08\x03" + b"\xff" * 12 + bytes(9),
        "its header announces (4294967295, 4294967295, 4294967295), ",
    ),
    (
        b"\0\0\x08\x03" + struct.pack(">3I", 0, 3, 2),
        "'train-images-idx3-ubyte' is empty: its shape is (0, 3, 2)",
    ),
    (
        b"\0\0\x08\x01" + struct.pack(">I", 4) + bytes(4),
        "'train-images-idx3-ubyte' must hold rows of numbers",
    ),
    (idx(IMAGES[:3]), "'train-labels-idx1-ubyte.gz' has 4 rows, the features have 3"),
    (idx(IMAGES.reshape(4, 2, 3)[:, :1]), "the test set has 6 inputs, the training set 3"),
]


@pytest.mark.parametrize(("content", "cause"), WRONG_IDX, ids=[cause[:40] for _, cause in WRONG_IDX])
def test_a_wrong_idx_file_is_explained(mnist: Path, content: bytes, cause: str) -> None:
    path = mnist / "train-images-idx3-ubyte"
    path.write_bytes(content)
    assert message(path, load).startswith(cause)


def test_other_mistakes_with_idx_files(mnist: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = mnist / "train-labels-idx1-ubyte.gz"
    assert message(path, load).startswith("give the file of images")
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(SourceError, match=r"train-labels-idx1-ubyte\.gz: the compressed data are damaged"):
        load(mnist)
    empty = tmp_path_factory.mktemp("empty")
    assert message(empty, load) == "the folder holds no train-images-idx3-ubyte, with or without .gz"


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_real_mnist(name: str) -> None:
    source = load(needs(name))
    assert isinstance(source.X, np.ndarray)
    assert source.y is not None
    assert source.y_test is not None
    assert source.X_test is not None
    assert (source.X.shape, source.X_test.shape) == ((60000, 784), (10000, 784))
    assert (len(source.y), len(source.y_test)) == (60000, 10000)
    mean = {"mnist": 0.13066, "fashion-mnist": 0.28604}[name]
    assert abs(source.X.mean() * source.scale - mean) < 1e-5
