"""Numbers in the dress that people give them: "$1,234.50", "12,5 %", "(5.00)", "3.5 kg", "1.2M".

A `NumberForm` is shown as the number 1234.5 would be written in it. In every form blanks may stand around a number and
before its unit, a minus may stand before or behind it or be a pair of brackets, and digits may be of any alphabet.

Shapes: l different texts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .marks import tidied

Values = NDArray[np.float64]

LINES = 4096
"""Texts that are read at once, as the lines of one text; where one of them is no number, they are read one by one."""

GROUPED = {
    "": r"\d+",
    ",": r"(?:[1-9]\d{0,2}(?:,\d{3})++|[1-9]\d?(?:,\d\d)+,\d{3}|\d++)",  # 1,234,567, and in India 12,34,567
    ".": r"(?:[1-9]\d{0,2}(?:\.\d{3})++|\d++)",
    "'": r"(?:[1-9]\d{0,2}(?:'\d{3})++|\d++)",
    " ": r"(?:[1-9]\d{0,2}(?: \d{3})++|\d++)",
}
"""The whole part of a number, by the mark between its thousands. 0,123 is no thousand."""

MAGNITUDES = {"k": "e3", "K": "e3", "M": "e6", "B": "e9"}
"""Letters that stand for a power of ten where values of one column bear different ones (950, 1.2k, 3M)."""


@dataclass(frozen=True)
class NumberForm:
    """How numbers are written: signs before and behind, the mark between thousands, the decimal mark.

    `scaled`: a letter of `MAGNITUDES` may follow.

    >>> form = NumberForm.parse("1.234,5 €")
    >>> form.read(["1.000,25 €", "(3 €)", "4 $"]).tolist()
    [1000.25, -3.0, nan]
    """

    prefix: str = ""
    suffix: str = ""
    thousands: str = ""
    decimal: str = "."
    scaled: bool = False

    def __str__(self) -> str:
        if self == PLAIN:
            return ""
        shown = f"1{self.decimal}2345k" if self.scaled else f"1{self.thousands}234{self.decimal}5"
        return f"{self.prefix}{shown}{self.suffix}"

    @classmethod
    def parse(cls, form: str) -> NumberForm:
        """Return the form that is shown as `form`; ValueError where there is none."""
        if not form:
            return PLAIN
        found = re.fullmatch(r"(\D*)1(?:([,.' ]?)234([.,])5|([.,])2345k)(.*)", form)
        if not found or (found[3] and found[2] == found[3]):
            raise ValueError(f"{form!r} does not show how the number 1234.5 is written")
        return cls(found[1], found[5], found[2] or "", found[3] or found[4], found[4] is not None)

    @property
    def has_sign(self) -> bool:
        """True where a currency, a unit or a letter for a power of ten belongs to the number."""
        return bool(self.prefix or self.suffix or self.scaled)

    @property
    def bare(self) -> NumberForm:
        """The form without its currency or unit."""
        return NumberForm("", "", self.thousands, self.decimal)

    def undressed(self, text: str) -> str:
        """Return a text without the currency and the unit: "NA kg" is as missing as "NA"."""
        bare = tidied(text).strip()
        return bare.removeprefix(self.prefix.strip()).removesuffix(self.suffix.strip())

    @property
    def body(self) -> str:
        """The pattern of the number without its sign and dress."""
        mark = re.escape(self.decimal)
        body = rf"(?:{GROUPED[self.thousands]}(?:{mark}(?:\d*+|-{{1,2}}))?|{mark}\d++)"
        if self.scaled:
            return body + rf" ?[{''.join(MAGNITUDES)}]?"
        if "e" not in (self.prefix + self.suffix).lower():
            body += r"(?:[eE][+-]?\d++)?"
        return body if self.has_sign else rf"(?:{body}|(?i:inf(?:inity)?))"

    @cached_property
    def line(self) -> str:
        """The pattern of one number, in tidied text."""
        before, behind = re.escape(self.prefix.strip()), _unit_pattern(self.suffix.strip())
        body = self.body
        before, behind = before and before + " ?", behind and " ?" + behind
        signs = rf"[+-]? ?{before}{body}{behind}|{before}{body}(?:(?<![.,])-{behind}|{behind}(?<![.,])-)"
        if before:
            signs += rf"|{before}[+-] ?{body}{behind}|{before}\( ?{body} ?\){behind}"
        if self.has_sign:
            signs += rf"|0(?:{re.escape(self.decimal)}0*+)?"  # nothing is nothing in every unit
        if before:
            signs += rf"|{before}-{behind}"  # so Excel writes 0 in accounts
        return rf" ?(?:{signs}|\( ?{before}{body}{behind} ?\){behind and f'(?:{behind})?'}) ?"

    @cached_property
    def one(self) -> re.Pattern[str]:
        """The pattern of one text."""
        return re.compile(self.line)

    @cached_property
    def many(self) -> re.Pattern[str]:
        """The pattern of several lines."""
        return re.compile(rf"(?:{self.line}\n)*+")

    def read(self, levels: Sequence[str]) -> Values:
        """Return the values of some texts, (l,); NaN where one is not written so."""
        values = np.full(len(levels), np.nan)
        for start in range(0, len(levels), LINES):
            part = levels[start : start + LINES]
            lines = tidied("\n".join(part))
            if self.many.fullmatch(lines + "\n") and lines.count("\n") == len(part) - 1:
                values[start : start + LINES] = self._convert(lines)
                continue
            texts = [tidied(text).strip() for text in part]
            read = [k for k, text in enumerate(texts) if self.one.fullmatch(text)]
            if read:
                values[[start + k for k in read]] = self._convert("\n".join(texts[k] for k in read))
        return values

    def _convert(self, lines: str) -> list[float]:
        """Return the values of lines that match the pattern."""
        unit = self.suffix.strip()
        for sign in (self.prefix.strip(), unit, unit[:-1] if _is_plural(unit) else ""):
            lines = lines.replace(sign, "") if sign else lines
        lines = lines.replace(" ", "")
        if self.thousands not in ("", " "):
            lines = lines.replace(self.thousands, "")
        if self.decimal != ".":
            lines = lines.replace(self.decimal, ".")
        if "(" in lines:
            lines = lines.replace("(", "-").replace(")", "")
        if self.scaled:
            for letter, power in MAGNITUDES.items():
                lines = lines.replace(letter, power)
        if self.prefix:
            lines = re.sub(r"^-$", "0", lines, flags=re.MULTILINE)
        if ".-" in lines:
            lines = re.sub(r"\.--?", ".", lines)  # 5,- is 5
        if lines.endswith("-") or "-\n" in lines:
            lines = re.sub(r"^(.+)-$", r"-\1", lines, flags=re.MULTILINE)
        return list(map(float, lines.split("\n")))


PLAIN = NumberForm()


def _is_plural(unit: str) -> bool:
    return len(unit) > 3 and unit.isalpha() and unit.endswith("s")


def _unit_pattern(unit: str) -> str:
    """Return the pattern of a unit; "years" may be one year."""
    return re.escape(unit) + "?" * _is_plural(unit)


CURRENCY_SIGNS = "$¢£¤¥₠-⃀؋฿﷼"
CURRENCY_CODES = (
    "AED ARS AUD BGN BRL CAD CHF CLP CNY COP CZK DKK EUR GBP HKD HUF IDR ILS INR ISK JPY KES KRW KWD MAD MXN MYR NGN "
    "NOK NZD PEN PHP PKR PLN RMB RON RSD RUB SAR SEK SGD THB TRY TWD UAH USD VND ZAR Rs Rs. kr kr. Fr. RM zł Kč"
)
PREFIX = rf"[A-Z]{{0,3}}[{CURRENCY_SIGNS}]|{'|'.join(map(re.escape, CURRENCY_CODES.split()))}"
SUFFIX = rf"(?:[^\W\d_]|[%‰°\"'″/Ω{CURRENCY_SIGNS}])(?:[\w%°/²³·*^.]|-(?=\w)| (?=[^\W\d_])){{0,30}}"

DRESSED = re.compile(
    rf"[+-]? ?\(? ?(?P<prefix>{PREFIX})?(?P<gap> ?)[+-]? ?\(? ?"
    r"(?P<body>[.,]?\d(?:[\d.,' ]*\d)?[.,]?(?:[eE][+-]?\d+)?)-?(?: ?\))?"
    rf"(?P<space> ?)(?P<suffix>{SUFFIX})? ?[)-]?"
)
"""Anything that may be a number in some form."""


BODIES = {
    (thousands, mark): re.compile(NumberForm("", "", thousands, mark).body)
    for thousands in GROUPED
    for mark in ".,"
    if thousands != mark
}
"""The patterns of numbers without a dress, by the marks between thousands and before decimals."""


def _marks(bodies: Sequence[str], decimal: str, grouped: bool) -> tuple[str, str]:
    """Return the marks between thousands and before decimals that most of some numbers fit, `decimal` first.

    In a file with a decimal comma 1,234 is 1.234 and 1.234 is 1234; elsewhere 1,234 is 1234.
    """
    best, most = ("", decimal), 0
    for pair in sorted(BODIES, key=lambda pair: pair[1] != decimal):
        fits = sum(map(bool, map(BODIES[pair].fullmatch, bodies))) if grouped or not pair[0] else 0
        if fits > most:
            best, most = pair, fits
        if most == len(bodies):
            break
    return best


class Dress(NamedTuple):
    """The signs around a number."""

    prefix: str
    suffix: str

    @classmethod
    def of(cls, match: re.Match[str]) -> Dress:
        """Return the dress of a match of `DRESSED`."""
        return cls(match["prefix"] or "", match["suffix"] or "")


def _matches(texts: Iterable[str]) -> list[re.Match[str]]:
    """Return the texts that may be numbers."""
    return [match for text in texts if (match := DRESSED.fullmatch(tidied(text).strip()))]


def find_form(sample: Iterable[str], decimal: str = ".") -> NumberForm | None:
    """Return the form in which most of some texts are numbers; None where none is one.

    >>> str(find_form(["$1,200", "$950", "-$3.50"]))
    '$1,234.5'
    """
    found = _matches(sample)
    if not found:
        return None
    found = [
        match for match in found if any(Dress.of(match)) or match["body"].strip("0.,")
    ] or found  # a bare 0 fits all units
    dresses = Counter(map(Dress.of, found))
    dress = dresses.most_common(1)[0][0]
    plural, single = Dress(dress.prefix, dress.suffix + "s"), Dress(dress.prefix, dress.suffix.removesuffix("s"))
    scaled = _is_scaled(found, dress.prefix)
    if scaled:
        dress, alike = Dress(dress.prefix, ""), {Dress(dress.prefix, letter) for letter in ("", *MAGNITUDES)}
    else:
        dress = plural if plural in dresses and _is_plural(plural.suffix) else dress
        alike = {dress, single} if _is_plural(dress.suffix) else {dress}
    chosen = [match for match in found if Dress.of(match) in alike]
    thousands, mark = _marks([match["body"] for match in chosen], decimal, grouped=not scaled)
    before = chosen[0]["gap"][:1] if dress.prefix else ""
    behind = chosen[0]["space"][:1] if dress.suffix else ""
    return NumberForm(dress.prefix + before, behind + dress.suffix, thousands, mark, scaled)


def _is_scaled(found: Sequence[re.Match[str]], prefix: str) -> bool:
    """Return True where letters for powers of ten stand behind the numbers.

    They do where there are different ones, or where one stands behind a fraction and others are bare (1.2k, 950).
    """
    lettered = [match for match in found if match["prefix"] == (prefix or None) and match["suffix"] in MAGNITUDES]
    bare = Dress(prefix, "") in map(Dress.of, found)
    fraction = any(re.search(r"[.,]\d", match["body"]) for match in lettered)
    letters = {match["suffix"].upper() for match in lettered}
    return fraction if letters and bare else len(letters) > 1


def mixed_dress(sample: Sequence[str]) -> str:
    """Return the currencies or units of some texts, in words, where they are different; else "".

    >>> mixed_dress(["5 kg", "3 lb", "2 kg", "many"])
    "'kg' and 'lb'"
    """
    dresses = Counter(map(Dress.of, _matches(sample)))
    if not 2 <= len(dresses) <= 6 or 2 * dresses.total() < len(sample):
        return ""
    names = [repr(" ".join(sign for sign in dress if sign)) for dress, _ in dresses.most_common()]
    return f"{', '.join(names[:-1])} and {names[-1]}".replace("''", "none")
