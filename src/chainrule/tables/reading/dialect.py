"""How a text file writes its table: the separator, the quotes, the lines before the header, told from its first lines.

`layouts` gives what a file may be, the likeliest first; the caller reads the whole file strictly by one after the
other, and takes the first whose number of rows an independent count confirms.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from .heading import COMMA, Rows, column_names, decimal_mark, is_header, names_values
from .options import SEPARATORS, Dialect, ReadOptions

CANDIDATES = (",", ";", "\t", "|", "space")
NEVER_CLOSED = "is opened and never closed"
MOST_RECORDS = 1000
MOST_CELLS = 200_000
COMMENTS = ("#", "%", "//", ";;")
MOST_SKIPPED = 60
LONGEST = 1 << 26
"""Bytes of the longest record."""

MOST_APART = 10
"""Records above a blank line that may be remarks on the table below it."""


class Record(NamedTuple):
    """A record of the sample: the number of its first line, from 1, and its fields."""

    line: int
    fields: list[str]


@dataclass(frozen=True)
class Layout:
    """A dialect that fits the sample, the names that it gives, and the sample's rows.

    `first` is the line of the first row of data; `fault` says what does not fit, "" where all does.
    """

    dialect: Dialect
    names: list[str]
    rows: Rows
    first: int
    fault: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.names)


def layouts(head: str, whole: bool, options: ReadOptions, expected: Dialect | None, ending: str) -> list[Layout]:
    """Return the layouts that fit the first lines of a file, the likeliest first.

    `whole` is true where the head is all of the file. Where nothing fits the list has one layout, with its fault.
    """
    skip = 0
    said = re.match(r'\ufeff?"?sep=([^\r\n])"?[,;\t ]*\r?(?:\n|$)', head, re.IGNORECASE)
    if said:
        skip, options = 1, options if options.separator else replace(options, separator=said[1])
    lines = _lines(head, skip)
    made: list[Layout] = []
    if expected is not None:
        kept = _by_expected(options, expected)
        made = [_layout(lines, whole, skip, kept, *_style(kept), kept.separator or ",")]
        made = [layout for layout in made if not layout.fault and layout.width > 1]
    separators = [_separator(options.separator)] if options.separator else _ordered(ending)
    tried = [
        _layout(lines, whole, skip, options, quote, escape, separator, expected.decimal if expected else ".")
        for separator in separators
        for quote, escape in _styles(head, options, separator)
    ]
    if any(layout.dialect.quote and NEVER_CLOSED in layout.fault for layout in tried):
        tried = [layout for layout in tried if layout.dialect.quote] or tried
    good = sorted((layout for layout in tried if not layout.fault), key=_rank)
    blanks = [layout for layout in good if layout.width > 1 and layout.dialect.separator == "space"]
    wide = [layout for layout in good if layout.width > 1 and layout.dialect.separator != "space"]
    if blanks and wide and _in_columns(wide[0]) and blanks[0].width > wide[0].width:
        wide = blanks
    best = wide or [layout for layout in good if layout.width > 1] or _single(good, tried)
    same = [layout for layout in best if layout.dialect.separator == best[0].dialect.separator] if best else []
    made += [layout for layout in same if layout.dialect not in [known.dialect for known in made]]
    return made or [
        max(tried, key=lambda layout: (layout.dialect.quote == '"', layout.width > 1, _header_width(layout)))
    ]


def _in_columns(layout: Layout) -> bool:
    """True where most rows hold runs of blanks inside a cell: they stand below each other, and separate too."""
    return sum(any("  " in cell.strip() for cell in row) for row in layout.rows) * 2 > len(layout.rows)


def _header_width(layout: Layout) -> int:
    return layout.width if layout.dialect.separator != "space" else 1


def _single(good: Sequence[Layout], tried: Sequence[Layout]) -> list[Layout]:
    """Return the layouts of one column, unless a separator splits the header: then the file is broken."""
    splits = [t for t in tried if t.fault and t.width > 1 and t.dialect.separator != "space" and t.dialect.quote == '"']
    return [] if splits else list(good)


def _by_expected(options: ReadOptions, expected: Dialect) -> ReadOptions:
    """Return the options, with the expected dialect for what they leave open."""
    return replace(
        options,
        separator=options.separator or expected.separator,
        quote=expected.quote if options.quote is None else options.quote,
        escape=expected.escape if options.escape is None else options.escape,
        header=expected.header if options.header is None else options.header,
        comment=options.comment or expected.comment or None,
        decimal=options.decimal or expected.decimal,
    )


def _separator(given: str) -> str:
    found = SEPARATORS.get(given, given)
    if found != "space" and len(found) != 1:
        raise ValueError(f"the separator must be one character, tab or space, got {given!r}")
    return found


def _ordered(ending: str) -> list[str]:
    first = {".tsv": "\t", ".tab": "\t", ".psv": "|"}.get(ending, ",")
    return [first, *(separator for separator in CANDIDATES if separator != first)]


def _style(options: ReadOptions) -> tuple[str, str]:
    quote = '"' if options.quote is None else options.quote
    return quote, (quote if options.escape is None else options.escape)


def _styles(head: str, options: ReadOptions, separator: str) -> list[tuple[str, str]]:
    """Return the kinds of quotes and escapes to try, the likeliest first."""
    if options.quote is not None or options.escape is not None:
        return [_style(options)]
    mark = "[ \t]" if separator == "space" else re.escape(separator)
    styles = [('"', '"')]
    if '\\"' in head:
        at_ends = len(re.findall(rf'\\"(?={mark}|[\r\n])', head)) == head.count('\\"')
        styles.insert(1 if at_ends else 0, ('"', "\\"))
    if '"' in head and not re.search(rf'(?:^|{mark})"[^"\n]*"(?={mark}|\r?$)', head, re.MULTILINE):
        styles.append(("", ""))
    elif '"' not in head and len(re.findall(rf"(?:^|{mark})'[^'\n]*'(?={mark}|\r?$)", head, re.MULTILINE)) > 1:
        styles.insert(0, ("'", "'"))
    return styles


def _lines(head: str, skip: int) -> list[str]:
    lines = list(io.StringIO(head.lstrip("\ufeff"), newline=""))
    return lines[skip:]


@contextmanager
def long_fields() -> Iterator[None]:
    """Let the csv module read fields of any length."""
    before = csv.field_size_limit(LONGEST)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def records(lines: Iterable[str], separator: str, quote: str, escape: str, strict: bool = True) -> Iterator[Record]:
    """Yield the records of lines, blank ones as records without fields; csv.Error where quotes do not fit.

    >>> [record.fields for record in records(["a,b\\n", '1,"x\\n', 'y"\\n'], ",", '"', '"')]
    [['a', 'b'], ['1', 'x\\ny']]
    """
    if separator == "space":
        lines = (line.replace("\t", " ").strip() + "\n" for line in lines)
    reader = csv.reader(
        lines,
        delimiter=" " if separator == "space" else separator,
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        escapechar=escape if quote and escape not in ("", quote) else None,
        doublequote=escape == quote,
        skipinitialspace=separator == "space",
        strict=strict,
    )
    before = 0
    for fields in reader:
        yield Record(before + 1, fields)
        before = reader.line_num


def _sample(lines: list[str], whole: bool, separator: str, quote: str, escape: str) -> tuple[list[Record], str]:
    """Return the first records, blank lines left out, and what is wrong with the next."""
    found: list[Record] = []
    cells = 0
    fault = ""
    seen = 0
    try:
        with long_fields():
            for record in records(lines, separator, quote, escape):
                seen = record.line
                if (record.fields and any(cell for cell in record.fields)) or len(record.fields) > 1:
                    found.append(record)
                cells += len(record.fields)
                if len(found) >= MOST_RECORDS or (cells > MOST_CELLS and len(found) > 5):
                    return found, ""
    except csv.Error as error:
        opened = "unexpected end" in str(error)
        if whole or not opened:
            line = (found[-1].line if found else 0) + 1
            line = max(line, seen + 1)
            fault = f"line {line}: " + (
                f"a quote ({quote}) {NEVER_CLOSED}" if opened else f"after a closing quote ({quote}) there is more text"
            )
    if not whole and not fault and len(found) > 1:
        found.pop()  # it may be cut off
    return found, fault


def _layout(
    lines: list[str],
    whole: bool,
    skip: int,
    options: ReadOptions,
    quote: str,
    escape: str,
    separator: str,
    usual: str = ".",
) -> Layout:
    """Return the layout of the sample by one separator and one kind of quotes."""
    separator = _separator(separator)
    found, fault = _sample(lines, whole, separator, quote, escape)
    found = [Record(record.line + skip, record.fields) for record in found]
    dialect = Dialect(separator, quote, escape, True, 0, options.comment or "")
    if options.comment:
        found = [record for record in found if not record.fields[0].lstrip().startswith(options.comment)]
    if not found:
        return Layout(dialect, [], [], 1, fault or "it is empty")
    counted = [record for record in found if not record.fields[0].startswith(COMMENTS)] or found
    modal = Counter(len(record.fields) for record in counted).most_common(1)[0][0]
    named = options.header is not False and len(found) > 2 and _row_names(found[0], found[1:], modal)
    start = 1 if named else _start(found, modal)
    body = found[start:]
    comment = options.comment or _comment(found[:start], body, modal)
    if comment and not options.comment:
        body = [record for record in body if not record.fields[0].startswith(comment)]
    if not body:
        return Layout(dialect, [], [], 1, fault or "it is empty")
    if named:
        above = found[0]
        header: list[str] | None = ["", *above.fields]
        rows, first = body, above.line + 1
        notes = [
            "the header has one name less than the lines have fields; the first column, row names, is called 'column0'"
        ]
        says, skipped = True, above.line - 1
    else:
        says, note = is_header(body[0].fields, [r.fields for r in body[1:] if len(r.fields) == len(body[0].fields)])
        says, note = (options.header, "") if options.header is not None else (says, note)
        header = body[0].fields if says else None
        rows, first = (body[1:], body[0].line + 1) if says else (body, body[0].line)
        skipped = body[0].line - 1
        notes = [note] if note else []
        if says and body[0].line + 1 < (rows[0].line if rows else 0) and "\n" in "".join(header or []):
            first = rows[0].line
    width = len(header) if header is not None else len(body[0].fields)
    wrong = next((r for r in rows if len(r.fields) != width and not is_trailing(r.fields, width)), None)
    if wrong:
        of = "the header's" if says else "the first line's"
        fault = f"line {wrong.line} has {len(wrong.fields)} of {of} {width} fields"
    if comment and not options.comment:
        notes.append(f"lines that begin with {comment} are skipped; --comment says otherwise")
    names, more = column_names(header, width)
    sample = [record.fields[:width] for record in rows if len(record.fields) >= width]
    decimal = options.decimal or decimal_mark(sample, separator, usual)
    if decimal not in (".", ","):
        raise ValueError(f"the decimal mark must be . or , got {decimal!r}")
    made = replace(dialect, header=says, skip=skipped, comment=comment, decimal=decimal)
    if rows and any("\n" in cell for cell in (header or [])):
        first = rows[0].line
    return Layout(made, names, sample, first, fault, notes + more)


def is_trailing(fields: Sequence[str], width: int) -> bool:
    """True where a record is one too long, by an empty field after a last separator."""
    return len(fields) == width + 1 and not fields[-1]


def _start(found: Sequence[Record], modal: int) -> int:
    """Return the position of the first record that is no comment and no line before the header."""
    remarks = next((k for k, record in enumerate(found) if not record.fields[0].startswith(COMMENTS)), 0)
    if 0 < remarks < len(found) and len(found[remarks].fields) == modal:
        below = [other.fields for other in found[remarks + 1 :] if len(other.fields) == modal]
        if is_header(found[remarks].fields, below)[0]:
            return remarks
    apart = next((k for k in range(1, min(len(found), MOST_APART)) if _after_a_blank(found[k - 1], found[k])), 0)
    above = [record.fields for record in found[1:apart] if len(record.fields) == len(found[0].fields)]
    own = names_values(found[0].fields, above) or (bool(apart) and found[0].fields == found[apart].fields)
    below = [record.fields for record in found[apart + 1 :] if len(record.fields) == modal]
    if apart and not own and names_values(found[apart].fields, below):
        return apart
    for k, record in enumerate(found[:MOST_SKIPPED]):
        fields = record.fields
        if len(fields) != modal or _sparse(fields, modal):
            continue
        if all(other.fields[0].startswith(COMMENTS) for other in found[:k]):
            return k
        shorter = all(len(other.fields) < modal or _sparse(other.fields, modal) for other in found[:k])
        below = [other.fields for other in found[k + 1 :] if len(other.fields) == modal]
        one_less = k == 1 and 1 < len(found[0].fields) < modal and len(found[0].fields) == modal - 1
        return k if shorter and modal > 1 and below and is_header(fields, below)[0] and not one_less else 0
    return 0


def _sparse(fields: Sequence[str], modal: int) -> bool:
    """True for a line with at most half of the cells filled, as titles above a header are."""
    return modal > 2 and sum(bool(cell.strip()) for cell in fields) * 2 <= modal


def _after_a_blank(before: Record, record: Record) -> bool:
    """True where a blank line stands between two records."""
    return record.line > before.line + 1 + sum(cell.count("\n") for cell in before.fields)


def _comment(above: Sequence[Record], body: Sequence[Record], modal: int) -> str:
    """Return the mark of the comments among the data, "" for none.

    They begin with "#" and have another width; or they begin as all lines above the header do, and are few.
    """
    odd = [record for record in body if len(record.fields) != modal]
    if odd and all(record.fields[0].startswith("#") for record in odd):
        return "#"
    marks = {next((mark for mark in COMMENTS if record.fields[0].startswith(mark)), "") for record in above}
    mark = marks.pop() if len(marks) == 1 else ""
    remarks = sum(bool(mark) and record.fields[0].startswith(mark) for record in body)
    return mark if 0 < remarks <= 0.1 * len(body) else ""


def _row_names(above: Record, body: Sequence[Record], modal: int) -> bool:
    """True for a header without a name for the first column, which holds different names of rows (as R writes it)."""
    if len(above.fields) != modal - 1 or modal < 3 or len(body) < 2:
        return False
    if not any(record.fields[-1] for record in body):  # each line ends with a separator
        return False
    names = [record.fields[0] for record in body]
    return (
        len(set(names)) == len(names)
        and is_header(above.fields, [r.fields[1:] for r in body if len(r.fields) == modal])[0]
    )


def _rank(layout: Layout) -> tuple[bool, bool, float]:
    """Return the figures of which the best layout has least: one column only, no rows, cells with other separators.

    The comma of 12,50 is none of them.
    """
    others = [s for s in CANDIDATES[:4] if s != layout.dialect.separator]
    cells = [cell for row in layout.rows[:100] for cell in row if not COMMA.fullmatch(cell)]
    dirty = sum(any(other in cell for other in others) for cell in cells) / max(len(cells), 1)
    return layout.width < 2, not layout.rows, round(dirty, 1)
