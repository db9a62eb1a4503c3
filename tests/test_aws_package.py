"""The zip for Lambda: the same bytes from the same files, and nothing in it that would fail there."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.aws import package
from scripts.aws.contents import check_contents, machine_of
from scripts.aws.package import TARGETS, pack
from scripts.local.steps import StepFailed, Steps

X86_64, AARCH64 = 62, 183


def elf(machine: int) -> bytes:
    """The head of a library for little-endian Linux."""
    return b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 3, machine) + bytes(40)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a zip is made of: a service of one module, which imports a package with a library."""
    made = tmp_path / "task"
    for room in ("aws", "api", "shared", "fast"):
        (made / room).mkdir(parents=True)
    (made / "aws/handler.py").write_text("import json\nfrom shared.app import State\nimport fast\n")
    (made / "shared/app.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from nowhere import X\nState = dict\n"
    )
    (made / "fast/__init__.py").write_text("")
    (made / "fast/fast.cpython-312-x86_64-linux-gnu.so").write_bytes(elf(X86_64))
    return made


def test_the_same_files_make_the_same_bytes_whatever_their_times_and_modes(folder: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.zip", tmp_path / "second.zip"
    size_bytes = pack(folder, first)
    for path in folder.rglob("*.py"):
        os.utime(path, (1, 1))
        path.chmod(0o600)

    assert pack(folder, second) == size_bytes
    assert first.read_bytes() == second.read_bytes()


def test_what_will_work_is_passed(folder: Path) -> None:
    check_contents(folder, "x86_64", "3.12")


def _import_nothing(folder: Path) -> None:
    (folder / "api/late.py").write_text("def late():\n    import nowhere.at_all\n")


def _import_no_module_of_ours(folder: Path) -> None:
    (folder / "api/late.py").write_text("from shared.gone import x\n")


def _take_the_package_away(folder: Path) -> None:
    for path in (folder / "fast").iterdir():
        path.unlink()
    (folder / "fast").rmdir()


def _put_a_library_for_another_machine(folder: Path) -> None:
    (folder / "fast/fast.cpython-312-x86_64-linux-gnu.so").write_bytes(elf(AARCH64))


def _put_a_library_for_another_python(folder: Path) -> None:
    (folder / "fast/other.cpython-313-x86_64-linux-gnu.so").write_bytes(elf(X86_64))


def _put_what_is_no_library(folder: Path) -> None:
    (folder / "fast/other.abi3.so").write_bytes(b"MZ")


@pytest.mark.parametrize(
    ("breaking", "named"),
    [
        (_import_nothing, r"nowhere\.at_all in api/late\.py"),
        (_import_no_module_of_ours, r"shared\.gone in api/late\.py"),
        (_take_the_package_away, r"fast in aws/handler\.py"),
        (_put_a_library_for_another_machine, "is for aarch64, not x86_64"),
        (_put_a_library_for_another_python, "is for another Python than 3.12"),
        (_put_what_is_no_library, "is for none"),
    ],
)
def test_what_would_fail_there_is_found_by_name(breaking: Callable[[Path], None], named: str, folder: Path) -> None:
    breaking(folder)

    with pytest.raises(ValueError, match=named):
        check_contents(folder, "x86_64", "3.12")


def test_libraries_of_both_processors_are_told_apart(tmp_path: Path) -> None:
    for number, name in ((X86_64, "x86_64"), (AARCH64, "aarch64"), (40, "machine 40")):
        (tmp_path / "library.so").write_bytes(elf(number))

        assert machine_of(tmp_path / "library.so") == name


def test_a_build_that_fails_half_way_leaves_nothing_behind_and_the_zip_from_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (before := tmp_path / "warmthread-arm64.zip").write_bytes(b"from before")
    # Where wheels come from there is none.
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path))

    with pytest.raises(StepFailed, match=r"mangum|orjson|No solution"):
        package.build(TARGETS["arm64"], tmp_path, Steps(3))
    assert [path.name for path in tmp_path.iterdir()] == [before.name]
    assert before.read_bytes() == b"from before"
