"""
The packages that a build put into the functions: whether each has its licence with it, and is the one that is locked.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from packaging.utils import canonicalize_name

from scripts.deploy.bundle import Function
from scripts.deploy.report import CheckFailed, detail
from scripts.licences.packages import LOCK, TEXT
from scripts.locking.locks import read_lock

OURS = ("LICENSE", "NOTICE", "shared/tokens/data/NOTICE")
INFO = ".dist-info"
PLATFORMS = frozenset({"vercel-runtime", "pip", "setuptools", "wheel"})
"""What the build adds, which is the platform's to license and to choose."""


def check_licences(functions: Iterable[Function]) -> None:
    """Raises CheckFailed unless each function carries our licence, and that of each package which it carries."""
    for function in functions:
        missing = [name for name in OURS if name not in function.files]
        with_text = {info for info, file in _infos(function) if TEXT.match(file)}
        noticed = function.files["NOTICE"].read_text() if "NOTICE" in function.files else ""
        for info in sorted({info for info, _ in _infos(function)} - with_text):
            name, version = _name_and_version(info)
            if name not in PLATFORMS and f"\n{name} (" not in noticed:
                missing.append(f"the licence of {name} {version}")
        if missing:
            raise CheckFailed(f"{function.name} lacks {', '.join(missing)}")
    detail(f"each holds {', '.join(OURS)}, and the licence of every package")


def check_versions(copy: Path, functions: Iterable[Function]) -> None:
    """Print where the build took another version than the lock names: it resolves anew what packages need."""
    other = differences(copy, functions)
    detail(f"other than in {LOCK}: {', '.join(other)}" if other else f"every package is the one of {LOCK}")


def differences(copy: Path, functions: Iterable[Function]) -> list[str]:
    """Return the packages of *functions* that are not those of the lock in *copy*, each with what it is instead."""
    locked = {each.name: each.version for each in read_lock((copy / LOCK).read_text())}
    built = dict(_name_and_version(info) for function in functions for info, _ in _infos(function))
    return [
        f"{name} {built.get(name, 'missing')} for {locked.get(name, 'none')}"
        for name in sorted(built.keys() - PLATFORMS | locked.keys())
        if built.get(name) != locked.get(name)
    ]


def _infos(function: Function) -> Iterator[tuple[str, str]]:
    """Yield each file of the packages' metadata: the folder's name, and its own."""
    for path in map(PurePosixPath, function.files):
        if path.parts[0] == "_vendor" and len(path.parts) > 2 and path.parts[1].endswith(INFO):
            yield path.parts[1], path.name


def _name_and_version(info: str) -> tuple[str, str]:
    name, _, version = info.removesuffix(INFO).partition("-")
    return canonicalize_name(name), version
