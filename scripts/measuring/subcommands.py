"""
Scripts of many parts: a subcommand each, which a module describes by its docstring, its arguments and what it runs.
"""

import argparse
from collections.abc import Mapping, Sequence
from typing import Protocol


class Subcommand(Protocol):
    """A module: its docstring's first paragraph says what it does."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it; return the exit status."""
        ...


def run(
    prog: str, description: str | None, subcommands: Mapping[str, Subcommand], argv: Sequence[str] | None = None
) -> int:
    """Run the subcommand that *argv*, the process's own by default, names; return its exit status."""
    parser = argparse.ArgumentParser(prog=prog, description=description)
    choices = parser.add_subparsers(dest="subcommand", required=True, metavar="SUBCOMMAND")
    for name, subcommand in subcommands.items():
        text = (subcommand.__doc__ or "").strip()
        choice = choices.add_parser(name, help=text.partition("\n")[0], description=" ".join(text.split()))
        subcommand.add_arguments(choice)
        choice.set_defaults(run=subcommand.run)
    arguments = parser.parse_args(argv)
    return int(arguments.run(arguments))
