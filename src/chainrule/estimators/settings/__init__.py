"""The settings of the estimators, what each becomes, and the rules for their values."""

from ...foundation.values import Anything, Choice, Flag, Number, Optional, Rule, Several, Shape, Whole

__all__ = ["Anything", "Choice", "Flag", "Number", "Optional", "Rule", "Several", "Shape", "Whole"]
