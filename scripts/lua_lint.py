"""
Lint of the Lua scripts as they are sent, each assembled with all its parts, for a caller with and without a permit.

    python -m scripts.lua_lint     prints what is wrong, by file and line; exits with 1 when anything is

Wrong is: what does not parse; a name that is neither local nor given by the store; an assignment to a global, which the
store refuses when it comes to it; a local name that is never read, unless it begins with `_` (a part's name, when no
script reads it); a local name that hides another; a part that no script includes; a line that is too long.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import tree_sitter_lua
from tree_sitter import Language, Node, Parser

from shared.store.script import FOLDER, Scripts

LINE_CHARS_MAX = 120
GIVEN = {
    *("ARGV", "KEYS", "cjson", "redis"),
    *("assert", "error", "getmetatable", "ipairs", "math", "next", "pairs", "pcall", "select", "setmetatable"),
    *("string", "table", "tonumber", "tostring", "type", "unpack"),
}
"""The globals that a script may count on, in Redis, in Valkey and at Upstash."""

Place = tuple[str, int]

NAMES_MAX = 196
"""Of one function at the same time: Lua compiles 200, and the one around a script that takes permits has some more."""


class Finding(NamedTuple):
    """Something wrong at *row* of a source. *is_unused*: it may be right in another source."""

    row: int
    text: str
    is_unused: bool = False


class Variable:
    """A local name, declared at *row*."""

    def __init__(self, name: str, row: int) -> None:
        self.name = name
        self.row = row
        self.is_read = False


class Resolver:
    """Walks the syntax tree of one source and says which names are wrong."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._scopes: list[dict[str, Variable]] = []
        self._visits: dict[str, Callable[[Node], None]] = {
            "identifier": self._read,
            "block": self._block,
            "variable_declaration": self._local,
            "assignment_statement": self._assign,
            "function_declaration": self._named_function,
            "function_definition": self._function,
            "for_statement": self._for,
            "repeat_statement": self._repeat,
            "dot_index_expression": self._index,
            "method_index_expression": self._index,
            "field": self._field,
        }

    def resolve(self, root: Node) -> None:
        self._open()
        self._visit_all(root.named_children)
        self._close()

    def _visit(self, node: Node) -> None:
        if node.is_error or node.is_missing:
            self._find(node.start_point.row, "does not parse.")
        visit = self._visits.get(node.type)
        if visit:
            visit(node)
        else:
            self._visit_all(node.named_children)

    def _visit_all(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            self._visit(node)

    def _find(self, row: int, text: str, *, is_unused: bool = False) -> None:
        self.findings.append(Finding(row, text, is_unused))

    def _open(self) -> None:
        self._scopes.append({})

    def _close(self) -> None:
        if len(self._scopes[-1]) > NAMES_MAX:
            last = max(variable.row for variable in self._scopes[-1].values())
            self._find(last, f"{len(self._scopes[-1])} local names at once; {NAMES_MAX} are the limit.")
        for variable in self._scopes.pop().values():
            self._check_read(variable)

    def _check_read(self, variable: Variable) -> None:
        if not variable.is_read and not variable.name.startswith("_"):
            self._find(variable.row, f"{variable.name} is never read.", is_unused=True)

    def _known(self, name: str) -> Variable | None:
        return next((scope[name] for scope in reversed(self._scopes) if name in scope), None)

    def _declare(self, node: Node) -> None:
        name, row = _text(node), node.start_point.row
        if not name.startswith("_") and self._known(name):
            self._find(row, f"{name} hides another {name}.")
        if hidden := self._scopes[-1].get(name):
            self._check_read(hidden)
        self._scopes[-1][name] = Variable(name, row)

    def _read(self, node: Node) -> None:
        name = _text(node)
        if variable := self._known(name):
            variable.is_read = True
        elif name not in GIVEN:
            self._find(node.start_point.row, f"{name} is not defined.")

    def _block(self, node: Node) -> None:
        self._open()
        self._visit_all(node.named_children)
        self._close()

    def _local(self, node: Node) -> None:
        for child in node.named_children:
            lists = child.named_children if child.type == "assignment_statement" else [child]
            # What is assigned does not see the names yet.
            self._visit_all(each for each in lists if each.type != "variable_list")
            for names in lists:
                if names.type == "variable_list":
                    for name in names.children_by_field_name("name"):
                        self._declare(name)

    def _assign(self, node: Node) -> None:
        targets, values = node.named_children
        self._visit(values)
        for target in targets.named_children:
            self._write(target)

    def _write(self, target: Node) -> None:
        if target.type != "identifier":
            self._visit(target)
        elif not self._known(_text(target)):
            self._find(target.start_point.row, f"{_text(target)} is a global, and is assigned to.")

    def _named_function(self, node: Node) -> None:
        name = _field(node, "name")
        if node.children[0].type == "local":
            self._declare(name)
        else:
            self._write(name)
        self._function(node)

    def _function(self, node: Node) -> None:
        self._open()
        for name in _field(node, "parameters").children_by_field_name("name"):
            self._declare(name)
        if body := node.child_by_field_name("body"):
            self._visit(body)
        self._close()

    def _for(self, node: Node) -> None:
        clause = _field(node, "clause")
        names = [each for each in clause.named_children if each.type == "variable_list"]
        declared = names[0].children_by_field_name("name") if names else clause.children_by_field_name("name")
        self._visit_all(each for each in clause.named_children if each not in names and each not in declared)
        self._open()
        for name in declared:
            self._declare(name)
        if body := node.child_by_field_name("body"):
            self._visit(body)
        self._close()

    def _repeat(self, node: Node) -> None:
        self._open()
        # What the condition names may be local to the body.
        for child in node.named_children:
            self._visit_all(child.named_children) if child.type == "block" else self._visit(child)
        self._close()

    def _index(self, node: Node) -> None:
        self._visit(_field(node, "table"))

    def _field(self, node: Node) -> None:
        name, value = node.child_by_field_name("name"), _field(node, "value")
        if name and node.children[0].type == "[":
            self._visit(name)
        self._visit(value)


def _text(node: Node) -> str:
    return (node.text or b"").decode()


def _field(node: Node, name: str) -> Node:
    found = node.child_by_field_name(name)
    assert found is not None, f"{node.type} without {name}"
    return found


def lint(folder: Path) -> list[str]:
    """Return what is wrong with the scripts in *folder*, as lines `file:line: what`. Raises ScriptError."""
    return sorted([*_wrong_names(Scripts(folder)), *_wrong_lines(folder)])


def _wrong_names(scripts: Scripts) -> Iterator[str]:
    parser = Parser(Language(tree_sitter_lua.language()))
    wrong: set[tuple[Place, str]] = set()
    unread: Counter[tuple[Place, str]] = Counter()
    sources_of: Counter[str] = Counter()
    for name in scripts.names():
        for takes_permits in (False, True) if scripts.asks_for_key(name) else (False,):
            files = scripts.files(name, takes_permits=takes_permits)
            places = [(file.name, number) for file in files for number in file.code]
            # The first line says how to run it, and is no Lua.
            source = "\n".join(["", *scripts.source(name, takes_permits=takes_permits).split("\n")[1:]])
            resolver = Resolver()
            resolver.resolve(parser.parse(source.encode()).root_node)
            sources_of.update(file.name for file in files)
            found = {(places[each.row], each.text, each.is_unused) for each in resolver.findings}
            wrong |= {(place, text) for place, text, is_unused in found if not is_unused}
            unread.update((place, text) for place, text, is_unused in found if is_unused)
    wrong |= {(place, text) for (place, text), count in unread.items() if count == sources_of[place[0]]}
    yield from (f"{file}:{number}: {text}" for (file, number), text in wrong)
    yield from (
        f"{name}.lua:1: no script includes this part." for name in scripts.parts() if f"{name}.lua" not in sources_of
    )


def _wrong_lines(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*.lua"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if len(line) > LINE_CHARS_MAX:
                yield f"{path.name}:{number}: {len(line)} characters; {LINE_CHARS_MAX} are the limit."


def main() -> None:
    wrong = lint(FOLDER)
    print("\n".join(wrong) or "Lua: nothing wrong.")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
