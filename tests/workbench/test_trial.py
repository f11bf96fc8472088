"""A trial: planned, run, scored, without a screen, and to the bits of the estimator's own fit."""

from __future__ import annotations

import ast
import warnings
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.tables.sources import load
from chainrule.workbench.data import load_data, split
from chainrule.workbench.trial import plan
from support.commands import ok, people, write


@pytest.fixture
def table(tmp_path) -> Path:
    return write(tmp_path / "people.csv", people(80))


def trial_of(table: Path, target: str = "dear", test: str | None = None, **settings):
    data = load_data(str(table), target, test, 0.2, "auto", 0)
    kind = cr.MLPClassifier if data.task == "classification" else cr.MLPRegressor
    return plan(
        data,
        kind(**{"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": 0, "preprocessing": "always", **settings}),
    )


@pytest.mark.parametrize("target", ["dear", "price"])
def test_a_trial_gives_the_bits_of_fit_and_the_scores_of_the_model(target, table) -> None:
    trial = trial_of(table, target)
    assert trial.layer_sizes == [trial.model.network_.inputs, 5, 1]
    assert trial.block_names == ["Dense", "relu", "Dense"]
    assert not hasattr(trial.model, "theta_")
    events = []
    trial.run([events.append])
    assert [event.epoch for event in events] == [1, 2, 3]
    source = load(str(table), target)
    kept, held = split(source.y, 0.2, 0, labels=target == "dear")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        twin = type(trial.model)(**{**trial.model.get_params(), "callbacks": None})
        twin.fit(source.X[kept], source.y[kept])
    assert np.array_equal(trial.model.theta_, twin.theta_)
    assert trial.model.target_name_ == target
    scores = trial.scores()
    assert scores["rows"] == len(held)
    score = scores["accuracy"] if target == "dear" else scores["r2"]
    assert score == twin.score(source.X[held], source.y[held])


def test_the_seed_of_a_command_draws_its_test_rows(table, tmp_path) -> None:
    source = load(str(table), "price")
    for seed in (0, 3):
        path = tmp_path / f"{seed}.safetensors"
        words = ("--target", "price", "--max-iter", 1, "--random-state", seed, "--out", path, "--json")
        told = ok("train", table, *words).json["test"]["rmse"]
        model = cr.load(path)
        for other in (0, 3):
            _, held = split(source.y, 0.2, other, labels=False)
            error = source.y[held] - model.predict(source.X[held]).astype(float)
            assert (float(np.sqrt(np.mean(error**2))) == told) == (other == seed)


def test_a_trial_that_diverges_at_once_says_why_in_the_settings_words(table) -> None:
    with pytest.raises(ValueError, match=r"^training diverged at step 1 \(epoch 1\)"):
        trial_of(table, learning_rate_init=1e38, early_stopping=True, dtype="float32").run()


def test_a_trial_runs_once(table) -> None:
    trial = trial_of(table)
    trial.run()
    with pytest.raises(RuntimeError, match="a trial runs once"):
        trial.run()


def test_what_is_wrong_with_a_file_names_the_file(table, tmp_path) -> None:
    rows = people(20)
    rows["x"][0] = "oops"
    broken = write(tmp_path / "broken.csv", rows)
    with pytest.raises(ValueError, match=r"broken\.csv: column 'x': 'oops' in row 1 is not a number"):
        trial_of(table, test=str(broken))
    with pytest.raises(ValueError, match=r"^loss 'poisson' does not fit"):
        trial_of(table, loss="poisson")


def test_the_progress_in_a_checkpoint_is_known_before_the_training_goes_on(table, tmp_path) -> None:
    path = tmp_path / "run.checkpoint"
    first = trial_of(table, checkpoint=path)
    assert first.saved is None
    first.run()
    again = trial_of(table, checkpoint=path)
    assert (again.saved.epochs, again.saved.start, again.saved.over) == (3, 0, True)
    again.run()
    assert np.array_equal(first.model.theta_, again.model.theta_)


def test_the_statistics_of_the_last_epoch_are_there_where_they_are_asked_for(table) -> None:
    asked, other = trial_of(table), trial_of(table)
    asked.run(statistics=True)
    other.run()
    assert [block.name for block in asked.blocks] == [block.name for block in asked.blocks if block.name]
    assert len(asked.blocks) == 3
    assert other.blocks == ()


def test_the_workbench_has_no_screen() -> None:
    """The names that any of its files imports, in functions too: none of click, rich or the command line."""
    for path in Path(plan.__code__.co_filename).parent.glob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        named = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
        named += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
        assert not {name.split(".")[0] for name in named} & {"click", "rich", "cli"}, path
