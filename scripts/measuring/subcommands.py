"""
Scripts of many parts: a subcommand each, which a module describes by its docstring, its arguments and what it runs.

Only the module that is asked for is imported: together they import all that the tests do, seconds long. A signal that
comes meanwhile is noted: one that has ENDS_IN_ORDER makes a `Stop` and finds it there, another does not begin.
"""

import argparse
import ast
import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, cast

from scripts.local.signals import INTERRUPTED, Stop


class Subcommand(Protocol):
    """A module: its docstring's first paragraph says what it does."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it; return the exit status."""
        ...


def run(prog: str, description: str | None, subcommands: Mapping[str, str], argv: Sequence[str] | None = None) -> int:
    """
    Run the subcommand that *argv*, the process's own by default, names first; return its exit status.

    subcommands   name -> its module
    """
    stop = Stop()
    try:
        arguments = _parsed(prog, description, subcommands, sys.argv[1:] if argv is None else argv)
        if not arguments.ends_in_order:
            if stop.requested:
                print("interrupted before it began", file=sys.stderr)
                return INTERRUPTED
            stop.undo()
        return int(arguments.run(arguments))
    finally:
        stop.undo()


def _parsed(
    prog: str, description: str | None, subcommands: Mapping[str, str], argv: Sequence[str]
) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=prog, description=description)
    choices = parser.add_subparsers(dest="subcommand", required=True, metavar="SUBCOMMAND")
    for name, module in subcommands.items():
        text = _docstring(module)
        choice = choices.add_parser(name, help=text.partition("\n")[0], description=" ".join(text.split()))
        if name in argv[:1]:
            subcommand = cast(Subcommand, importlib.import_module(module))
            subcommand.add_arguments(choice)
            choice.set_defaults(run=subcommand.run, ends_in_order=getattr(subcommand, "ENDS_IN_ORDER", False))
    return parser.parse_args(argv)


def _docstring(module: str) -> str:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return (ast.get_docstring(ast.parse(Path(spec.origin).read_text())) or "").strip()
