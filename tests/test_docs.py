"""The documentation is true: its tables are those of the code, what it names exists, its examples work."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route

from scripts.local.functions import load_app
from scripts.local.routing import find_functions
from shared.config import SETTINGS
from shared.http.problems import TYPE_PREFIX
from shared.problem_types import problem_types
from shared.request.caller import read_key
from tests.api_calls import CALLS, OTHERS, PREPARED
from tests.pages import PAGES, ROOT, anchors, blocks, code, commands, links, prose, read, section, table

pytestmark = pytest.mark.unmeasured

API, ARCHITECTURE, OPERATING = "docs/api.md", "docs/architecture.md", "docs/operating.md"
DEPLOYING = "docs/deploying.md"
README_BYTES_MAX = 9_000


def first_cells(rows: str) -> list[str]:
    return [row.split(" | ")[0].removeprefix("| ") for row in rows.splitlines() if row.startswith("| `")]


def examples(language: str) -> list[str]:
    """Return the README's ten lines, or what stands with them."""
    return re.findall(rf"```{language}\n(.*?)```", section("README.md", "Ten lines"), re.DOTALL)


def test_the_settings_table_holds_every_setting_and_its_default() -> None:
    rows = dict(re.findall(r"^\| `(WARMTHREAD_\w+)` \| (\S+) \|", table(OPERATING, "settings"), re.MULTILINE))
    platforms = {"deployment", "function_memory_mb"}  # These two it sets by itself.
    expected = {
        variable: str(setting.default)
        for field, setting in SETTINGS.items()
        for variable in setting.names(field)
        if setting.default not in (None, "")
    }

    assert rows == {name: default for name, default in expected.items() if name.startswith("WARMTHREAD_")}
    for field, setting in SETTINGS.items():
        for variable in setting.names(field):
            assert field in platforms or f"`{variable}`" in table(OPERATING, "settings")


def test_the_problems_table_holds_every_problem_and_its_status() -> None:
    rows = dict(re.findall(r"^\| `([\w-]+)` \| (\d+) \|", table(API, "problems"), re.MULTILINE))
    raised = {each.slug: str(each.status) for each in problem_types()}
    starlettes = {"method-not-allowed": "405", "internal-error": "500"}

    assert rows == raised | starlettes
    assert TYPE_PREFIX in section(API, "Problems")


def test_the_routes_table_holds_every_route() -> None:
    documented = {re.sub(r"\{\w+\}", "{}", cell.strip("`")) for cell in first_cells(table(API, "routes"))}
    served = set()
    for path, name in find_functions(ROOT).values():
        app: Any = load_app(ROOT, path, name)
        for route in app.routes:
            assert isinstance(route, Route)
            methods = (route.methods or set()) - {"HEAD"}
            served |= {f"{method} {re.sub(r'{\w+(:path)?}', '{}', route.path)}" for method in methods}

    assert documented == served


BILLED = {
    "POST /v1/conversations": ["create", "create_as"],
    "GET /v1/conversations": ["list", "list_after", "list_user", "list_user_and_agent"],
    "GET /v1/conversations/{id}": ["retrieve", "retrieve_again"],
    "POST /v1/conversations/{id}": ["update", "update_shorter"],
    "DELETE /v1/conversations/{id}": ["delete"],
    "POST /v1/conversations/{id}/items": ["append", "append_settling", "append_context", "append_context_again"],
    "GET /v1/conversations/{id}/items": ["page", "page_again"],
    "GET /v1/conversations/{id}/items/{item_id}": ["item", "item_again"],
    "DELETE /v1/conversations/{id}/items/{item_id}": ["delete_item", "delete_item_summarised"],
    "GET /v1/conversations/{id}/context": ["context", "context_again"],
    "POST /v1/conversations/{id}/fork": ["fork", "fork_after"],
    "GET /v1/conversations/{id}/summary": ["summary_read"],
    "POST /v1/conversations/{id}/summary": ["summary", "summary_again"],
    "DELETE /v1/conversations/{id}/summary": ["summary_deleted"],
    "POST /v1/conversations/{id}/compact": ["compact", "compact_sparse"],
    "POST /v1/conversations/{id}/context": ["context", "reserving"],
    "POST /v1/tokens/count": ["count"],
    "POST /v1/reservations": ["reserve"],
    "POST /v1/reservations/{id}/settle": ["settle"],
    "DELETE /v1/reservations/{id}": ["release"],
    "GET /v1/usage": ["usage"],
    "GET /v1/documents/{path}": ["document_held"],
    "GET /v1/documents": ["document_listed"],
    "PUT /v1/documents/{path}": ["document_written", "document_made", "document_keyed"],
    "DELETE /v1/documents/{path}": ["document_deleted", "document_keyed"],
}
"""Route -> the calls of test_round_trips.py that its row names the commands of, in order."""


def test_the_routes_table_names_the_commands_that_the_store_counts() -> None:
    counted = {name: commands for name, (commands, _) in (CALLS | PREPARED).items()}
    counted |= OTHERS
    rows = [row.strip("| ").split(" | ") for row in table(API, "routes").splitlines() if row.startswith("| `")]
    routes = [re.sub(r"\{(?:conversation|reservation)_id\}", "{id}", row[0].strip("`")) for row in rows]
    billed = [[int(number) for number in re.findall(r"(?:^|; )(\d+)", row[-1])] for row in rows]
    named = dict(zip(routes, billed, strict=True))

    assert {route: named[route] for route in BILLED} == {
        route: [counted[name] for name in names] for route, names in BILLED.items()
    }


@pytest.fixture
def here(service_url: str, key: str) -> dict[str, str]:
    """What to put in the place of the README's address and key."""
    return {"http://127.0.0.1:3000": service_url, "wt_dev_local": key}


def localised(text: str, here: dict[str, str]) -> str:
    for there, ours in here.items():
        assert there in text
        text = text.replace(there, ours)
    return text


def without_ids(value: Any) -> Any:
    return json.loads(re.sub(r"(conv|msg)_[0-9a-f…]+", r"\1_", json.dumps(value, ensure_ascii=False)))


def test_the_ten_lines_print_what_the_readme_shows(here: dict[str, str]) -> None:
    [script], [shown] = examples("sh"), examples("json")
    printed = subprocess.run(["sh", "-c", localised(script, here)], capture_output=True, text=True, check=True).stdout

    assert without_ids(json.loads(printed)) == without_ids(json.loads(shown))


def test_the_python_example_runs(here: dict[str, str]) -> None:
    [example] = examples("python")
    run = subprocess.run(
        [sys.executable, "-c", localised(example, here)], capture_output=True, text=True, check=True, timeout=60
    )

    assert [line.split()[0] for line in run.stdout.splitlines()] == ["message", "message"]


def test_keys_are_made_listed_and_revoked_as_the_page_says(service_url: str, api: Any) -> None:
    [command] = [each.text for each in blocks(DEPLOYING) if each.is_run and "scripts/keys create" in each.text]

    def keys(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "scripts.local.keys", *arguments],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env=dict(os.environ),
        ).stdout.strip()

    assert command.split()[0] == "scripts/keys"
    key = keys(*command.split()[1:])
    made = json.loads(keys("create", "acme", "--json"))
    authorization = {"authorization": f"Bearer {key}"}
    assert read_key(key).tenant == made["tenant"] == "acme"
    assert api.get("/v1/conversations", headers=authorization).status_code == 200
    assert set(keys("list", "acme").split()) >= {read_key(key).key_hash, read_key(made["key"]).key_hash}
    keys("revoke", key)
    keys("revoke", read_key(made["key"]).key_hash, "--tenant", "acme")
    assert api.get("/v1/conversations", headers=authorization).status_code == 401


SCRIPTS = {path.name for path in (ROOT / "scripts").iterdir() if os.access(path, os.X_OK) and path.is_file()}
PATH = re.compile(r"(?:api|aws|docs|public|scripts|shared|tests|\.ci)/[\w./-]*")
FILE = re.compile(r"[\w-]+\.(?:lua|py)")
CALL = re.compile(r"\w+\(\)")
DEFINED = re.compile(r"^ *(?:(?:async )?def|class) (\w+)", re.MULTILINE)


def found(name: str) -> list[Path]:
    """Return the files with *name*, wherever they are."""
    folders = ("api", "aws", "scripts", "shared", "tests")
    return [path for folder in folders for path in (ROOT / folder).rglob(name)]


def test_every_script_is_explained_and_every_one_that_is_named_exists() -> None:
    named = {command.script for page in PAGES for command in commands(page)}

    assert named == SCRIPTS


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_a_page_names_exists(page: str) -> None:
    named = {each for each in code(page) if PATH.fullmatch(each)}
    files = {each for each in code(page) if FILE.fullmatch(each)}

    assert {each for each in named if not (ROOT / each).exists()} == set()
    assert {each for each in files if not found(each)} == set()


def test_the_map_names_functions_where_they_are_defined() -> None:
    """Of each row that names `function()`, a file named in it defines that function, or class."""
    named, lost = 0, []
    for row in (line for line in read(ARCHITECTURE).splitlines() if line.startswith("|")):
        spans = re.findall(r"`([^`]+)`", row)
        files = [path for span in spans for path in (found(span) if FILE.fullmatch(span) else [ROOT / span])]
        defined = {name for path in files if path.is_file() for name in DEFINED.findall(path.read_text())}
        names = {span.removesuffix("()") for span in spans if CALL.fullmatch(span)}
        named += len(names)
        lost += sorted(names - defined)

    assert lost == []
    assert named > 40


def test_the_map_names_every_room() -> None:
    rooms = {f"shared/{path.name}" for path in (ROOT / "shared").iterdir() if path.suffix == ".py"} | {"aws/"}
    for folder in ("shared", "scripts"):
        rooms |= {f"{folder}/{path.name}/" for path in (ROOT / folder).iterdir() if any(path.glob("**/*.py"))}

    assert rooms <= set(code(ARCHITECTURE))


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    broken = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        name = str(target.resolve().relative_to(ROOT)) if ":" not in link else ""
        if name and not (target.exists() and (not anchor or anchor in anchors(name))):
            broken.append(link)

    assert broken == []


def test_a_link_to_a_place_that_is_not_there_would_be_found() -> None:
    assert "what-a-failover-loses" in anchors(OPERATING)
    assert "what-a-failover-finds" not in anchors(OPERATING)


def test_the_readme_is_read_in_one_sitting_and_names_every_page() -> None:
    assert len(read("README.md").encode()) <= README_BYTES_MAX
    assert set(PAGES) - {"README.md"} <= set(links("README.md"))


def test_the_readme_has_a_reason_for_each_dependency() -> None:
    files = [(ROOT / name).read_text() for name in ("requirements.txt", "requirements-aws.txt", "requirements-dev.txt")]
    wanted = {name for text in files for name in re.findall(r"^([\w-]+)(?:\[.*\])?==", text, re.MULTILINE)}
    cells = re.findall(r"\*\*([\w-]+)\*\*|^\| ([\w-]+) \|", section("README.md", "Dependencies"), re.MULTILINE)

    assert {bold or cell for bold, cell in cells} == wanted


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/")])
def test_a_page_opens_with_what_is_too_long_to_read(page: str) -> None:
    title, summary = prose(page).split("\n\n")[:2]

    assert title.startswith("# ")
    assert summary.startswith("**TL;DR**")
    assert 1 <= len(re.findall(r"[.!?](?=\s|$)", summary)) <= 3


def test_hooks_before_a_commit_are_local_and_call_what_is_there() -> None:
    text = read(".pre-commit-config.yaml")
    entries = [entry.split() for entry in re.findall(r"^ +entry: (.+)$", text, re.MULTILINE)]
    modules = [entry[2] for entry in entries if entry[:2] == [".venv/bin/python", "-m"]]
    scripts = {entry[0].removeprefix("scripts/") for entry in entries if entry[0].startswith("scripts/")}

    assert re.findall(r"repo: (\S+)", text) == ["local"]
    assert len(modules) + len(scripts) == len(entries) == text.count("- id: ")
    assert all(map(find_spec, modules))
    assert scripts <= SCRIPTS
    assert {word for entry in entries for word in entry if word.endswith(".py")} == {"tests/test_layers.py"}
