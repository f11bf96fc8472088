"""Read thousands of damaged files and print every one that is not read right or refused in one line.

\b
    python tools/fuzz_reading.py                     20,000 files on two processes
    python tools/fuzz_reading.py --files 500
    python tools/fuzz_reading.py --again 1234        one file again, kept for a look

The files are CSV and Parquet, of `fuzz_files.py`, from fixed seeds. Each is read with `chainrule.tables.read_table`,
one of fifty also with `chainrule look`. An offence is: an error that is neither SourceError nor TableError, or of more
than one line; a process that dies; ten seconds; a gigabyte beyond what importing takes; another number of rows than
Python's csv and pandas agree on (told the dialect that the file was written in), or than pyarrow reads.
"""

from __future__ import annotations

import csv
import gzip
import io
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Iterable
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import click
from click.testing import CliRunner

from chainrule.cli import main as chainrule_command
from chainrule.tables import SourceError, TableError, read_table
from fuzz_files import Written, made

SECONDS = 10
MEMORY = 2**20
"""Kilobytes beyond what importing takes."""

SAMPLE = 50
"""One of so many files goes through the command line, too."""

HARD_LIMIT = 12 * 2**30
"""Bytes of address space: what asks for more is stopped before it hurts the machine."""


class Outcome(NamedTuple):
    """The fate of a file: "read", "refused" or the name of an offence; `detail` says more of an offence."""

    kind: str
    detail: str = ""


HEADER = "read, the header as a row"
"""Lines of names: where damage has put texts among the numbers, a line of names may be one of them: nothing is lost."""

NAMES = "read, a damaged first row as names"
"""Without a header, a first number that is none any more may be a name."""

MORE = "more rows"
"""Quotes that the damage has opened join lines for readers that are told the dialect: nothing is lost."""

FINE = ("read", "read, as many rows", HEADER, NAMES, "refused")


def unpacked(file: Written) -> bytes:
    """Return the bytes of the text."""
    return gzip.decompress(file.data) if file.name.endswith(".gz") else file.data


def text_rows(file: Written) -> int | None:
    """Return the number of rows on which Python's csv and pandas agree; None where one refuses, or they differ."""
    import pandas as pd

    try:
        text = unpacked(file).decode("utf-8-sig")
        if "\0" in text:
            return None
        double = file.escape == file.quote
        signs: dict[str, Any] = {
            "quotechar": file.quote,
            "escapechar": None if double else file.escape,
            "doublequote": double,
        }
        lines = [
            row
            for row in csv.reader(io.StringIO(text, newline=""), delimiter=file.separator, strict=True, **signs)
            if row
        ]
        if len({len(row) for row in lines}) != 1:
            return None
        kept = {"dtype": str, "keep_default_na": False, "index_col": False, "header": 0 if file.header else None}
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            frame = pd.read_csv(io.StringIO(text, newline=""), sep=file.separator, **signs, **kept)
    except Exception:  # whatever a reader raises is its refusal
        return None
    return len(frame) if len(frame) == len(lines) - file.header and len(frame.columns) == len(lines[0]) else None


def parquet_rows(file: Written) -> int | None:
    """Return the number of rows that pyarrow reads, or None where it refuses."""
    import pyarrow.parquet as parquet

    try:
        return int(parquet.read_table(io.BytesIO(file.data)).num_rows)
    except Exception:  # whatever a reader raises is its refusal
        return None


def last_frame(error: BaseException) -> str:
    """Return the place where an error was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def read(path: Path) -> tuple[Any, Outcome]:
    """Return the table and the outcome of reading a file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read_table(path), Outcome("read")
    except (SourceError, TableError) as error:
        message = str(error)
        if "\n" in message or path.name not in message:
            return None, Outcome("bad message", repr(message[:300]))
        return None, Outcome("refused", message)
    except BaseException as error:
        return None, Outcome("traceback", f"{type(error).__name__}: {str(error)[:200]!r} at {last_frame(error)}")


def looked_at(path: Path) -> Outcome:
    """Return the outcome of `chainrule look`."""
    result = CliRunner().invoke(chainrule_command, ["look", str(path), "--json"])
    if result.exception and not isinstance(result.exception, SystemExit):
        return Outcome("traceback of look", f"{result.exception!r:.200} at {last_frame(result.exception)}")
    if result.exit_code == 2 and result.stderr.startswith("chainrule: error: ") and result.stderr.count("\n") == 1:
        return Outcome("refused")
    return Outcome("read") if result.exit_code == 0 else Outcome("bad message of look", result.stderr[:300])


def examined(seed: int, folder: Path) -> Outcome:
    """Return the fate of the file of a seed."""
    file = made(seed)
    path = folder / file.name
    path.write_bytes(file.data)
    table, outcome = read(path)
    if outcome.kind == "read":
        rows = text_rows(file) if file.is_text else parquet_rows(file)
        if file.header and rows == len(table) - 1 and table.columns[0] == "column0":
            return Outcome(HEADER)
        first_is_whole = unpacked(file).startswith(file.first)
        if not file.header and not first_is_whole and rows == len(table) + 1 and table.columns[0] != "column0":
            return Outcome(NAMES)
        if rows is not None and rows != len(table):
            kind = "rows lost" if len(table) < rows else MORE
            return Outcome(kind, f"{len(table)} rows are read, {rows} are there")
        outcome = Outcome("read" if rows is None else "read, as many rows")
    if outcome.kind in FINE and seed % SAMPLE == 0:
        looked = looked_at(path)
        if (looked.kind == "refused") != (outcome.kind == "refused") and looked.kind in FINE:
            return Outcome("look and read_table differ", f"{looked.kind} and {outcome.kind}: {outcome.detail[:200]}")
        outcome = outcome if looked.kind in FINE else looked
    return outcome


def peak() -> int:
    """Return the largest memory of this process so far, in kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def work(seeds: Iterable[int], current: Any, answers: Connection) -> None:
    """Examine the files of some seeds in this process, and send (seed, outcome) for each."""
    resource.setrlimit(resource.RLIMIT_AS, (HARD_LIMIT, HARD_LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the alarm ends the process, whatever runs in it
    before = peak()
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            current.value = seed
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
            outcome = examined(seed, Path(folder))
            signal.setitimer(signal.ITIMER_REAL, 0)
            grown = peak() - before
            if grown > MEMORY:
                answers.send((seed, Outcome("memory", f"{grown // 1024} MB more than before")))
                os._exit(0)  # the peak of a process never falls: another one goes on
            answers.send((seed, outcome))
    answers.send(None)


class Worker:
    """A process that examines every so manieth seed, and is started again where it dies."""

    def __init__(self, seeds: range) -> None:
        self.seeds = seeds
        self.current = multiprocessing.get_context("spawn").Value("q", -1)
        self.start()

    def start(self) -> None:
        """Start a process for the seeds that are left."""
        context = multiprocessing.get_context("spawn")
        self.answers, there = context.Pipe(duplex=False)
        self.process = context.Process(target=work, args=(self.seeds, self.current, there), daemon=True)
        self.process.start()
        there.close()

    def outcomes(self) -> Iterable[tuple[int, Outcome]]:
        """Yield the outcomes that have come; start again after a death."""
        while True:
            try:
                if not self.answers.poll(0.05):
                    return
                answer = self.answers.recv()
            except EOFError:
                self.process.join()
                seed, code = int(self.current.value), self.process.exitcode
                if code:
                    kind = "longer than ten seconds" if code == -signal.SIGALRM else "crash"
                    yield seed, Outcome(kind, f"exit code {code}")
                self.seeds = self.seeds[self.seeds.index(seed) + 1 :] if seed in self.seeds else range(0)
                if not self.seeds:
                    return
                self.start()
                continue
            if answer is None:
                self.seeds = range(0)
                return
            yield answer


def fuzz(files: int, first: int, processes: int) -> tuple[Counter[str], list[tuple[int, Outcome]]]:
    """Return how many files had which outcome, and the offenders."""
    counts: Counter[str] = Counter()
    offenders: list[tuple[int, Outcome]] = []
    workers = [Worker(range(first + k, first + files, processes)) for k in range(processes)]
    while any(worker.seeds for worker in workers):
        for worker in workers:
            for seed, outcome in worker.outcomes() if worker.seeds else ():
                counts[outcome.kind] += 1
                if outcome.kind not in FINE:
                    offenders.append((seed, outcome))
                    click.echo(f"seed {seed}: {outcome.kind}: {outcome.detail}")
    return counts, offenders


@click.command(help=__doc__)
@click.option("--files", default=20_000, show_default=True, type=click.IntRange(1))
@click.option("--seed", default=0, show_default=True, help="of the first file; the next has the next")
@click.option("--processes", default=2, show_default=True, type=click.IntRange(1))
@click.option("--again", type=int, help="examine the file of one seed and keep it in this folder")
def main(files: int, seed: int, processes: int, again: int | None) -> None:
    """Run the search and print its counts."""
    if again is not None:
        outcome = examined(again, Path.cwd())
        click.echo(f"{made(again).name}: {outcome.kind}: {outcome.detail}")
        return
    started = perf_counter()
    counts, offenders = fuzz(files, seed, processes)
    click.echo(f"{sum(counts.values()):,} files in {perf_counter() - started:.0f} s, seeds from {seed}:")
    for kind, count in counts.most_common():
        click.echo(f"  {count:6,}  {kind}")
    sys.exit(any(outcome.kind != MORE for _, outcome in offenders))


if __name__ == "__main__":
    main()
