"""
The first minutes: what makes .venv, with uv or without, with ensurepip or without, and what it says meanwhile.

Nothing here asks a registry: the packages are wheels of a folder, which pip's settings name.
"""

import ensurepip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.local.steps import StepFailed, Steps
from scripts.local.uv_settings import list_of_environ, uv_environ, uv_options

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[1]
BASE = str(getattr(sys, "_base_executable", sys.executable))
NO_UV = "/nowhere"
LOGIN = "user:hunter2@"


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A folder with a package `tiny`, and the pip that Python brings."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    with zipfile.ZipFile(folder / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", "here = True\n")
        wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        names = ("tiny.py", "tiny-1.0.dist-info/METADATA", "tiny-1.0.dist-info/WHEEL", "tiny-1.0.dist-info/RECORD")
        wheel.writestr("tiny-1.0.dist-info/RECORD", "".join(f"{name},,\n" for name in names))
    for bundled in Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl"):
        shutil.copy(bundled, folder)
    return folder


type Install = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def install(tmp_path: Path, wheels: Path) -> Install:
    """
    Run the installer into tmp_path/venv; `path` is its PATH, `hidden` a module that it cannot import, `constraint` the
    file that pip's settings name for that.
    """

    def run(requirements: str, path: str, hidden: str = "", constraint: str = "") -> subprocess.CompletedProcess[str]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
        environ |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PATH": path}
        environ["PIP_RETRIES"] = "0"  # Nobody listens where pip asks; it would wait 8 s between five attempts.
        if constraint:
            environ["PIP_CONSTRAINT"] = constraint
        if hidden:
            (tmp_path / "hide").mkdir()
            (tmp_path / "hide" / f"{hidden}.py").write_text("raise ImportError\n")
            environ["PYTHONPATH"] = str(tmp_path / "hide")
        command = [BASE, "-m", "scripts.local.install", str(tmp_path / "venv")]
        return subprocess.run(
            command, cwd=ROOT, env=environ, input=requirements, capture_output=True, text=True, check=False
        )

    return run


def imports(tmp_path: Path, module: str) -> bool:
    command = [str(tmp_path / "venv/bin/python"), "-c", f"import {module}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_uv_installs_by_pip_s_settings_and_each_step_is_told(install: Install, tmp_path: Path) -> None:
    done = install("tiny==1.0\n", f"{Path(sys.prefix, 'bin')}:/usr/bin:/bin")

    assert done.returncode == 0, done.stderr
    assert imports(tmp_path, "tiny")
    assert imports(tmp_path, "pip")
    assert "with pip" not in done.stderr
    assert re.search(r"^\[1/3\] making venv … \d+ s$", done.stderr, re.MULTILINE)
    assert re.search(r"^\[3/3\] installing .*: Installed 2 packages … \d+ s$", done.stderr, re.MULTILINE)
    assert re.search(r"^Set up in \d+ s\.$", done.stderr, re.MULTILINE)


@pytest.mark.parametrize("hidden", ["", "ensurepip"])
def test_where_uv_cannot_be_had_pip_installs(install: Install, tmp_path: Path, hidden: str) -> None:
    done = install("tiny==1.0\n", NO_UV, hidden)

    assert done.returncode == 0, done.stderr
    assert imports(tmp_path, "tiny")
    assert "uv could not do it; pip is slower, and tried now:" in done.stderr


def hashed(wheels: Path) -> str:
    """Return `tiny`, locked as it is in the folder."""
    digest = hashlib.sha256((wheels / "tiny-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    return f"tiny==1.0 \\\n    --hash=sha256:{digest}\n"


def test_a_lock_is_installed_whatever_constraints_pip_has(install: Install, wheels: Path, tmp_path: Path) -> None:
    (wheels.parent / "constraints.txt").write_text("tiny<=1.0\n")
    uv = f"{Path(sys.prefix, 'bin')}:/usr/bin:/bin"
    done = install(hashed(wheels), uv, constraint=str(wheels.parent / "constraints.txt"))

    assert done.returncode == 0, done.stderr
    assert "installing 1 locked packages: Installed 1 package" in done.stderr
    assert imports(tmp_path, "tiny")


def test_a_file_with_another_hash_is_installed_by_nobody(install: Install, wheels: Path, tmp_path: Path) -> None:
    locked = hashed(wheels)
    with zipfile.ZipFile(wheels / "tiny-1.0-py3-none-any.whl", "a") as wheel:
        wheel.writestr("tiny_more.py", "harm = True\n")
    done = install(locked, f"{Path(sys.prefix, 'bin')}:/usr/bin:/bin")

    assert done.returncode == 1
    assert "uv could not do it; pip is slower, and tried now:" in done.stderr
    assert "could not install:" in done.stderr
    assert not imports(tmp_path, "tiny")


def test_what_cannot_be_installed_is_told_and_a_failure(install: Install) -> None:
    done = install("no-such-package==1\n", NO_UV)

    assert done.returncode == 1
    assert "could not install:" in done.stderr
    assert "no-such-package" in done.stderr


def test_each_setting_of_pip_has_its_place_in_uv_s() -> None:
    listing = "\n".join(
        [
            "global.index-url='https://one.invalid/simple'",
            f"install.index-url='https://{LOGIN}two.invalid/simple'",
            "global.extra-index-url='\\nhttps://a.invalid/s\\nhttps://b.invalid/s'",
            "global.find-links='/x /y'",
            ":env:.find-links='/z'",
            "global.cert='/c.pem'",
            "a line that is none",
        ]
    )
    told = uv_environ(listing, {"SSL_CERT_FILE": "/own.pem", "HOME": "/h"})

    assert told == {
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_DEFAULT_INDEX": f"https://{LOGIN}two.invalid/simple",
        "UV_INDEX": "https://a.invalid/s https://b.invalid/s",
        "UV_FIND_LINKS": "/z",
        "SSL_CERT_FILE": "/own.pem",
        "HOME": "/h",
    }
    assert uv_options(uv_environ(list_of_environ({"PIP_NO_INDEX": "1"}), {})) == ["--no-index"]
    assert uv_options(told) == []


def test_a_step_that_fails_says_what_it_said_last(capfd: pytest.CaptureFixture[str]) -> None:
    steps = Steps(1)

    with pytest.raises(StepFailed, match=r"^no luck$"):
        steps.run("trying", ["/bin/sh", "-c", "echo no luck >&2; exit 3"], os.environ)
    with pytest.raises(StepFailed, match=r"could not run /no/such"):
        steps.run("trying", ["/no/such"], os.environ)
    assert capfd.readouterr().err.startswith("[1/1] trying … 0 s\n")


def test_a_login_in_an_address_is_never_printed(install: Install) -> None:
    done = install(f"tiny @ https://{LOGIN}127.0.0.1:9/tiny-1.0-py3-none-any.whl\n", NO_UV)

    assert done.returncode == 1
    assert "hunter2" not in done.stderr
