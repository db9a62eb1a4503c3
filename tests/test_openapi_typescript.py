"""
The types that `openapi-typescript` makes of the OpenAPI document compile, and tell the formats of contexts apart.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAM = Path(__file__).parent / "data" / "api_types.ts"
PACKAGES = ("openapi-typescript@7.13.0", "typescript@5.9.3")
STRICT = ("--strict", "--noUncheckedIndexedAccess", "--noEmit", "--target", "es2022", "--module", "esnext")
TIMEOUT_S = 180

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


def compile_program(folder: Path, name: str) -> None:
    run(folder, "node_modules/.bin/tsc", *STRICT, "--moduleResolution", "bundler", name)


def test_a_program_with_all_formats_compiles(folder: Path) -> None:
    compile_program(folder, PROGRAM.name)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("context.text", "context.messages"),
        ("temperature: 0.5", "temperatur: 0.5"),
        ("item.arguments", "item.output"),
    ],
)
def test_what_is_not_there_does_not_compile(folder: Path, right: str, wrong: str) -> None:
    text = PROGRAM.read_text()
    assert right in text
    (folder / "wrong.ts").write_text(text.replace(right, wrong, 1))

    with pytest.raises(AssertionError, match=r"error TS\d+"):
        compile_program(folder, "wrong.ts")
