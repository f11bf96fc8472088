"""A race as plain facts."""

from __future__ import annotations

import json

import numpy as np

from chainrule.loop.race import Course, Race
from chainrule.workbench.race import MOMENTS, curve, facts, verdict


def course(name: str, loss: float | None, score: float | None = None, moments: int = 3) -> Course:
    seconds = np.linspace(0, 2, moments)
    return Course(
        name, loss, score, moments - 1, seconds, 5 * seconds, np.linspace(4, loss or 4, moments), "out of time"
    )


def test_everything_is_told_in_plain_numbers() -> None:
    found = Race(2.0, 4.0, 1.5, (course("a", 1.0, 0.9), course("b", 2.0, 0.95), course("c", None)))
    told = json.loads(json.dumps(facts(found), allow_nan=False))
    assert (told["winner"], told["best_score"], told["seconds"], told["goal"]) == ("a", "b", 2.0, 1.5)
    first, second, third = told["solvers"]
    assert first["course"] == {"seconds": [0, 1, 2, 2], "passes": [0, 5, 10, 10], "losses": [4, 2.5, 1, 1]}
    assert (first["to_goal"], second["to_goal"]) == (2.0, None)
    assert (first["epochs"], first["passes"], first["ended"]) == (2, 10.0, "out of time")
    assert (third["loss"], third["score"]) == (None, None)


def test_long_courses_are_thinned_and_keep_their_end() -> None:
    told = curve(course("a", 1.0, moments=10 * MOMENTS + 3))
    assert len(told["seconds"]) <= MOMENTS + 1
    assert (told["seconds"][0], told["seconds"][-1], told["losses"][-1]) == (0, 2, 1)


def test_the_verdict_names_the_winner_and_the_best_score_where_it_is_anothers() -> None:
    race = Race(2.0, 4.0, 1.5, (course("a", 1.0, 0.9), course("b", 2.0, 0.95)))
    assert verdict(race) == "winner: a, loss 1 after 2 s; the best validation score is that of b, 0.9500"
    assert verdict(Race(2.0, 4.0, 1.5, (course("a", 1.0, 0.9),))) == "winner: a, loss 1 after 2 s"
    assert verdict(Race(2.0, 4.0, 1.5, (course("c", None),))) == "winner: none, nobody came to an end"
