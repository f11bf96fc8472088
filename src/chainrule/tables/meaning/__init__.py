"""The meaning of a column's texts: numbers in other dress, dates, flags, missing marks, codes.

`understand` looks at a column once; `read_values` follows what it found, then and for ever after.

| texts | meaning |
|---|---|
| "1,234" alone | 1234; 1.234 in a file with a decimal comma, or where another value such as "12,5" says so |
| "01", "007" | codes: the column is a category; "01.50", with a decimal mark, is a number |
| "5 kg", "7 kg" | numbers; one of another unit, or of none, is a stray; 0 needs no unit; "NA kg" is missing |
| "1.2M", "950" | numbers with letters for powers of ten (k, K, M, B), where there are different ones or a fraction |
| "5-", "(5)", "$ -" | -5, -5 and 0; school marks (2, 3-, at most 20 of them) and nothing but (1), (2) are categories |
| "5/1/2020" | day or month first, as the values say; undecided, the month (after / ) or the day (after . and -) |
| "2020", "20200131" | numbers, unless the column is declared to be dates |
| "2020-01", "2020Q1" | the first day of the month or quarter |
| "2:03" | hours and minutes; minutes and seconds where "1:02:03" stands beside it |
"""

from .flags import flag_value
from .marks import is_mark, marked
from .understanding import DECLARED, Understanding, understand
from .values import read_values

__all__ = ["DECLARED", "Understanding", "flag_value", "is_mark", "marked", "read_values", "understand"]
