"""Names and values in messages stay short."""

from __future__ import annotations

from chainrule.foundation.words import listed, quoted


def test_names_are_quoted_and_the_rest_is_counted() -> None:
    assert listed([]) == ""
    assert listed(iter(["a", "it's"])) == "'a', \"it's\""
    names = [f"n{k}" for k in range(13)]
    assert listed(names[:12]).count(",") == 11
    assert listed(names) == ", ".join(map(repr, names[:12])) + " and 1 more"


def test_values_are_cut_at_forty_characters() -> None:
    assert quoted("a" * 38) == repr("a" * 38)
    assert quoted("a" * 39) == "'" + "a" * 36 + "..."
    assert quoted(None) == "None"
