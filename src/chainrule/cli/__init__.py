"""The command line: `chainrule look`, `train`, `race`, `find-lr`, `predict`, `evaluate`, `summary`, and others.

Commands are imported when they are asked for: `chainrule --help` needs none of them. A user's mistake ends every
command the same way, here: one line on stderr that starts with "chainrule: error:", exit code 2, no traceback.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Any

import click

__all__ = ["main"]

COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "look": ("look:look", "Show how a table is read: dialect, columns, gaps, what is left out."),
        "train": ("train:train", "Train a network on a data set, test it, and save it."),
        "race": ("race:race", "Race solvers on a data set: the same start, so many seconds each."),
        "find-lr": ("find_lr:find_lr", "Find a learning rate for a data set by a short training."),
        "predict": ("use:predict", "Predict with a saved model."),
        "evaluate": ("use:evaluate", "Test a saved model on data that it has not seen."),
        "summary": ("inspect:summary", "Say what a saved model is and how it was trained."),
        "check-gradients": ("inspect:check_gradients", "Check every derivative against finite differences."),
        "info": ("inspect:info", "Say which versions, engines and processors there are."),
    }
)
"""Each command: where it is, and its line in `chainrule --help`."""

INTERRUPTED = 130
"""The exit code of a command stopped by Ctrl-C, as shells have it."""


class Commands(click.Group):
    """The group of commands: imports them late, and ends them all alike."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(import_module(f".{module}", __package__), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def main(  # type: ignore[override]  # click overloads it by standalone_mode, which is always the same here
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> Any:
        """Run a command and exit: 0, 1 for a check that failed, 2 for a user's mistake, 130 for Ctrl-C."""
        extra["standalone_mode"] = False
        try:
            code = super().main(args, "chainrule", **extra)
            sys.stdout.flush()
        except click.Abort:
            code = _complain("stopped", INTERRUPTED)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            code = 2
        except click.UsageError as error:
            command = error.ctx.command_path if error.ctx else "chainrule"
            code = _complain(f"error: {error.format_message().rstrip('.')}. See {command} --help", 2)
        except BrokenPipeError:
            code = _unheard()
        except (click.ClickException, ValueError, OSError, MemoryError) as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                code = _unheard()
            else:
                code = _complain(f"error: {_words(error)}", 2)
        sys.exit(code if isinstance(code, int) else 0)


def _words(error: Exception) -> str:
    """Return the words of an error, on one line."""
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, MemoryError):
        return f"not enough memory: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    text = str(error)
    cause = text.find("training diverged at")
    return text[cause:] if cause > 0 else text


def _complain(words: str, code: int) -> int:
    click.echo(f"chainrule: {' '.join(words.split())}", err=True)
    return code


def _unheard() -> int:
    """Nobody reads on, as in `chainrule predict ... | head`: end quietly."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def version() -> str:
    """Return the installed version."""
    from importlib import metadata  # slow to import, and seldom asked for

    return metadata.version("chainrule")


def _show_version(ctx: click.Context, parameter: click.Parameter, given: bool) -> None:
    if given:
        click.echo(f"chainrule {version()}")
        ctx.exit()


@click.group(cls=Commands, name="chainrule", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="The version.")
def main() -> None:
    """Train multilayer perceptrons on tables and images, and use them.

    \b
    chainrule look table.csv
    chainrule train digits
    chainrule train table.csv --target price --out model.safetensors
    chainrule predict model.safetensors new.csv --out predictions.csv
    """
