"""Values written in a form are read back exactly; and no texts whatever end in an error."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chainrule.tables.meaning import read_values, understand
from chainrule.tables.meaning.marks import MARKS
from chainrule.tables.meaning.moments import DECLARED_FORMS, FORMS
from chainrule.tables.meaning.numbers import NumberForm
from chainrule.tables.table import text_cells

MARKS_OF_NUMBERS = [(t, d) for t in ("", ",", ".", "'", " ") for d in ".," if t != d]
PREFIXES = ["", "$", "€", "£ ", "US$", "R$ ", "EUR ", "Rs. ", "CHF "]
SUFFIXES = ["", "%", " %", " kg", "kg", " €", " km/h", " m²", "°C", " years", '"', " sq ft", "e"]

forms = st.builds(
    lambda prefix, suffix, marks: NumberForm(prefix, suffix, *marks),
    st.sampled_from(PREFIXES),
    st.sampled_from(SUFFIXES),
    st.sampled_from(MARKS_OF_NUMBERS),
)
wholes = st.integers(0, 10**12)
fractions = st.from_regex(r"[0-9]{0,6}", fullmatch=True)
styles = st.sampled_from(["{}", "-{}", "({})", "\N{MINUS SIGN}{}", "+{}", "{}-", " {} "])


def written(form, whole, fraction, style):
    """Return a number in a form, and its value."""
    body = f"{whole:,}".replace(",", form.thousands) + (form.decimal + fraction if fraction else "")
    value = float(f"{whole}.{fraction}")
    negative = "-" in style or "(" in style or "\N{MINUS SIGN}" in style
    return style.format(form.prefix + body + form.suffix), -value if negative else value


numbers = st.lists(st.tuples(wholes, fractions, styles), min_size=1, max_size=8)


@given(forms, numbers)
def test_numbers_are_read_as_they_are_written(form, given_numbers):
    texts, values = zip(*(written(form, *number) for number in given_numbers), strict=True)
    got, unread = read_values(text_cells(texts), "number", str(form))
    assert NumberForm.parse(str(form)) == form
    assert got.tolist() == list(values)
    assert not unread.any()


@given(forms, numbers, st.sampled_from(sorted(MARKS)))
def test_the_form_is_found(form, given_numbers, mark):
    plain = [(1234567, "25", "{}"), (1234, "5", "-{}"), *given_numbers]
    texts, values = zip(*(written(form, *number) for number in plain), strict=True)
    if any(text.endswith("-") for text in texts):  # few numbers with a minus behind them are marks of a school
        return
    found = understand(text_cells([*texts, mark]), form.decimal)
    got, unread = read_values(text_cells([*texts, mark]), found.reads, found.form)
    assert (found.reads, found.form) == ("number", str(form))
    assert found.missing == ({mark: 1} if mark else {})
    np.testing.assert_array_equal(got, [*values, np.nan])
    assert not unread.any()


@given(st.sampled_from("kKMB"), st.integers(0, 10**6), fractions, st.sampled_from(".,"), st.sampled_from(PREFIXES))
def test_letters_for_powers_of_ten(letter, whole, fraction, decimal, prefix):
    form = NumberForm(prefix, "", "", decimal, scaled=True)
    power = {"k": 3, "K": 3, "M": 6, "B": 9}[letter]
    got, _ = read_values(text_cells([f"{prefix}{whole}{decimal}{fraction}{letter}"]), "number", str(form))
    assert got.tolist() == [float(f"{whole}.{fraction}e{power}")]
    assert NumberForm.parse(str(form)) == form


@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_every_float_is_read_as_python_writes_it(values):
    got, unread = read_values(text_cells(map(repr, values)), "number")
    assert got.tolist() == values
    assert not unread.any()


MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
TIMES = ["", "T%H:%M:%S", " %H:%M", " %H:%M:%S.%f", " %I:%M:%S %p", ", %H:%M:%SZ", " %H:%M:%S%z", " %H:%M:%S UTC"]

moments = st.datetimes(datetime(1970, 1, 1), datetime(2068, 12, 31))


def known(moment, form, time):
    """Return a moment without the parts that are lost when it is written in a form."""
    units = [("%f", "microsecond"), ("%S", "second"), ("%M", "minute"), ("%", "hour")]
    lost = {unit: 0 for sign, unit in units if sign not in (form.replace("%m", "") if "%H" in form else time)}
    moment = moment.replace(**lost)
    if "%q" in form:
        return moment.replace(month=(moment.month - 1) // 3 * 3 + 1, day=1)
    return moment if "d" in form or form == "iso" else moment.replace(day=1)


def text_of(moment, form, time):
    """Return a moment, written in a form and followed by a time."""
    form = form.replace("iso", "%Y-%m-%d").replace("%b %y", "%b-%y").replace("%q", str((moment.month + 2) // 3))
    return moment.strftime(form.replace("%b", MONTHS[moment.month - 1]) + time)


dates = st.sampled_from([form for form in FORMS if "%H" not in form])


@given(dates, moments, st.sampled_from(TIMES), st.integers(-12, 14))
def test_moments_are_read_as_they_are_written(form, moment, time, hours):
    time = time if "%d" in form or form == "iso" else ""
    moment = moment.replace(tzinfo=timezone(timedelta(hours=hours)) if "%z" in time else UTC)
    left = known(moment, form, time)
    got, unread = read_values(text_cells([text_of(moment, form, time)]), "moment", form)
    assert got.tolist() == [(left - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1)]
    assert not unread.any()


@given(
    st.sampled_from([form for form in FORMS if form != "%m.%d.%y" and "%y-" not in form and "%y/" not in form]),
    st.lists(moments, min_size=1),
)
def test_the_form_of_dates_is_found(form, some):
    some = [*some, datetime(2045, 1, 31), datetime(2033, 2, 28)]
    cells = text_cells([text_of(moment.replace(tzinfo=UTC), form, "") for moment in some])
    assert understand(cells)[:2] == ("moment", form)


@given(st.sampled_from([*FORMS, *DECLARED_FORMS]), st.integers(-(2**40), 2**40))
def test_native_moments_and_texts_have_the_same_bits(form, microseconds):
    moment = datetime(1970, 1, 1) + timedelta(microseconds=1000 * microseconds)
    native = np.array([moment], "M8[us]").astype(np.int64) / 1e6
    got, _ = read_values(text_cells([moment.isoformat()]), "moment", "iso")
    assert got.tolist() == native.tolist()


@given(st.timedeltas(timedelta(days=-999), timedelta(days=999)))
def test_durations_are_read_as_python_writes_them(duration):
    got, unread = read_values(text_cells([str(duration)]), "duration", "%H:%M:%S")
    assert got.tolist() == [duration / timedelta(seconds=1)]
    assert not unread.any()


odd = st.text("0123456789.,-+ $€%kgeEMB()/:TZ'\n\u00a0\u0661\u2212", max_size=12)
columns = st.one_of(
    st.lists(st.text(max_size=12), max_size=30),
    st.lists(odd, max_size=30),
    st.lists(st.sampled_from(sorted(MARKS)), max_size=5),
)


@given(columns, st.sampled_from(".,"), st.sampled_from([None, "number", "date", "duration", "category"]))
def test_no_texts_end_in_an_error_and_what_is_found_can_be_read(texts, decimal, declared):
    cells = text_cells(texts)
    found = understand(cells, decimal, declared)
    if found.reads == "category":
        return
    values, unread = read_values(cells, found.reads, found.form)
    named = set(found.bad) | ({found.stray[0]} if found.stray else set())
    assert named <= {texts[k] for k in np.flatnonzero(unread)}
    assert unread.any() == bool(named)
    assert np.isnan(values[unread]).all()
