"""The README is true: its tables are those of the code, its commands work as they stand."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route

from scripts.local.functions import find_functions, load_app
from shared import errors
from shared.config import SETTINGS
from shared.http.problems import TYPE_PREFIX
from shared.request.caller import read_key
from tests.test_round_trips import CALLS, DOCUMENT_HELD, PREPARED, RESERVING

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def first_cells(title: str) -> list[str]:
    rows = [line for line in section(title).splitlines() if line.startswith("| `")]
    return [row.split(" | ")[0].removeprefix("| ") for row in rows]


def blocks(title: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", section(title), re.DOTALL)


def test_the_settings_table_holds_every_setting_and_its_default() -> None:
    rows = dict(re.findall(r"^\| `(WARMTHREAD_\w+)` \| (\S+) \|", section("Settings"), re.MULTILINE))
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
            assert field in platforms or f"`{variable}`" in section("Settings")


def test_the_problems_table_holds_every_problem_and_its_status() -> None:
    rows = dict(re.findall(r"^\| `([\w-]+)` \| (\d+) \|", section("Problems"), re.MULTILINE))
    raised = {each.slug: str(each.status) for each in errors.ServiceError.__subclasses__()}
    starlettes = {"method-not-allowed": "405", "internal-error": "500"}

    assert rows == raised | starlettes
    assert TYPE_PREFIX in section("Problems")


def test_the_routes_table_holds_every_route() -> None:
    documented = {re.sub(r"\{\w+\}", "{}", cell.strip("`")) for cell in first_cells("Routes")}
    served = set()
    for path, name in find_functions(ROOT).values():
        app: Any = load_app(ROOT, path, name)
        for route in app.routes:
            assert isinstance(route, Route)
            methods = (route.methods or set()) - {"HEAD"}
            served |= {f"{method} {re.sub(r'{\w+(:path)?}', '{}', route.path)}" for method in methods}

    assert documented == served


BILLED = {
    "POST /v1/conversations": ["create"],
    "GET /v1/conversations": ["list", "list_after"],
    "GET /v1/conversations/{id}": ["retrieve"],
    "POST /v1/conversations/{id}": ["update"],
    "DELETE /v1/conversations/{id}": ["delete"],
    "POST /v1/conversations/{id}/items": ["append", "append_settling"],
    "GET /v1/conversations/{id}/items": ["page"],
    "GET /v1/conversations/{id}/items/{item_id}": ["item"],
    "DELETE /v1/conversations/{id}/items/{item_id}": ["delete_item"],
    "GET /v1/conversations/{id}/context": ["context", "context_again"],
    "POST /v1/conversations/{id}/fork": ["fork", "fork_after"],
    "POST /v1/conversations/{id}/summary": ["summary"],
    "POST /v1/conversations/{id}/compact": ["compact", "compact_sparse"],
    "POST /v1/conversations/{id}/context": ["context", "reserving"],
    "POST /v1/tokens/count": ["count"],
    "POST /v1/reservations": ["reserve"],
    "POST /v1/reservations/{id}/settle": ["settle"],
    "DELETE /v1/reservations/{id}": ["release"],
    "GET /v1/usage": ["usage"],
    "GET /v1/documents/{path}": ["document_held"],
}
"""Route -> the calls of test_round_trips.py that its row names the commands of, in order."""


def test_the_routes_table_names_the_commands_that_the_store_counts() -> None:
    counted = {name: commands for name, (commands, _) in (CALLS | PREPARED).items()}
    counted |= {"reserving": RESERVING, "document_held": DOCUMENT_HELD}
    rows = [row.strip("| ").split(" | ") for row in section("Routes").splitlines() if row.startswith("| `")]
    named = {row[0].strip("`"): [int(number) for number in re.findall(r"(?:^|; )(\d+)", row[-1])] for row in rows}

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
    [script], [shown] = blocks("Ten lines", "sh"), blocks("Ten lines", "json")
    printed = subprocess.run(["sh", "-c", localised(script, here)], capture_output=True, text=True, check=True).stdout

    assert without_ids(json.loads(printed)) == without_ids(json.loads(shown))


def test_the_python_example_runs(here: dict[str, str]) -> None:
    [example] = blocks("Ten lines", "python")
    run = subprocess.run(
        [sys.executable, "-c", localised(example, here)], capture_output=True, text=True, check=True, timeout=60
    )

    assert [line.split()[0] for line in run.stdout.splitlines()] == ["message", "message"]


def test_keys_are_made_listed_and_revoked_as_the_readme_says(service_url: str, api: Any) -> None:
    [command] = blocks("Deploying", "sh")

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


def test_every_script_that_the_docs_name_exists_and_explains_itself() -> None:
    pages = [README, *(path.read_text() for path in (ROOT / "docs").glob("*.md"))]
    named = set(re.findall(r"`?(scripts/[\w-]+)", "\n".join(pages)))

    assert named == {
        str(path.relative_to(ROOT))
        for path in (ROOT / "scripts").iterdir()
        if os.access(path, os.X_OK) and path.is_file()
    }
