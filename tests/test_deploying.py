"""What docs/deploying.md says of this project is what its files say."""

import json
import re
import subprocess
from fnmatch import fnmatch

from scripts.local.routing import find_functions
from scripts.smoke.access import VARIABLES
from shared.config import SETTINGS, STORE_VARIABLES
from shared.setting import SECRET_CHARS_MIN, Secret
from tests.pages import ROOT, prose, read, section

GUIDE = "docs/deploying.md"
VERCEL = json.loads((ROOT / "vercel.json").read_text())


def test_every_secret_and_every_name_of_the_store_is_named() -> None:
    secrets = {
        variable
        for field, setting in SETTINGS.items()
        if isinstance(setting.default, Secret) and setting.chars_min
        for variable in setting.names(field)
    }
    rows = set(re.findall(r"^\| `(\w+)` \|", section(GUIDE, "4. Secrets"), re.MULTILINE))

    assert rows == secrets
    assert f"{SECRET_CHARS_MIN} visible ASCII characters" in read(GUIDE)
    assert all(f"`{name}`" in read(GUIDE) for pair in STORE_VARIABLES for name in pair)


def test_the_figures_of_vercel_json_are_those_of_the_guide() -> None:
    durations = sorted({rule["maxDuration"] for rule in VERCEL["functions"].values()})
    [region] = VERCEL["regions"]

    assert f"at most 12; these are {len(find_functions(ROOT))} |" in read(GUIDE)
    assert " and ".join(f"{seconds} s" for seconds in durations) + " are asked for" in read(GUIDE)
    assert f"`{region}`, which is" in prose(GUIDE)
    assert all(re.fullmatch(r"\d+ \d+ \* \* \*", each["schedule"]) for each in VERCEL["crons"])  # "daily"


def test_the_command_line_is_the_one_that_is_pinned() -> None:
    """Whoever pins another one looks at the commands of the guide again: --help says what they take."""
    pinned = json.loads((ROOT / "scripts/deploy/package.json").read_text())["dependencies"]["vercel"]

    assert f"version {pinned}" in read(GUIDE)
    assert f"version {pinned}" in read("docs/learnings.md")


def test_vercel_is_sent_nothing_that_git_does_not_have_and_all_that_it_has() -> None:
    kept_out = (ROOT / ".gitignore").read_text().split()
    lines = [line for line in read(".vercelignore").splitlines() if not line.startswith("#")]
    left_out = ["git", "ls-files", "--cached", "--ignored", "--exclude-from=.vercelignore"]

    assert ".warmthread/" in kept_out
    assert subprocess.run(left_out, cwd=ROOT, capture_output=True, text=True, check=True).stdout == ""
    assert {pattern for pattern in kept_out if not any(fnmatch(pattern, line) for line in lines)} == set()


def test_the_check_reads_secrets_by_the_names_that_the_deployment_has_them_by() -> None:
    known = {variable for field, setting in SETTINGS.items() for variable in setting.names(field)}

    assert set(VARIABLES.values()) - known == {"WARMTHREAD_KEY"}
