"""What the texts of a column mean: numbers in other dress, dates, flags, missing marks, codes.

`understand` looks at a column once; `read_values` follows what it found, then and for ever after.
"""

from .flags import flag_value
from .marks import is_mark, marked
from .understanding import DECLARED, Understanding, understand
from .values import read_values

__all__ = ["DECLARED", "Understanding", "flag_value", "is_mark", "marked", "read_values", "understand"]
