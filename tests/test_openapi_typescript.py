"""
The types that `openapi-typescript` makes of the OpenAPI document compile, and tell the formats of contexts apart.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAM = Path(__file__).parent / "data" / "api_types.ts"
PACKAGES = ("openapi-typescript@7.13.0", "typescript@5.9.3")
STRICT = ("--strict", "--noUncheckedIndexedAccess", "--noEmit", "--target", "es2022", "--module", "esnext")
TIMEOUT_S = 180

WRONG = [
    ("context.text", "context.messages"),
    ("temperature: 0.5", "temperatur: 0.5"),
    ("item.arguments", "item.output"),
]
"""What of the program is replaced by what is not there."""

pytestmark = [
    pytest.mark.unmeasured,
    pytest.mark.skipif(
        shutil.which("node") is None or shutil.which("npm") is None, reason="Node.js and npm are not installed"
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the program, and the types that it imports."""
    folder = tmp_path_factory.mktemp("types")
    run(folder, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder), *PACKAGES)
    run(folder, "node_modules/.bin/openapi-typescript", str(ROOT / "public/openapi.json"), "-o", "api.d.ts")
    shutil.copy(PROGRAM, folder)
    return folder


def run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def errors(folder: Path) -> dict[str, list[str]]:
    """What the compiler says of the program and of each that is wrong, by their names; all compiled at once."""
    text = PROGRAM.read_text()
    for number, (right, wrong) in enumerate(WRONG):
        assert right in text
        (folder / f"wrong_{number}.ts").write_text(text.replace(right, wrong, 1))
    programs = [PROGRAM.name, *(f"wrong_{number}.ts" for number in range(len(WRONG)))]
    command = ["node_modules/.bin/tsc", *STRICT, "--moduleResolution", "bundler", "--pretty", "false", *programs]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=TIMEOUT_S)
    said = re.findall(r"^(\S[^(\n]*)\(\d+,\d+\): (error TS\d+.*)", done.stdout, re.MULTILINE)
    assert said, done.stdout + done.stderr
    assert {name for name, _ in said} <= set(programs), done.stdout
    return {program: [error for name, error in said if name == program] for program in programs}


def test_a_program_with_all_formats_compiles(errors: dict[str, list[str]]) -> None:
    assert errors[PROGRAM.name] == []


@pytest.mark.parametrize("number", range(len(WRONG)), ids=[wrong for _, wrong in WRONG])
def test_what_is_not_there_does_not_compile(errors: dict[str, list[str]], number: int) -> None:
    assert errors[f"wrong_{number}.ts"] != []
