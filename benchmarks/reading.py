"""Time and memory of reading: chainrule against pandas, polars and DuckDB alone; and of wide tables.

\b
    python benchmarks/reading.py
    python benchmarks/reading.py --rounds 3 --megabytes 200 --out reading.md

Every reading is a process of its own, so that its peak memory is its own; the clock starts after the
imports. Rounds are interleaved; nothing else should run meanwhile. The files are adult and kddcup99 of
../shared/data/tabular (left out where they are not there) and a made table of numbers, texts and dates. "DuckDB" is
`create table ... as from read_csv(...)`, in memory, which is what chainrule asks it for besides what the columns mean.

Wide tables: one row of 2,000 columns predicted, and 200 rows of 6,000 columns trained for two epochs, beside
scikit-learn's network behind SimpleImputer and StandardScaler on the same frame. Installed sizes are those of the
distributions' files.
"""

from __future__ import annotations

import gzip
import json
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import click
import numpy as np
from clock import THREADS, Figure, Times, digits, installed, interleaved, limit_threads, ratios

DATA = Path(__file__).parents[2] / "shared" / "data" / "tabular"
VERSIONS = ("chainrule", "duckdb", "pandas", "polars", "pyarrow", "scikit-learn", "numpy")
CHUNK = 100_000
"""Rows of the made file that differ; they are repeated until it is large enough."""


def _chainrule(path: str) -> Callable[[], Any]:
    from chainrule.tables import read_table

    return lambda: read_table(path)


def _pandas(path: str) -> Callable[[], Any]:
    import pandas

    return lambda: pandas.read_csv(path)


def _polars(path: str) -> Callable[[], Any]:
    import polars

    return lambda: polars.read_csv(path, infer_schema_length=None)


def _duckdb(path: str) -> Callable[[], Any]:
    import duckdb

    connection = duckdb.connect()
    return lambda: connection.execute("create table t as from read_csv(?)", [path])


READERS: Mapping[str, Callable[[str], Callable[[], Any]]] = {
    "chainrule": _chainrule,
    "DuckDB": _duckdb,
    "pandas": _pandas,
    "polars": _polars,
}
"""Imports what it needs, and returns the function that reads."""


class Reading(NamedTuple):
    """Seconds of one reading, and the peak memory of its process in MB."""

    seconds: float
    megabytes: float


def peak() -> float:
    """Return the peak memory of this process in MB.

    Linux counts the parent's memory into ru_maxrss of a process that it has just started; VmHWM leaves it out.
    """
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    kilobytes = [float(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return (kilobytes[0] if kilobytes else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024


def read_here(reader: str, path: str) -> Reading:
    """Return how long a reading takes in this process, and the memory that the process has needed by then."""
    read = READERS[reader](path)
    started = perf_counter()
    table = read()
    seconds = perf_counter() - started
    del table
    return Reading(seconds, peak())


def read_there(reader: str, path: Path) -> Reading:
    """Return the same for a process of its own."""
    command = [sys.executable, __file__, "--child", reader, str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return Reading(*json.loads(ran.stdout))


def packed(name: str, folder: Path) -> Path | None:
    """Return a file of ../shared/data unpacked, or None where it is not there."""
    source = DATA / f"{name}.csv.gz"
    if not source.exists():
        return None
    path = folder / f"{name}.csv"
    with gzip.open(source) as zipped, path.open("wb") as file:
        shutil.copyfileobj(zipped, file)
    return path


def made(megabytes: int, folder: Path) -> Path:
    """Return a made file: six numbers, two texts, a whole number and a date in each row."""
    r = np.random.default_rng(0)
    columns = [np.char.mod("%.6f", r.normal(size=CHUNK)) for _ in range(6)]
    columns += [
        r.choice(["Bonn", "Ulm", "Köln", "New York"], CHUNK),
        r.choice([f"code {k}" for k in range(300)], CHUNK),
    ]
    columns += [r.integers(0, 10**6, CHUNK).astype(str), np.datetime64("2000-01-01") + r.integers(0, 9000, CHUNK)]
    names = ",".join(f"c{k}" for k in range(len(columns)))
    chunk = "".join(
        ",".join(row) + "\n" for row in zip(*(column.astype(str) for column in columns), strict=True)
    ).encode()
    path = folder / "made.csv"
    with path.open("wb") as file:
        file.write(names.encode() + b"\n")
        for _ in range(max(1, megabytes * 10**6 // len(chunk))):
            file.write(chunk)
    return path


def rows_of_file(path: Path, rounds: int) -> Iterator[str]:
    """Yield the table's rows of one file."""
    here = [name for name in READERS if name == "chainrule" or installed(name.lower())]
    readings: dict[str, list[Reading]] = {name: [] for name in here}
    for turn in range(rounds + 1):
        for name in here:
            reading = read_there(name, path)
            readings[name] += [reading] * (turn > 0)  # the first puts the file into the system's cache
    times: Times = {name: [reading.seconds for reading in taken] for name, taken in readings.items()}
    size = f"{path.stem}, {path.stat().st_size / 1e6:.0f} MB"
    for name, taken in readings.items():
        memory = Figure.of([reading.megabytes for reading in taken])
        ratio = ratios(times, name, "DuckDB" if "DuckDB" in here else "chainrule")
        yield f"| {size} | {name} | {Figure.of(times[name]).cells()} | {ratio.cells()} | {digits(memory.middle)} |"


def reading(rounds: int, megabytes: int) -> Iterator[str]:
    """Yield the lines about files."""
    for name in READERS:
        if name != "chainrule" and not installed(name.lower()):
            yield f"{name} is left out: it is not installed."
    yield "| file | package | s | spread | time / DuckDB's | spread | peak MB |"
    yield "|---|---|--:|--:|--:|--:|--:|"
    absent = []
    for name in ("adult_train", "kddcup99_10pct", f"a made file of {megabytes} MB"):
        with tempfile.TemporaryDirectory() as folder:
            path = made(megabytes, Path(folder)) if name.startswith("a made") else packed(name, Path(folder))
            if path is None:
                absent.append(f"{name} is left out: {DATA.name}/{name}.csv.gz is not in ../shared/data.")
            else:
                yield from rows_of_file(path, rounds)
    yield from absent


@contextmanager
def quiet() -> Iterator[None]:
    """Hide the warnings of trainings that end early."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def wide(columns: int, rows: int = 200) -> tuple[Any, Any, Any]:
    """Return the inputs as an array and as a frame with one gap, and the classes."""
    import pandas

    X = np.random.default_rng(0).normal(size=(rows, columns))
    frame = pandas.DataFrame(X).rename(columns=str)
    frame.iloc[3, columns - 1] = np.nan
    return X, frame, (X[:, 0] > 0).astype(int)


def peers() -> dict[str, Any]:
    """Return the estimators that are compared on wide tables, each of which takes a frame with gaps."""
    from sklearn.impute import SimpleImputer
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    import chainrule

    settings: dict[str, Any] = {"hidden_layer_sizes": (16,), "max_iter": 2, "random_state": 0}
    network = MLPClassifier(**settings)
    return {
        "chainrule": chainrule.MLPClassifier(**settings),
        "scikit-learn": make_pipeline(SimpleImputer(), StandardScaler(), network),
    }


def timed(call: Callable[[], object]) -> Callable[[], float]:
    """Return a function that makes a call and gives its seconds."""

    def once() -> float:
        started = perf_counter()
        call()
        return perf_counter() - started

    return once


def wide_tables(rounds: int) -> Iterator[str]:
    """Yield the lines about wide tables."""
    if not installed("pandas"):
        yield "Wide tables are left out: pandas is not installed."
        return
    yield "| wide table | package | ms | spread | time / chainrule's | spread |"
    yield "|---|---|--:|--:|--:|--:|"
    with quiet():
        _, frame, y = wide(2000)
        models = {name: model.fit(frame, y) for name, model in peers().items()}
        row = frame[:1]
        predicted = {name: timed(lambda model=model: model.predict(row)) for name, model in models.items()}
        yield from _wide_rows("2,000 columns: one row predicted", interleaved(predicted, rounds))
        X, frame, y = wide(6000)
        fits = {name: timed(lambda model=model: model.fit(frame, y)) for name, model in peers().items()}
        fits["chainrule, an array"] = timed(lambda: peers()["chainrule"].fit(X, y))
        yield from _wide_rows("6,000 columns x 200 rows trained", interleaved(fits, rounds))


def _wide_rows(title: str, times: Times) -> Iterator[str]:
    for name, taken in times.items():
        yield f"| {title} | {name} | {Figure.of(taken, 1e3).cells()} | {ratios(times, name, 'chainrule').cells()} |"


def sizes() -> Iterator[str]:
    """Yield the lines about installed sizes."""
    yield "| installed | MB |"
    yield "|---|--:|"
    for title, names in (("duckdb", ("duckdb",)), ("polars", ("polars", "polars-runtime-32"))):
        absent = [name for name in names if not installed(name)]
        if absent:
            yield f"| {title}: {' and '.join(absent)} not installed | |"
            continue
        files = [path.locate() for name in names for path in distribution(name).files or ()]
        yield f"| {title} | {sum(Path(file).stat().st_size for file in files if Path(file).is_file()) / 1e6:.0f} |"


def processor() -> str:
    """Return the name of the processor, where the system tells it."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


@click.command(help=__doc__)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1), help="counted, after one warm-up")
@click.option("--megabytes", default=1000, show_default=True, type=click.IntRange(1), help="size of the made file")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="also write the tables here")
@click.option("--child", nargs=2, hidden=True, help="a reader and a path: read it here, once")
def main(rounds: int, megabytes: int, out: Path | None, child: tuple[str, str] | None) -> None:
    """Run the benchmark and print its tables."""
    limit_threads()
    if child:
        click.echo(json.dumps(read_here(*child)))
        return
    versions = ", ".join(f"{name} {installed(name)}" for name in VERSIONS if installed(name))
    lines = [f"{versions}; Python {platform.python_version()}, {processor()}; {rounds} rounds, {THREADS} threads."]
    click.echo(lines[0])
    for part in (reading(rounds, megabytes), wide_tables(rounds), sizes()):
        lines.append("")
        click.echo()
        for line in part:
            lines.append(line)
            click.echo(line)
    if out:
        out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
