"""
What docs/recipes.md says of keys beside the service's runs as it stands, against the local Upstash server. The recipes
of clients are marked `python` there, and are run with the clients.
"""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.local.upstash import LocalUpstash
from tests.pages import blocks

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[1]
STOCK, TYPED = (block.text for block in blocks("docs/recipes.md") if block.language == "py")
NAMES = ("app:user:42", "app:visits:a", "app:visits:b")


@pytest.fixture
def printed(upstash: LocalUpstash, run: Callable[..., Any]) -> Iterator[Callable[[str], str]]:
    """Run a recipe; return what it printed."""

    def execute(recipe: str) -> str:
        environ = os.environ | {"UPSTASH_REDIS_REST_URL": upstash.url, "UPSTASH_REDIS_REST_TOKEN": upstash.token}
        command = [sys.executable, "-c", recipe]
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("DEL", *NAMES)
    yield execute
    run("DEL", *NAMES)


def test_upstashs_client_keeps_keys_of_its_own(printed: Callable[[str], str]) -> None:
    assert ast.literal_eval(printed(STOCK)) == {"conversation": "conv_1"}


def test_its_commands_go_over_our_transport_and_together(printed: Callable[[str], str], upstash: LocalUpstash) -> None:
    upstash.reset()

    assert printed(TYPED) == "[1, 1, 2] ['2', '1']\n"
    assert upstash.requests == 2


def test_recipes_use_names_that_are_nobody_elses() -> None:
    named = set(re.findall(r'"(\w+):', STOCK + TYPED))

    assert named == {"app"}


@pytest.mark.parametrize("file", ["scripts/local/keys.py", "scripts/local/tenants.py", "scripts/looking/reading.py"])
def test_scripts_send_commands_by_the_methods_of_that_client(file: str) -> None:
    """What they send besides are scripts of ours."""
    tree = ast.parse((ROOT / file).read_text())
    called = {
        node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }

    assert "command" not in called
