"""The workflows of CI run what a person runs, and nothing else."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / ".github/workflows").iterdir())
MAIN = ROOT / ".github/workflows/ci.yml"
ALL, SUITE, CLUSTER = "all", "suite", "cluster"

PREPARING = {"actions/checkout", "actions/setup-python", "actions/setup-node"}
"""What brings the code, Python and Node; what else is needed, the scripts bring themselves."""

PINNED = re.compile(r"([\w-]+/[\w-]+)@[0-9a-f]{40}")
MINUTES_MAX = 90


def jobs(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from yaml.safe_load(file.read_text())["jobs"].items()


def commands(job: dict[str, Any]) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def pythons(job: dict[str, Any]) -> list[str]:
    """Return the versions that the job installs."""
    [given] = [step["with"]["python-version"] for step in job["steps"] if "python-version" in step.get("with", {})]
    return job["strategy"]["matrix"]["python"] if given == "${{ matrix.python }}" else [given]


def test_workflows_are_of_the_form_that_github_reads() -> None:
    """By the schema that check-jsonschema brings; it asks nobody."""
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.github-workflows",
        *map(str, FILES),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_a_workflow_of_another_form_would_be_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(MAIN.read_text().replace("runs-on:", "run-on:", 1))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(wrong)]

    assert subprocess.run(command, capture_output=True, check=False).returncode == 1


def test_they_call_what_a_person_calls_and_nothing_else() -> None:
    assert {path.name for path in FILES} == {"ci.yml"}
    assert {name: commands(job) for name, job in jobs(MAIN)} == {
        ALL: [".ci/run"],
        SUITE: ["python -m venv .venv", "scripts/test --parallel --without-timing"],
        CLUSTER: ["scripts/test --parallel --without-timing --store cluster"],
    }
    # The suite as .ci/run has it.
    assert "run scripts/test --parallel --without-timing\n" in (ROOT / ".ci/run").read_text()


def test_a_step_is_a_command_or_brings_what_scripts_cannot() -> None:
    for _, job in jobs(MAIN):
        for step in job["steps"]:
            assert set(step) in ({"run"}, {"uses", "with"})
        used = [step["uses"] for step in job["steps"] if "uses" in step]
        assert all(map(PINNED.fullmatch, used)), "an action is pinned by a commit: a tag can be moved"
        assert {each.partition("@")[0] for each in used} <= PREPARING


def test_each_action_has_one_version_and_says_which() -> None:
    used = re.findall(r"uses: (\S+) # (v\d+\.\d+\.\d+)$", MAIN.read_text(), re.MULTILINE)

    assert len(used) == MAIN.read_text().count("uses:")
    assert len({name.partition("@")[0] for name, _ in used}) == len(set(used))


def test_python_is_what_deployments_have_and_one_newer() -> None:
    deployed = (ROOT / ".python-version").read_text().strip()
    versions = {name: pythons(job) for name, job in jobs(MAIN)}

    assert versions[ALL] == [deployed]
    assert deployed not in versions[SUITE]
    # Each is one that scripts/setup.sh takes.
    setup = (ROOT / "scripts/setup.sh").read_text()
    assert all(f"python{version}" in setup for names in versions.values() for version in names)


def test_they_may_change_nothing_and_end() -> None:
    workflow = yaml.safe_load(MAIN.read_text())

    assert workflow["permissions"] == {"contents": "read"}
    for _, job in jobs(MAIN):
        assert "permissions" not in job
        assert job["timeout-minutes"] <= MINUTES_MAX
        [checkout] = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")]
        assert checkout["with"] == {"persist-credentials": False}


def test_they_run_for_main_for_what_wants_to_get_there_and_for_releases() -> None:
    workflow = yaml.safe_load(MAIN.read_text())

    # YAML 1.1, which PyYAML reads, takes the name `on` for true.
    assert workflow[True] == {"push": {"branches": ["main"], "tags": ["v*"]}, "pull_request": None}
