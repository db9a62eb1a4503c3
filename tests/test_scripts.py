"""What every script of the repository owes to who runs it."""

import os
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(path.name for path in (ROOT / "scripts").iterdir() if path.is_file() and os.access(path, os.X_OK))


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_says_how_a_script_is_called(name: str) -> None:
    shown = subprocess.run([f"scripts/{name}", "--help"], cwd=ROOT, capture_output=True, text=True, check=True)

    assert shown.stdout.startswith("usage: ")
