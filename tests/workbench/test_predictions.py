"""Predictions as a table: columns in the order of the labels, each under its own name."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import chainrule as cr
from chainrule.tables.table import Cells, Table
from chainrule.workbench.predictions import check_kind, predictions
from support.commands import ok, write

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

LABELS: dict[str, tuple[list[Any], list[str]]] = {
    "whole numbers": ([10, 2, -1], ["P(-1)", "P(2)", "P(10)"]),
    "numbers": ([10.0, 2.0, -1.0], ["P(-1.0)", "P(2.0)", "P(10.0)"]),
    "two numbers": ([10, 9], ["P(9)", "P(10)"]),
    "texts": (["b", "a", "10"], ["P(10)", "P(a)", "P(b)"]),
    "texts that are numbers": (["10", "2", "9"], ["P(10)", "P(2)", "P(9)"]),
    "true and false": ([True, False], ["P(False)", "P(True)"]),
}


def clusters(labels: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return rows far apart, a group for each label."""
    draw = np.random.default_rng(0)
    numbers = np.arange(40 * len(labels)) % len(labels)
    X = 5 * np.eye(len(labels))[numbers] + 0.1 * draw.normal(size=(len(numbers), len(labels)))
    return X, np.array(labels)[numbers]


@pytest.mark.parametrize("name", LABELS)
def test_each_probability_stands_under_its_own_label_in_the_order_of_the_labels(name) -> None:
    labels, columns = LABELS[name]
    X, y = clusters(labels)
    model = cr.MLPClassifier((8,), learning_rate_init=0.05, max_iter=30, random_state=0, tol=0).fit(X, y)
    found = predictions(model, X)
    assert [*found] == ["class", *columns]
    assert found["class"].tolist() == y.tolist() == model.predict(X).tolist()
    by_label = {f"P({label})": label for label in y.tolist()}
    shares = np.column_stack([found[name] for name in columns])
    assert [by_label[columns[k]] for k in shares.argmax(axis=1)] == y.tolist()
    assert np.array_equal(shares, model.predict_proba(X))


def test_several_targets_have_their_names_where_the_model_knows_them() -> None:
    X, y = clusters([0, 1])
    several = np.column_stack([y, 1 - y])
    numbers = cr.MLPRegressor(hidden_layer_sizes=(3,), max_iter=1).fit(X, several * 1.5)
    assert [*predictions(numbers, X)] == ["prediction 0", "prediction 1"]
    numbers.target_name_ = ["a", "b"]
    assert [*predictions(numbers, X)] == ["prediction a", "prediction b"]
    labels = cr.MLPClassifier((3,), max_iter=1).fit(X, several)
    assert [*predictions(labels, X)] == ["class 0", "class 1", "P(0)", "P(1)"]
    labels.target_name_ = ["a", "b"]
    assert [*predictions(labels, X)] == ["class a", "class b", "P(a)", "P(b)"]


def test_the_file_has_the_columns_in_the_same_order(tmp_path) -> None:
    X, y = clusters([10, 2, 9])
    columns = dict(zip("abc", X.T.tolist(), strict=True))
    table = write(tmp_path / "t.csv", {**columns, "y": y.tolist()})
    model, out = tmp_path / "m.safetensors", tmp_path / "p.csv"
    ok("train", table, "--target", "y", "--task", "classification", "--max-iter", 20, "--out", model)
    ok("predict", model, table, "--out", out)
    frame = pl.read_csv(out)
    assert frame.columns == ["class", "P(2)", "P(9)", "P(10)"]
    largest = frame[:, 1:].to_numpy().argmax(axis=1)
    assert [(2, 9, 10)[k] for k in largest] == frame["class"].to_list() == y.tolist()


def test_a_table_is_no_matrix_and_a_matrix_no_table() -> None:
    X, y = clusters([0, 1])
    table = Table.of({name: Cells("number", column) for name, column in zip("ab", X.T, strict=True)})
    of_matrix = cr.MLPClassifier((3,), max_iter=1).fit(X, y)
    of_table = cr.MLPClassifier((3,), max_iter=1).fit(table, y)
    with pytest.raises(ValueError, match="this is a table, but the model was trained on a matrix with 2 inputs"):
        check_kind(of_matrix, table)
    with pytest.raises(ValueError, match="trained on a table with the columns a, b"):
        check_kind(of_table, X)
    check_kind(of_matrix, X)
    check_kind(of_table, table)
