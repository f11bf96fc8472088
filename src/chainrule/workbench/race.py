"""A race of solvers as plain facts: the rows of its table, its winner, its curves, for whoever shows them."""

from __future__ import annotations

from typing import Any

from ..loop.race import Course, Race

MOMENTS = 500
"""Moments of a course that are told: of more, every so many."""


def facts(race: Race) -> dict[str, Any]:
    """Return everything as plain JSON values: budget, start, goal, winner, and each solver with its course."""
    winner, best = race.winner, race.best_score
    return {
        "seconds": race.budget,
        "start": race.start,
        "goal": race.goal,
        "winner": None if winner is None else winner.name,
        "best_score": None if best is None else best.name,
        "solvers": [{**row(race, course), "course": curve(course)} for course in race.courses],
    }


def row(race: Race, course: Course) -> dict[str, Any]:
    """Return the line of a solver in the table."""
    return {
        "solver": course.name,
        "loss": course.loss,
        "score": course.score,
        "epochs": course.epochs,
        "passes": float(course.passes[-1]),
        "seconds": float(course.seconds[-1]),
        "to_goal": course.seconds_to(race.goal),
        "ended": course.reason,
        "message": course.message,
    }


def curve(course: Course) -> dict[str, list[float]]:
    """Return the moments of a course, at most MOMENTS and the last."""
    kept = slice(None, None, -(-len(course.seconds) // MOMENTS))
    named = {"seconds": course.seconds, "passes": course.passes, "losses": course.losses}
    return {name: [*values[kept].tolist(), float(values[-1])] for name, values in named.items()}


def verdict(race: Race) -> str:
    """Return the words for the end of a race: who won, and who was right most often on the validation rows."""
    winner, best = race.winner, race.best_score
    if winner is None:
        return "winner: none, nobody came to an end"
    words = f"winner: {winner.name}, loss {winner.loss:.4g} after {winner.seconds[-1]:.2g} s"
    if best is not None and best.name != winner.name:
        words += f"; the best validation score is that of {best.name}, {best.score:.4f}"
    return words
