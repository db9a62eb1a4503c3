"""
Scripts of many parts: a subcommand each, which a module describes by its docstring, its arguments and what it runs.

Only the module that is asked for is imported: together they import all that the tests do, seconds long.
"""

import argparse
import ast
import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, cast


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
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog=prog, description=description)
    choices = parser.add_subparsers(dest="subcommand", required=True, metavar="SUBCOMMAND")
    for name, module in subcommands.items():
        text = _docstring(module)
        choice = choices.add_parser(name, help=text.partition("\n")[0], description=" ".join(text.split()))
        if name in argv[:1]:
            subcommand = cast(Subcommand, importlib.import_module(module))
            subcommand.add_arguments(choice)
            choice.set_defaults(run=subcommand.run)
    arguments = parser.parse_args(argv)
    return int(arguments.run(arguments))


def _docstring(module: str) -> str:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return (ast.get_docstring(ast.parse(Path(spec.origin).read_text())) or "").strip()
