"""The first lines of a file: names or none, comments, metadata, Excel's line, repeated and empty names."""

from __future__ import annotations

from pathlib import Path

from support.traps import ANY, Right, Trap, category, check, grid, label, number, refusal, tenths, traps

X = number(0.0, 3.7, 7.4)
Y = category("lo", "hi", "hi", "lo", levels=("hi", "lo"))
PLAIN = grid(50, x=tenths, y=label)
SEMICOLONS = grid(50, ";", x=tenths, y=label)
BOTH = {"x": X, "y": Y}
LOGGER = "".join(f"# {k}: station 7, run {k}\n" for k in range(12))


def year(number: int) -> str:
    """Return one of thirty years as a text."""
    return str(1990 + number % 30)


ROWS = [
    Trap("Excel's sep=; line", "excel.csv", "sep=;\n" + SEMICOLONS, Right(50, BOTH, dialect={"separator": ";"})),
    Trap("Excel's sep=, line", "excel.csv", "sep=,\n" + PLAIN, Right(50, BOTH)),
    Trap("sep= line in quotes", "excel.csv", '"sep=;"\n' + SEMICOLONS, Right(50, BOTH)),
    Trap(
        "sep=; with CRLF and a byte order mark",
        "excel.csv",
        b"\xef\xbb\xbfsep=;\r\n" + SEMICOLONS.replace("\n", "\r\n").encode(),
        Right(50, BOTH),
    ),
    Trap("sep= with a tab", "excel.csv", "sep=\t\n" + PLAIN.replace(",", "\t"), Right(50, BOTH)),
    Trap("SEP=; in capitals", "excel.csv", "SEP=;\n" + SEMICOLONS, Right(50, BOTH)),
    Trap("comment before the header", "c.csv", "# made by a logger\n" + PLAIN, Right(50, BOTH)),
    Trap("twelve comments with commas before the header", "c.csv", LOGGER + PLAIN, Right(50, BOTH)),
    Trap(
        "comments among the rows",
        "c.csv",
        "# start\n" + PLAIN.replace("1.0,lo\n", "1.0,lo\n# a pause, long\n"),
        Right(50, BOTH, notes=("#|comment",)),
    ),
    Trap(
        "a line within quotes that begins as comments do",
        "c.csv",
        "# start\n# more\n" + PLAIN.replace("x,y\n", 'x,y\n5,"hi\n#lo\nhi"\n').replace("1.0,lo\n", "1.0,lo\n# pause\n"),
        Right(
            51, {"x": number(5, 0, 3.7), "y": category("hi\n#lo\nhi", "lo", "hi", levels=("hi\n#lo\nhi", "lo", "hi"))}
        ),
    ),
    Trap(
        "percent comments, said by the user",
        "c.csv",
        "% a, b, c\n% d\n" + PLAIN,
        Right(50, BOTH),
        options={"comment": "%"},
    ),
    Trap(
        "slash comments, said by the user",
        "c.csv",
        "/ a\n" + PLAIN + "/ the end\n",
        Right(50, BOTH),
        options={"comment": "/"},
    ),
    Trap("header that is a comment", "c.csv", "#" + PLAIN, (Right(50, {"#x": X, "y": Y}), Right(50, BOTH))),
    Trap(
        "texts that begin with #",
        "tags.csv",
        grid(60, tag=lambda i: f"#{'abc'[i % 3]}", x=tenths, y=label),
        Right(60, {"tag": category("#a", "#b", "#c", levels=("#a", "#b", "#c")), "x": X, "y": Y}),
    ),
    Trap(
        "some texts that begin with #",
        "tags.csv",
        grid(60, tag=lambda i: "#a" if i % 10 == 3 else "b", x=tenths, y=label),
        Right(60, {"tag": category("b", "b", "b", "#a", levels=("#a", "b")), "x": X, "y": Y}),
    ),
    Trap(
        "three lines of metadata and a blank one",
        "meta.csv",
        "Report: river\nDate: 2020-01-31\nStation: 7\n\n" + PLAIN,
        Right(50, BOTH),
    ),
    Trap(
        "metadata of as many cells as the table",
        "meta.csv",
        "Station,7\n\n" + PLAIN,
        Right(50, BOTH),
    ),
    Trap(
        "title above a table of three columns",
        "title.csv",
        "Prices of 2020\n" + grid(50, x=tenths, k=lambda i: "uvw"[i % 3], y=label),
        Right(50, {"x": X, "k": category("u", "v", "w"), "y": Y}),
    ),
    Trap(
        "title with empty cells",
        "title.csv",
        "Prices,,\n,,\n" + grid(50, x=tenths, k=lambda i: "uvw"[i % 3], y=label),
        Right(50, {"x": X, "k": ANY, "y": Y}),
    ),
    Trap(
        "no header, numbers only",
        "bare.csv",
        grid(50, header=False, a=tenths, b=lambda i: str(i % 7)),
        Right(50, {"column0": X, "column1": number(0, 1, 2)}, dialect={"header": False}),
    ),
    Trap(
        "no header, numbers and texts",
        "bare.csv",
        grid(50, header=False, a=tenths, y=label),
        Right(50, {"column0": X, "column1": Y}, dialect={"header": False}),
    ),
    Trap(
        "no header, said by the user",
        "bare.csv",
        grid(50, header=False, y=label, z=label),
        Right(50, {"column0": Y, "column1": Y}),
        options={"header": False},
    ),
    Trap(
        "header said to be none where there is one",
        "bare.csv",
        grid(3, a=lambda i: "pq"[i % 2], y=label),
        Right(4, {"column0": category("a", "p", "q"), "column1": category("y", "lo", "hi", "hi")}),
        options={"header": False},
    ),
    Trap("texts only, with a header", "texts.csv", grid(50, y=label, z=label), Right(50, {"y": Y, "z": Y})),
    Trap(
        "texts only, the header said by the user",
        "texts.csv",
        grid(50, lo=label, z=label),
        Right(50, {"lo": Y, "z": Y}),
        options={"header": True},
    ),
    Trap(
        "years as names",
        "years.csv",
        grid(40, region=lambda i: f"r{i % 4}", **{"2019": tenths, "2020": tenths, "2021": tenths}),
        Right(40, {"region": category("r0", "r1"), "2019": X, "2020": X, "2021": X}),
    ),
    Trap(
        "numbers as names, said by the user",
        "years.csv",
        grid(40, **{"2019": tenths, "2020": tenths}),
        Right(40, {"2019": X, "2020": X}),
        options={"header": True},
    ),
    Trap(
        "numbered names, as pandas writes an array",
        "array.csv",
        grid(40, **{"0": tenths, "1": tenths, "2": tenths}),
        (
            Right(40, {"0": X, "1": X, "2": X}),
            Right(
                41,
                {"column0": number(0, 0), "column1": number(1, 0), "column2": number(2, 0)},
                dialect={"header": False},
            ),
        ),
    ),
    Trap(
        "repeated names",
        "twice.csv",
        "a,a,y\n" + grid(50, header=False, a=tenths, b=lambda i: str(i % 7), y=label),
        Right(50, {"a": X, "a_1": number(0, 1, 2), "y": Y}, notes=("a_1",)),
    ),
    Trap(
        "repeated names, one of which is made already",
        "twice.csv",
        "a,a,a_1\n" + grid(50, header=False, a=tenths, b=lambda i: str(i % 7), c=tenths),
        (
            Right(50, {"a": X, "a_1": number(0, 1), "a_1_1": X}),
            Right(50, {"a": X, "a_2": number(0, 1), "a_1": X}),
            Right(50, {"a": X, "a_1_1": number(0, 1), "a_1": X}),
        ),
    ),
    Trap(
        "names that differ in case only",
        "case.csv",
        "Age,age,y\n" + grid(50, header=False, a=tenths, b=lambda i: str(i % 7), y=label),
        (
            Right(50, {"Age": X, "age": number(0, 1, 2), "y": Y}),
            Right(50, {"Age": X, "age_1": number(0, 1, 2), "y": Y}),
        ),
    ),
    Trap(
        "empty name in the middle",
        "empty.csv",
        "x,,y\n" + grid(50, header=False, a=tenths, b=lambda i: str(i % 7), y=label),
        Right(50, {"x": X, "column1": number(0, 1, 2), "y": Y}),
    ),
    Trap(
        "the row numbers of pandas",
        "index.csv",
        ",x,y\n" + grid(50, header=False, i=str, a=tenths, y=label),
        Right(50, {"column0": number(0, 1, 2, left_out=True), "x": X, "y": Y}, notes=("column0",)),
    ),
    Trap(
        "the row names of R, one name fewer than columns",
        "r.csv",
        '"x","y"\n' + grid(50, header=False, i=lambda i: f'"{i + 1}"', a=tenths, y=lambda i: f'"{label(i)}"'),
        (
            Right(50, {"column0": ANY, "x": X, "y": Y}),
            refusal(r"line \d|row \d", "3", "2", "header|names|columns|fields"),
        ),
    ),
    Trap(
        "names in spaces",
        "spaces.csv",
        " x , y \n" + grid(50, header=False, x=tenths, y=label),
        (Right(50, BOTH), Right(50, {" x ": X, " y ": Y})),
    ),
    Trap(
        "names of other alphabets",
        "names.csv",
        "größe,цена,名\n" + grid(50, header=False, x=tenths, z=tenths, y=label),
        Right(50, {"größe": X, "цена": X, "名": Y}),
    ),
    Trap(
        "a name that is a key word",
        "sql.csv",
        grid(50, select=tenths, **{"group by": tenths, "row_number()": tenths}),
        Right(50, {"select": X, "group by": X, "row_number()": X}),
    ),
    Trap(
        "names with quotes of SQL",
        "sql.csv",
        "it's,a.b,c;d\n" + grid(50, header=False, x=tenths, z=tenths, y=label),
        Right(50, {"it's": X, "a.b": X, "c;d": Y}),
    ),
    Trap(
        "dates as names",
        "dates.csv",
        grid(40, region=lambda i: f"r{i % 4}", **{"2020-01-01": tenths, "2020-02-01": tenths}),
        Right(40, {"region": category("r0", "r1"), "2020-01-01": X, "2020-02-01": X}),
    ),
    Trap("the only row is like the header", "one.csv", "x,y\nlo,hi\n", Right(1, {"x": ANY, "y": ANY})),
    Trap(
        "a line of units below the names",
        "units.csv",
        "t,x,y\n" + "s,m,\n" + grid(60, header=False, t=tenths, x=tenths, y=label),
        refusal(r"row 1\b"),
        train=("--target", "y"),
    ),
    Trap(
        "the header again among the rows",
        "joined.csv",
        PLAIN + PLAIN,
        refusal("'x'", r"row 51\b", "--columns|--ignore|remove|delete"),
        train=("--target", "y"),
    ),
    Trap("header only", "head.csv", "x,y\n", refusal("no rows|header")),
    Trap("one row", "one.csv", "x,town\n1,Ulm\n", Right(1, {"x": number(1.0), "town": category("Ulm")})),
    Trap("one number", "one.csv", "x\n1\n", Right(1, {"x": number(1.0)})),
    Trap("one column", "one.csv", grid(50, x=tenths), Right(50, {"x": X})),
    Trap("one column of texts", "one.csv", grid(50, town=label), Right(50, {"town": Y})),
    Trap(
        "one column of texts with spaces",
        "one.txt",
        grid(50, title=lambda i: ("a b", "a b c", "d")[i % 3]),
        Right(50, {"title": category("a b", "a b c", "d", levels=("a b", "a b c", "d"))}),
    ),
    Trap(
        "one column of dates", "one.csv", grid(50, day=lambda i: f"2020-01-{1 + i % 28:02d}"), Right(50, {"day": ANY})
    ),
    Trap(
        "one column of decimal commas in quotes",
        "one.csv",
        grid(50, x=lambda i: f'"{tenths(i)}"'.replace(".", ",")),
        Right(50, {"x": X}),
    ),
    Trap("years only", "years.csv", grid(50, year=year), Right(50, {"year": number(1990, 1991)})),
    Trap(
        "wide: 1,000 columns of three rows",
        "wide.csv",
        grid(3, **{f"c{k}": tenths for k in range(1000)}),
        Right(3, {f"c{k}": X for k in range(1000)}),
    ),
    Trap(
        "wide: 1,000 columns with texts",
        "wide.csv",
        grid(5, **{f"c{k}": tenths if k % 2 else label for k in range(1000)}),
        Right(5, {f"c{k}": X if k % 2 else category("lo", "hi") for k in range(1000)}),
    ),
]


@traps(ROWS)
def test_headers(trap: Trap, tmp_path: Path) -> None:
    check(trap, tmp_path)
