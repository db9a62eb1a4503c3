"""
What a build made, and whether it holds exactly what it should: functions, static files, files, sizes.

Nothing is copied into a function's folder by a build; `filePathMap` lists what the platform would upload as
path in the bundle -> path below the project.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from scripts.deploy.build import DECOYS
from scripts.deploy.report import MB, CheckFailed, detail
from scripts.deploy.vercel_json import api_files, duration_s, read_config
from scripts.local.header_rules import HeaderRule, headers_of

FUNCTIONS_MAX = 10
FUNCTION_BYTES_MAX = 62 * MB
PARTS_SHOWN = 5

# Besides api/, shared/ and the dependencies: the project's own description, and what a build adds.
ROOT_FILES = frozenset(
    {
        "LICENSE",
        "NOTICE",
        "pyproject.toml",
        "requirements.txt",
        "uv.lock",
        "vc__handler__python.py",
        "vercel.json",
    }
)


@dataclass(frozen=True, slots=True)
class Function:
    """One function of a build."""

    name: str  # api/…, as in a rewrite's destination
    module: str  # what the platform imports first
    max_duration_s: int
    environment: dict[str, str]
    files: dict[str, Path]  # path in the bundle -> where its content is

    @property
    def size_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.files.values())


def read_functions(copy: Path, output: Path) -> dict[str, Function]:
    """Every function in *output*, by name."""
    found: dict[str, Function] = {}
    for config_path in sorted((output / "functions").rglob(".vc-config.json")):
        folder = config_path.parent
        name = folder.relative_to(output / "functions").with_suffix("").as_posix()
        config = json.loads(config_path.read_bytes())
        files = {target: copy / source for target, source in config["filePathMap"].items()}
        own = (path for path in folder.rglob("*") if path.is_file() and path != config_path)
        files |= {path.relative_to(folder).as_posix(): path for path in own}
        found[name] = Function(
            name=name,
            module=config["handler"].rpartition(".")[0],
            max_duration_s=config.get("maxDuration", 0),
            environment=config.get("environment", {}),
            files=files,
        )
    return found


def check_functions(copy: Path, functions: dict[str, Function]) -> None:
    """Raises CheckFailed unless every file of `api/` became a function with the duration it was given."""
    config = read_config(copy)
    wanted = {file.removesuffix(".py") for file in api_files(copy)}
    if set(functions) != wanted:
        missing, extra = sorted(wanted - set(functions)), sorted(set(functions) - wanted)
        raise CheckFailed(f"the build made other functions than api/ holds: missing {missing}, extra {extra}")
    if len(functions) > FUNCTIONS_MAX:
        raise CheckFailed(f"{len(functions)} functions; at most {FUNCTIONS_MAX} fit the smallest plan")
    for function in functions.values():
        duration = duration_s(copy, config, function.name)
        if function.max_duration_s != duration:
            raise CheckFailed(f"{function.name} may run {function.max_duration_s} s; vercel.json says {duration}")
    detail(", ".join(f"{function.name} ({function.max_duration_s} s)" for function in functions.values()))


def check_static(copy: Path, output: Path) -> None:
    """Raises CheckFailed unless the static output is `public/`, file by file."""
    published, public = _files_below(output / "static"), _files_below(copy / "public")
    if not public:
        raise CheckFailed("public/ holds no file, so a deployment would publish the source tree")
    if published != public:
        raise CheckFailed(
            f"static files are not those of public/: extra {sorted(published - public)[:10]}, "
            f"missing {sorted(public - published)[:10]}"
        )
    detail(", ".join(sorted(published)))


def check_headers(copy: Path, output: Path) -> None:
    """Raises CheckFailed unless each static file gets the headers that scripts/dev gives it, by vercel.json."""
    routes = json.loads((output / "config.json").read_bytes())["routes"]
    rules = [HeaderRule.of(rule) for rule in read_config(copy).get("headers", [])]
    paths = {f"/{name}" for name in _files_below(output / "static")}
    for path in sorted(paths | {path.removesuffix("/index.html") for path in paths if path.endswith("/index.html")}):
        built = {
            name.lower(): value
            for route in routes
            if route.get("continue") and "headers" in route and re.match(route["src"], path)
            for name, value in route["headers"].items()
        }
        wanted = {name.decode(): value.decode() for name, value in headers_of(rules, path).items()}
        if built != wanted:
            raise CheckFailed(f"{path} has the headers {built} in the build, and {wanted} in development")


def check_files(copy: Path, functions: Iterable[Function]) -> None:
    """Raises CheckFailed unless each function holds all of `shared/`, its own file, and nothing foreign."""
    shared = {f"shared/{name}" for name in _files_below(copy / "shared")}
    for function in functions:
        held = set(function.files)
        missing = sorted((shared | {f"{function.name}.py"}) - held)
        if missing:
            raise CheckFailed(f"{function.name} lacks {missing[:10]}")
        foreign = sorted(name for name in held if name in DECOYS or not _belongs(PurePosixPath(name)))
        if foreign:
            raise CheckFailed(f"{function.name} carries files that excludeFiles should keep out: {foreign[:10]}")
    data = sorted(name for name in shared if PurePosixPath(name).suffix != ".py")
    detail(f"each holds {len(shared)} files of shared/, {len(data)} of them data")


def check_sizes(functions: Iterable[Function]) -> None:
    """Print what each function weighs. Raises CheckFailed: one is over the limit."""
    for function in functions:
        parts: Counter[str] = Counter()
        for name, path in function.files.items():
            parts["/".join(PurePosixPath(name).parts[:2])] += path.stat().st_size
        largest = ", ".join(f"{part} {size / MB:.1f}" for part, size in parts.most_common(PARTS_SHOWN))
        detail(f"{function.name}: {function.size_bytes / MB:.1f} MB ({largest})")
        if function.size_bytes > FUNCTION_BYTES_MAX:
            raise CheckFailed(f"{function.name} weighs over {FUNCTION_BYTES_MAX / MB:.0f} MB")


def _belongs(path: PurePosixPath) -> bool:
    return path.parts[0] in ("_vendor", "api", "shared") or path.as_posix() in ROOT_FILES


def _files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
