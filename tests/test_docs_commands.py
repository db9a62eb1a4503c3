"""Every command in the documentation works as it stands, and prints what is shown behind it."""

import contextlib
import io
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from shared.request.caller import read_key
from shared.store import keys
from tests.pages import PAGES, ROOT, Block, Command, blocks, commands

pytestmark = pytest.mark.unmeasured

KEY = "wt_dev_local"
"""What `scripts/dev` mints."""

SEPARATOR = "\x1e"
TIMES = frozenset({"created_at", "expires_at", "last_active_at", "resets_at", "window"})
OF_OTHERS = frozenset({"stored"})
"""What depends on the pages that were run before."""

RUN = [page for page in PAGES if any(block.is_run for block in blocks(page))]
STARTED = sorted({command for page in PAGES for command in commands(page)})


@pytest.fixture
def environ(
    service_url: str, documents_folder: Path, run: Callable[..., Any], fresh_crons: None
) -> Iterator[dict[str, str]]:
    """An environment in which the tenant of `scripts/dev` has its key; what to put in whose place."""
    caller = read_key(KEY)
    run("HSETNX", keys.TENANTS_KEY, caller.tenant, "")
    run("HSET", keys.tenant_key(caller.tenant), f"k:{caller.key_hash}", "0")
    yield {"http://127.0.0.1:3000": service_url, ".warmthread/documents": str(documents_folder)}
    run("DEL", keys.tenant_key(caller.tenant))
    shutil.rmtree(documents_folder / caller.tenant, ignore_errors=True)


def printed_by(page: str, environ: dict[str, str]) -> list[str]:
    """Run the blocks of *page* in one shell, as a reader would, and return what each printed."""
    run = [block for block in blocks(page) if block.is_run]
    script = f"printf '{SEPARATOR}'\n".join(block.text for block in run)
    for there, here in environ.items():
        script = script.replace(there, here)
    done = subprocess.run(
        ["sh", "-euc", script],
        check=False,  # What it complained of is told below.
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    return done.stdout.split(SEPARATOR)


def is_alike(shown: Any, got: Any) -> bool:
    """Tell whether *got* is what is *shown*, where an ellipsis stands for anything, and times are any."""
    if isinstance(shown, dict) and isinstance(got, dict):
        return shown.keys() == got.keys() and all(
            (type(got[name]) is type(shown[name])) if name in TIMES | OF_OTHERS else is_alike(shown[name], got[name])
            for name in shown
        )
    if isinstance(shown, list) and isinstance(got, list):
        return len(shown) == len(got) and all(map(is_alike, shown, got))
    if isinstance(shown, str) and isinstance(got, str):
        pattern = ".*".join(map(re.escape, shown.split("…")))
        return re.fullmatch(pattern, got, re.DOTALL) is not None
    return bool(shown == got)


@pytest.mark.parametrize("page", RUN)
def test_the_commands_of_a_page_print_what_it_shows(page: str, environ: dict[str, str]) -> None:
    run = [block for block in blocks(page) if block.is_run]
    printed = printed_by(page, environ)

    assert len(printed) == len(run)
    for block, text in zip(run, printed, strict=True):
        if block.shown is None:
            continue
        if block.shown.language == "json":
            assert is_alike(json.loads(block.shown.text), json.loads(text)), text
        else:
            assert is_alike(block.shown.text.strip(), text.replace("\r", "").strip()), text


def test_what_is_shown_is_compared_but_for_ids_and_times() -> None:
    assert is_alike({"id": "conv_…", "created_at": 1, "n": [1]}, {"id": "conv_0a", "created_at": 2, "n": [1]})
    assert not is_alike({"id": "conv_…"}, {"id": "msg_0a"})
    assert not is_alike({"n": [1]}, {"n": [2]})
    assert not is_alike({"a": 1}, {"a": 1, "b": 2})
    assert not is_alike("hit; detail=L0", "hit; detail=L1")


@cache
def help_of(script: str) -> str:
    shown = subprocess.run([f"scripts/{script}", "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    return shown.stdout


@cache
def help_of_subcommand(script: str, subcommand: str) -> str:
    """Return what the script prints, by the module that it starts, here: a process for each would be half a minute."""
    [module] = re.findall(r"^exec \S+ -m (scripts\S*)", (ROOT / "scripts" / script).read_text(), re.MULTILINE)
    shown = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(shown):
        patch.setattr(sys, "argv", [script, subcommand, "--help"])
        with pytest.raises(SystemExit) as ended:
            runpy.run_module(module, run_name="__main__")
    assert ended.value.code == 0
    return shown.getvalue()


@pytest.mark.filterwarnings("ignore:.* found in sys.modules:RuntimeWarning")  # Other tests import what scripts start.
@pytest.mark.parametrize("command", STARTED, ids=str)
def test_a_command_names_what_the_help_of_its_script_names(command: Command) -> None:
    """Of those that take long this is all that is checked: their subcommands, and their options."""
    text = help_of(command.script)
    subcommands = re.search(r"^positional arguments:\n  (?:\{(.*)\}|[A-Z]+\n)", text, re.MULTILINE)
    arguments = command.arguments
    if subcommands and arguments:
        known = set(re.findall(r"^    ([\w-]+)(?:\s|$)", text, re.MULTILINE))
        assert arguments[0] in known
        text = help_of_subcommand(command.script, arguments[0])
    for option in (each for each in arguments if each.startswith("--")):
        assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text), option


def test_a_block_is_run_or_held_against_the_help_or_says_why_not() -> None:
    mixed: list[Block] = []
    for block in (block for page in PAGES for block in blocks(page) if block.language == "sh"):
        lines = [line for line in block.text.splitlines() if line.strip() and not line.startswith("#")]
        if block.is_started and not all(line.startswith("scripts/") for line in lines):
            mixed.append(block)
        subprocess.run(["sh", "-nc", block.text], check=True)

    assert mixed == []


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The code, to be changed."""
    for folder in ("api", "scripts", "shared"):
        shutil.copytree(ROOT / folder, tmp_path / folder)  # With what is compiled: it would be again.
    return tmp_path


def test_the_first_change_is_made_as_it_is_told(copy: Path) -> None:
    test, shape, entry = (block.text for block in blocks("CONTRIBUTING.md") if block.language == "python")
    [entries, shapes] = (copy / "shared/items" / name for name in ("types.py", "types_tools.py"))

    def run(*module: str) -> subprocess.CompletedProcess[str]:
        command, environ = [sys.executable, "-m", *module], os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        return subprocess.run(command, cwd=copy, env=environ, capture_output=True, text=True, timeout=120, check=False)

    (copy / "test_first_change.py").write_text(test)
    before = run("pytest", "-q", "test_first_change.py")
    shapes.write_text(f"{shapes.read_text()}\n\n{shape}")
    head, found, rest = entries.read_text().partition('"mcp_call": ')
    entries.write_text(f"{head}{entry.strip()}\n        {found}{rest}")
    after, described = run("pytest", "-q", "test_first_change.py"), run("scripts.openapi.document")

    assert "2 failed" in before.stdout
    assert "2 passed" in after.stdout, after.stdout
    assert "memory_search_call" in described.stdout, described.stderr
