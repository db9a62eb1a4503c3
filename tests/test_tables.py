"""The tables of the docs are those of the code, and say what is true of it."""

import re
from pathlib import Path

import pytest

from scripts.docs.__main__ import main
from scripts.docs.tables import TABLES
from scripts.openapi.document import document
from scripts.openapi.routes import routes
from shared.config import SETTINGS
from shared.problem_types import problem_types
from shared.request.roles import ROLES
from tests.api_calls import CALLS, OTHERS, PREPARED

PAGE = """# Title

<!-- table: problems -->
| problem | status |
<!-- end of table -->

Between.

<!-- table: parameters context -->

<!-- end of table -->
"""

BILLED = {
    "create": ["create", "create_as"],
    "list": ["list", "list_after", "list_user", "list_user_and_agent"],
    "retrieve": ["retrieve", "retrieve_again"],
    "update": ["update", "update_shorter"],
    "export": ["export"],
    "delete": ["delete"],
    "append": ["append", "append_settling", "append_context", "append_context_again"],
    "items": ["page", "page_again"],
    "item": ["item", "item_again"],
    "delete_item": ["delete_item", "delete_item_summarised"],
    "context": ["context", "context_again"],
    "fork": ["fork", "fork_after"],
    "summarise": ["summary", "summary_again"],
    "summary": ["summary_read"],
    "delete_summary": ["summary_deleted"],
    "compact": ["compact", "compact_sparse"],
    "context_for_call": ["context", "reserving"],
    "count": ["count"],
    "reserve": ["reserve"],
    "settle": ["settle"],
    "release": ["release"],
    "usage": ["usage"],
    "document": ["document_held"],
    "list_documents": ["document_listed"],
    "put_document": ["document_written", "document_made", "document_keyed"],
    "delete_document": ["document_deleted", "document_keyed"],
}
"""Operation -> the calls of test_round_trips.py whose commands its declaration names, in order."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("No table.")
    (tmp_path / "docs" / "page.md").write_text(PAGE)
    return tmp_path


def test_no_table_of_the_docs_is_stale(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().out


def test_a_stale_table_is_named_and_nothing_is_written(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"], root) == 1
    assert capsys.readouterr().out.splitlines() == [
        "docs/page.md: problems is stale; run scripts/tables",
        "docs/page.md: parameters context is stale; run scripts/tables",
    ]
    assert (root / "docs" / "page.md").read_text() == PAGE


def test_written_tables_are_not_stale_and_the_text_around_them_stays(root: Path) -> None:
    assert main([], root) == 0
    assert main(["--check"], root) == 0
    text = (root / "docs" / "page.md").read_text()
    assert re.sub(r"-->\n.*?<!-- end", "-->\n<!-- end", text, flags=re.DOTALL) == re.sub(
        r"-->\n.*?<!-- end", "-->\n<!-- end", PAGE, flags=re.DOTALL
    )
    assert "| `budget` | query | 1 to 100,000,000 |" in text


@pytest.mark.parametrize("name", ["no_such_table", "parameters no_such_route"])
def test_an_unknown_table_is_an_error(root: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    (root / "README.md").write_text(f"<!-- table: {name} -->\n<!-- end of table -->\n")

    assert main([], root) == 2
    assert name.split()[-1] in capsys.readouterr().err


def test_every_route_setting_and_problem_has_its_row() -> None:
    for path, methods in document()["paths"].items():
        for method in methods:
            assert f"| `{method.upper()} {path}` |" in TABLES["routes"]()
    for field, setting in SETTINGS.items():
        for variable in setting.names(field):
            assert f"`{variable}`" in TABLES["settings"]()
    for problem in problem_types():
        assert f"| `{problem.slug}` | {problem.status} | " in TABLES["problems"]()


def test_every_route_says_which_role_it_takes() -> None:
    paths, rows = document()["paths"], TABLES["routes"]().splitlines()
    by_role = {row.split("`")[1]: row for row in TABLES["roles"]().splitlines()[2:]}

    assert tuple(by_role) == ROLES
    for route in routes():
        named, told = f"`{route.method} {route.template}`", paths[route.template][route.method.lower()]
        [row] = [row for row in rows if row.startswith(f"| {named} |")]
        takes = {role: row.count(f"{named},") + row.count(f"{named} |") for role, row in by_role.items()}
        assert takes == {role: int(role == route.role) for role in ROLES}
        assert ("403" in told["responses"]) == bool(route.role)
        if route.role:
            assert told["security"] == [{"key": [route.role]}]
            assert f"It takes a key of the role `{route.role}`" in told["description"]
            assert f"| a key, `{route.role}`" in row
        for name, role in route.role_with:
            assert f"with `{name}`, `{role}`" in told["description"]
            assert f", `{role}` with `{name}` |" in row
            assert f"{named} with `{name}`" in by_role[role]


def test_routes_name_the_commands_that_the_store_counts() -> None:
    counted = {name: commands for name, (commands, _) in (CALLS | PREPARED).items()}
    counted |= OTHERS
    named = {
        route.operation: [int(number) for number in re.findall(r"(?:^|; )(\d+)", route.billed)] for route in routes()
    }

    assert {name: named[name] for name in BILLED} == {
        name: [counted[call] for call in calls] for name, calls in BILLED.items()
    }


def test_a_module_of_the_dashboard_is_written_anew_where_it_is_stale(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "README.md").write_text("No table.\n")
    module = tmp_path / "public/dashboard/reasons.js"
    module.parent.mkdir(parents=True)
    module.write_text("old")

    assert main(["--check"], tmp_path) == 1
    assert capsys.readouterr().out == "public/dashboard/reasons.js is stale; run scripts/tables\n"
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    assert '"over-budget": "older than all that fits",' in module.read_text()
