"""What vercel.json and its neighbours promise the platform; scripts/check-deploy proves it on a build."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from scripts.deploy.vercel_json import api_files, first_globs, read_config
from scripts.local.header_rules import HeaderRule, headers_of
from shared.environment import read_settings
from shared.http.unrouted import NAMES

ROOT = Path(__file__).resolve().parents[1]
CONFIG = read_config(ROOT)
FUNCTIONS = [file.removesuffix(".py") for file in api_files(ROOT)]

FILES = sorted(file for file in (ROOT / "public/dashboard").iterdir() if file.is_file())

# The platform's own bounds.
FUNCTIONS_MAX = 10  # The smallest plan stops at 12 and has refused 11.
GLOB_CHARS_MAX = 256
DURATION_S_MAX = 60


def _top_level_names(file: str) -> list[str]:
    """The names that the platform looks for, in the order in which *file* binds them at its top level."""
    names: list[str] = []
    for statement in ast.parse((ROOT / file).read_bytes()).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                names.append(name)
            case ast.ImportFrom(names=aliases):
                names += [alias.asname or alias.name for alias in aliases]
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.append(name)
    return [name for name in names if name.lower() in ("app", "application", "handler")]


def _elements(glob: str) -> set[str]:
    return set(glob.removeprefix("{").removesuffix("}").split(","))


def test_no_framework_preset_takes_over() -> None:
    assert "framework" in CONFIG
    assert CONFIG["framework"] is None


def test_there_are_functions_and_the_smallest_plan_takes_them() -> None:
    assert 1 <= len(FUNCTIONS) <= FUNCTIONS_MAX


@pytest.mark.parametrize("file", api_files(ROOT))
def test_each_api_file_offers_an_app_and_nothing_the_platform_would_prefer(file: str) -> None:
    assert _top_level_names(file) == ["app"]


@pytest.mark.parametrize("file", api_files(ROOT))
def test_each_api_file_gets_its_settings_from_a_glob(file: str) -> None:
    assert file in first_globs(ROOT, CONFIG)


@pytest.mark.parametrize("glob", CONFIG["functions"])
def test_each_glob_is_the_first_for_some_file(glob: str) -> None:
    assert glob in first_globs(ROOT, CONFIG).values()


@pytest.mark.parametrize("glob", CONFIG["functions"])
def test_each_function_may_run_for_a_bounded_time_and_leaves_memory_to_the_dashboard(glob: str) -> None:
    settings = CONFIG["functions"][glob]

    assert settings.keys() == {"maxDuration", "excludeFiles"}
    assert 1 <= settings["maxDuration"] <= DURATION_S_MAX


@pytest.mark.parametrize("file", api_files(ROOT))
def test_no_function_believes_in_more_time_than_it_has(file: str) -> None:
    settings = read_settings({"UPSTASH_REDIS_REST_URL": "https://example.com", "UPSTASH_REDIS_REST_TOKEN": "t"})
    glob = first_globs(ROOT, CONFIG)[file]

    assert settings.max_duration_s <= CONFIG["functions"][glob]["maxDuration"]


@pytest.mark.parametrize("glob", CONFIG["functions"])
def test_what_is_not_the_product_stays_out_of_the_bundle(glob: str) -> None:
    excluded: str = CONFIG["functions"][glob]["excludeFiles"]
    # A brace list with a single element is taken literally and excludes nothing.
    wanted = {
        ".*",
        ".*/**",
        "aws/**",
        "clients/**",
        "docs/**",
        "node_modules/**",
        "ops/**",
        "reports/**",
        "scripts/**",
        "tests/**",
        "*.md",
        "requirements-*.txt",
        "requirements*.lock",
    }

    assert len(excluded) <= GLOB_CHARS_MAX
    assert excluded.startswith("{")
    assert excluded.endswith("}")
    assert wanted <= _elements(excluded)


@pytest.mark.parametrize("rewrite", CONFIG["rewrites"])
def test_each_rewrite_leads_to_a_function_or_a_file_and_adds_nothing_to_the_query(rewrite: dict[str, str]) -> None:
    destination = rewrite["destination"].removeprefix("/")
    assert destination in FUNCTIONS or (ROOT / "public" / destination).is_file()
    assert ":" not in rewrite["source"]  # A named parameter would be appended to the query.


def test_paths_that_lead_nowhere_are_ours_only_below_v1_and_where_it_is_missing() -> None:
    *ours, below, bare, without, within = [rewrite["source"] for rewrite in CONFIG["rewrites"]]
    names = "|".join(name for name in NAMES if name != "openapi.json")

    assert (below, bare, without, within) == ("/v1/(.*)", "/v1", f"/({names})", f"/({names})/(.*)")
    assert {source.split("/")[2] for source in ours} == {*NAMES}
    assert {source.split("/")[1] for source in ours} == {"v1"}
    assert {rewrite["destination"] for rewrite in CONFIG["rewrites"][-4:]} == {"/api/health"}


def test_no_rewrite_is_written_twice() -> None:
    sources = Counter(rewrite["source"] for rewrite in CONFIG["rewrites"])

    assert max(sources.values()) == 1


def test_each_cron_has_five_fields_runs_daily_and_leads_to_a_function() -> None:
    for cron in CONFIG.get("crons", []):
        assert re.fullmatch(r"\d+ \d+ \* \* \*", cron["schedule"])
        assert cron["path"].removeprefix("/") in FUNCTIONS


PAGE = ["/dashboard", "/dashboard/", *(f"/{file.relative_to(ROOT / 'public').as_posix()}" for file in FILES)]


@pytest.mark.parametrize("path", PAGE)
def test_the_dashboard_runs_its_own_scripts_and_nothing_else(path: str) -> None:
    rules = [HeaderRule.of(rule) for rule in CONFIG["headers"]]
    headers = {name.decode(): value.decode() for name, value in headers_of(rules, path).items()}
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))

    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")


def test_public_holds_files_so_the_source_tree_is_not_published() -> None:
    assert (ROOT / "public/index.html").is_file()


def test_requirements_are_not_hidden_by_a_project_file_and_are_pinned() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()

    assert not (ROOT / "pyproject.toml").exists()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9A-Za-z.]*", line)] == []
