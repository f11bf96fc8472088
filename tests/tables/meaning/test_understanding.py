"""The verdict on columns of which not all cells are alike, on declared columns, and on cells that are no texts."""

import random
from datetime import date, timedelta

import numpy as np
import pytest

from chainrule.tables.meaning import is_mark, read_values, understand
from chainrule.tables.meaning.marks import MARKS
from chainrule.tables.table import Cells, text_cells

NUMBERS = [f"{value:.2f}" for value in np.random.default_rng(0).uniform(0, 1000, 200)]
DAYS = [date(2015, 1, 1) + timedelta(days=7 * k) for k in range(200)]


def mixed(texts, *others, every=None, at=None):
    """Return the texts with others in their place: at one position, or at every few."""
    texts = list(texts)
    for k, place in enumerate([at] if every is None else range(every - 1, len(texts), every)):
        texts[place] = others[k % len(others)]
    return text_cells(texts)


@pytest.mark.parametrize(
    "mark", ["NA", "NULL", "-", "?", "#N/A", " ", "<NA>", "nan", "..", "\\N", "n/a", "#DIV/0!", "--"]
)
@pytest.mark.parametrize("every", [2, 5, 50])
def test_marks_are_missing_whatever_their_share(mark, every):
    found = understand(mixed(NUMBERS, mark, every=every))
    assert found == ("number", "", {mark: 200 // every}, {}, None, "")


@pytest.mark.parametrize(
    ("texts", "reads"),
    [
        (["1", "2", "NA"], "number"),
        (["2020-01-01", "NA"], "moment"),
        (["10:30", "NA"], "duration"),
        (["yes", "no", "NA"], "flag"),
        (["red", "blue", "NA"], "category"),
        (["NA", "NULL", " "], "category"),
    ],
)
def test_marks_are_missing_in_columns_of_every_kind(texts, reads):
    found = understand(text_cells(texts))
    assert found.reads == reads
    assert found.missing["NA"] == 1


@pytest.mark.parametrize("mark", sorted(MARKS - {""}))
def test_no_mark_is_ever_a_value(mark):
    for reads, form in [("number", ""), ("number", "1.234,5 €"), ("moment", "iso"), ("duration", ""), ("flag", "")]:
        values, unread = read_values(text_cells([mark, f" {mark} "]), reads, form)
        assert np.isnan(values).all()
        assert not unread.any()
    assert is_mark(f" {mark}")


def test_two_marks_are_both_counted():
    found = understand(text_cells(["NA", "1", "n/a", "NA", "2", None]))
    assert found.missing == {"NA": 2, "n/a": 1}


@pytest.mark.parametrize(
    ("texts", "form"),
    [
        (NUMBERS, ""),
        ([f"${text}" for text in NUMBERS], "$1234.5"),
        ([f"{text} kg" for text in NUMBERS], "1234.5 kg"),
        ([text.replace(".", ",") for text in NUMBERS], "1234,5"),
    ],
)
@pytest.mark.parametrize("stray", ["<1500", "abc", "12 lb", "€5", "1.2.3", "2015-01-01", "yes"])
def test_a_stray_among_numbers_is_named_with_its_first_position(texts, form, stray):
    found = understand(mixed(texts, stray, every=20))
    assert found[:2] == ("number", form)
    assert found.stray == (stray, 19)


def test_a_unit_may_not_be_missing_here_and_there():
    found = understand(mixed([f"{text} kg" for text in NUMBERS], "7", at=4))
    assert found.stray == ("7", 4)


def test_many_strays_make_a_category_with_a_note():
    found = understand(mixed(NUMBERS, "<1500", every=5))
    assert found.reads == "category"
    assert found.note == "80% of the values are numbers, '<1500' is not"


def test_few_numbers_with_a_stray_are_a_category():
    cells = mixed(["1", "2", "3", "4", "5"] * 40, "3+", every=50)
    found = understand(cells)
    assert found[:4] == ("category", "", {}, {})
    assert found.stray is not None
    assert (found.stray[0], found.note) == ("3+", "most values are numbers, '3+' is not")


@pytest.mark.parametrize(
    ("units", "named"),
    [((" kg", " lb"), "'kg' and 'lb'"), (("%", ""), "'%' and none"), ((" €", " $", " £"), "'€', '$' and '£'")],
)
def test_numbers_with_different_units_are_a_category_with_the_reason(units, named):
    found = understand(text_cells([text + units[k % len(units)] for k, text in enumerate(NUMBERS)]))
    assert found.reads == "category"
    assert found.note.startswith("numbers with different units: ")
    assert sorted(found.note.split(": ")[1].replace(" and ", ", ").split(", ")) == sorted(
        named.replace(" and ", ", ").split(", ")
    )


def test_codes_of_many_are_a_category_with_the_reason():
    found = understand(mixed(NUMBERS, "007", at=8))
    assert found.reads == "category"
    assert found.note == "texts such as '007' are codes, not numbers"


@pytest.mark.parametrize(
    "bad", ["0000-00-00", "2015-02-30", "2015-13-01", "0000-00-00 00:00:00", "00.00.0000", "0", "0001-01-01"]
)
def test_a_day_that_does_not_exist_is_missing(bad):
    found = understand(mixed(map(str, DAYS), bad, every=50))
    assert found[:2] == ("moment", "iso")
    assert found.bad == {bad: 49}
    assert found.stray is None


def test_several_bad_days_have_their_first_positions():
    found = understand(mixed(map(str, DAYS), "2015-02-30", "0000-00-00", every=40))
    assert found.bad == {"2015-02-30": 39, "0000-00-00": 79}


def test_more_bad_days_make_a_category_with_a_note():
    found = understand(mixed(map(str, DAYS), "2015-02-30", every=10))
    assert found.reads == "category"
    assert found.note == "90% of the values are dates, '2015-02-30' is not"


@pytest.mark.parametrize("stray", ["soon", "12", "in 2015", "31.12.2015"])
def test_a_stray_among_dates_is_named(stray):
    found = understand(mixed(map(str, DAYS), stray, every=20))
    assert found[:2] == ("moment", "iso")
    assert found.stray == (stray, 19)


def test_the_other_order_of_day_and_month_is_no_slip():
    found = understand(mixed([f"{day:%m/%d/%Y}" for day in DAYS], "31/12/2015", every=50))
    assert found.form == "%m/%d/%Y"
    assert found.stray == ("31/12/2015", 49)


@pytest.mark.parametrize("separator", "/-.")
@pytest.mark.parametrize("year", ["%y", "%Y"])
def test_one_date_decides_whether_the_day_stands_first(separator, year):
    early = [day for day in DAYS if day.day <= 12]
    for form in ("%d-%m-", "%m-%d-"):
        form = form.replace("-", separator) + year
        if form == "%m.%d.%y":
            continue
        cells = text_cells([f"{day:{form}}" for day in [*early, date(2015, 12, 31)]])
        assert understand(cells)[:2] == ("moment", form)
        assert understand(cells).note == ""


@pytest.mark.parametrize(
    ("separator", "form", "noted"), [("/", "%m/%d/%Y", True), ("-", "%d-%m-%Y", True), (".", "%d.%m.%Y", False)]
)
def test_where_no_date_decides_it_a_note_says_so(separator, form, noted):
    cells = text_cells([f"0{k % 9 + 1}{separator}0{k % 7 + 1}{separator}2020" for k in range(60)])
    found = understand(cells)
    assert found[:2] == ("moment", form)
    assert (form in found.note) == noted


def test_an_unknown_zone_is_named():
    found = understand(text_cells([f"{day} 10:00 EST" for day in DAYS]))
    assert found.reads == "category"
    assert found.note == "times in the zone 'EST' are not read; offsets such as +01:00 are"


def test_minutes_beside_hours():
    cells = text_cells(["3:45", "1:03:45", "0:10"])
    found = understand(cells)
    assert found[:2] == ("duration", "%M:%S")
    assert found.note == "2:03 stands beside 1:02:03: read as minutes and seconds"
    assert read_values(cells, *found[:2])[0].tolist() == [225, 3825, 10]


@pytest.mark.parametrize("form", ["%y-%m-%d", "%y/%m/%d", "%d-%m-%y", "%d/%m/%y"])
def test_years_of_two_digits_lie_close_together(form):
    assert understand(text_cells([f"{day:{form}}" for day in DAYS]))[:2] == ("moment", form)


def test_epochs_years_and_serial_dates_stay_numbers():
    for texts in (
        ["1577836800", "NA"],
        ["2020", "2021", "NA"],
        ["20200131", "20200201", "NA"],
        ["43831", "43832.5", "NA"],
    ):
        assert understand(text_cells(texts))[:2] == ("number", "")


@pytest.mark.parametrize(
    ("texts", "declared", "expected"),
    [
        (["007", "12"], "number", ("number", "", {}, {}, None, "")),
        (["5 kg", "7", "NA"], "number", ("number", "1234.5 kg", {"NA": 1}, {}, None, "")),
        (["5", "x", "7"], "number", ("number", "", {}, {}, ("x", 1), "")),
        (["x", "y"], "number", ("number", "", {}, {}, ("x", 0), "")),
        (["yes", "no"], "category", ("category", "", {}, {}, None, "")),
        (["5", "NA"], "category", ("category", "", {"NA": 1}, {}, None, "")),
        (["NA"], "number", ("number", "", {"NA": 1}, {}, None, "")),
        (["20200131", "20200230"], "date", ("moment", "%Y%m%d", {}, {"20200230": 1}, None, "")),
        (["2020", "2021"], "date", ("moment", "%Y", {}, {}, None, "")),
        (["1577836800", "1577836801"], "date", ("moment", "%s", {}, {}, None, "")),
        (["31.12.2020", "soon", "soon"], "date", ("moment", "%d.%m.%Y", {}, {"soon": 1}, None, "")),
        (["soon", "late"], "date", ("moment", "iso", {}, {}, ("soon", 0), "")),
        (["10:30", "90", "soon"], "duration", ("duration", "%s", {}, {"soon": 2}, None, "")),
    ],
)
def test_declared_columns(texts, declared, expected):
    assert understand(text_cells(texts), declared=declared) == expected


def test_a_category_stays_one_and_its_levels_stay_different():
    assert understand(text_cells(["1", "01", "NA"], "category")) == ("category", "", {"NA": 1}, {}, None, "")
    assert understand(text_cells(["1", "2"], "category"), declared="number").reads == "number"


def test_a_declaration_must_be_known():
    with pytest.raises(ValueError, match="got 'text'"):
        understand(text_cells(["1"]), declared="text")


MOMENT = np.array(["1970-01-02", "NaT"], "M8[us]")
DURATION = np.array([1_500_000, "NaT"], "m8[us]")
HOLES = np.array([False, True])

NATIVE = [
    (Cells("number", np.array([1.5, np.nan])), "number", [1.5, np.nan]),
    (Cells("number", np.array([2**60, 2**53 + 1]), gaps=HOLES), "number", [2.0**60, np.nan]),
    (Cells("number", np.array([2**64 - 1, 1], np.uint64)), "number", [2.0**64, 1]),
    (Cells("boolean", np.array([True, False]), gaps=HOLES), "flag", [1, np.nan]),
    (Cells("boolean", np.array([True, False])), "flag", [1, 0]),
    (Cells("moment", MOMENT), "moment", [86400, np.nan]),
    (Cells("duration", DURATION), "duration", [1.5, np.nan]),
]


@pytest.mark.parametrize(("cells", "reads", "values"), NATIVE)
def test_cells_that_are_no_texts(cells, reads, values):
    assert understand(cells) == (reads, "", {}, {}, None, "")
    got, unread = read_values(cells, reads)
    np.testing.assert_array_equal(got, values)
    assert not unread.any()


@pytest.mark.parametrize("reads", ["number", "moment", "duration"])
@pytest.mark.parametrize(("cells", "own", "values"), NATIVE)
def test_cells_of_another_kind_cannot_be_read(cells, own, values, reads):
    got, unread = read_values(cells, reads)
    if reads != own and (own, reads) != ("flag", "number"):
        assert np.isnan(got).all()
        assert unread.tolist() == (~cells.absent()).tolist()


def test_booleans_are_numbers_where_numbers_are_expected():
    assert read_values(Cells("boolean", np.array([True, False])), "number")[0].tolist() == [1, 0]
    assert understand(Cells("boolean", np.array([True])), declared="number").reads == "number"


def test_numbers_that_are_declared_to_be_dates():
    cells = Cells("number", np.array([20200131, 20200201, np.nan, 20200131]))
    found = understand(cells, declared="date")
    assert found[:2] == ("moment", "%Y%m%d")
    assert read_values(cells, *found[:2])[0].tolist()[:2] == [1580428800, 1580515200]
    assert read_values(cells.take(slice(2, 3)), *found[:2])[1].tolist() == [False]
    years = Cells("number", np.array([2020.0, 2021]))
    assert understand(years, declared="date")[:2] == ("moment", "%Y")
    assert understand(years, declared="category").reads == "category"
    assert read_values(years, *understand(years, declared="duration")[:2])[0].tolist() == [2020, 2021]


def test_few_rows_of_many_levels():
    cells = text_cells([f"${k}" for k in range(1000)]).take([5, 7])
    values, unread = read_values(cells, "number", "$1234.5")
    assert (values.tolist(), unread.tolist()) == ([5, 7], [False, False])
    cells = text_cells(["x", None, "3", *map(str, range(1000))]).take([0, 1, 2])
    values, unread = read_values(cells, "number")
    np.testing.assert_array_equal(values, [np.nan, np.nan, 3])
    assert unread.tolist() == [True, False, False]
    assert understand(cells.take([2])).reads == "number"


def test_no_rows():
    assert understand(text_cells([])).reads == "category"
    assert read_values(text_cells([]), "number")[0].shape == (0,)


def test_one_number_reads_the_same_among_few_and_many():
    texts = [f"{k}.5 kg" for k in range(10_000)]
    random.Random(0).shuffle(texts)
    texts[7000] = " 3.25  kg "
    values, unread = read_values(text_cells(texts), "number", "1234.5 kg")
    assert values[7000] == 3.25
    assert values[:7000].tolist() == [float(text.split()[0]) for text in texts[:7000]]
    texts[7000] = "many\n3"
    values, unread = read_values(text_cells(texts), "number", "1234.5 kg")
    assert unread.nonzero()[0].tolist() == [7000]


def test_a_form_must_show_a_number():
    with pytest.raises(ValueError, match="does not show"):
        read_values(text_cells(["5"]), "number", "kg")
