"""Warnings of a piece of work become notes, and errors of data name their file."""

from __future__ import annotations

import warnings

import pytest

from chainrule.workbench.notes import blaming, noted


def test_warnings_for_users_are_noted_once_and_on_one_line() -> None:
    with noted() as notes:
        for text in ("one\n  thing", "one thing", "another"):
            warnings.warn(text, UserWarning, stacklevel=1)
        warnings.warn("for developers", DeprecationWarning, stacklevel=1)
    assert notes == ["one thing", "another"]


def warn_and_fail() -> None:
    warnings.warn("before the end", UserWarning, stacklevel=1)
    raise KeyError("x")


def test_what_was_noted_before_an_error_stays() -> None:
    with pytest.raises(KeyError), noted() as notes:
        warn_and_fail()
    assert notes == ["before the end"]


class SpecialError(ValueError):
    """An error of one kind."""


def test_an_error_names_the_file_it_is_about() -> None:
    with pytest.raises(ValueError, match=r"^a\.csv: no rows$") as caught, blaming("a.csv"):
        raise ValueError("no rows")
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(ValueError, match=r"^no rows$"), blaming("a.csv", SpecialError):
        raise ValueError("no rows")
    with pytest.raises(ValueError, match=r"^a\.csv: no rows$"), blaming("a.csv", SpecialError):
        raise SpecialError("no rows")
    with pytest.raises(TypeError, match=r"^no rows$"), blaming("a.csv"):
        raise TypeError("no rows")
