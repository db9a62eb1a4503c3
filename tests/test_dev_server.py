"""
scripts/dev as a newcomer runs it: what it prints works, and nothing is left when it ends.
"""

import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from scripts.local.upstash import LocalUpstash

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).resolve().parents[1]
SECRETS = ("CRON_SECRET", "WARMTHREAD_CHANGES_SECRET", "WARMTHREAD_METRICS_SECRET")
STORE_VARIABLES = ("REDIS_URL", "UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN", "KV_REST_API_URL")

# Answers with what it got and with the names of the keys that are valid in the store it was given.
FUNCTION = """
import json, os, urllib.request
from starlette.applications import Starlette
from starlette.responses import JSONResponse

async def create(request):
    call = urllib.request.Request(os.environ["UPSTASH_REDIS_REST_URL"], b'["HKEYS","wt2:{dev}:tenant"]',
                                  {"Authorization": "Bearer " + os.environ["UPSTASH_REDIS_REST_TOKEN"]})
    keys = [name for name in json.load(urllib.request.urlopen(call))["result"] if name.startswith("k:")]
    return JSONResponse({"key": request.headers["authorization"], "body": await request.json(), "valid": keys})

app = Starlette()
app.add_route("/v1/conversations", create, methods=["POST"])
"""
REWRITES = {"rewrites": [{"source": "/v1/conversations", "destination": "/api/conversations"}]}

# Answers with its own bytes and what it was asked for with.
ECHO = """
import os
from starlette.applications import Starlette
from starlette.responses import Response

async def echo(request):
    secret = os.environ.get(request.query_params["variable"])
    return Response('{"a":"é","is_right":%d}' % (request.headers["authorization"] == f"Bearer {secret}"))

app = Starlette()
app.add_route("/{path:path}", echo, methods=["GET", "POST"])
"""


class Server(NamedTuple):
    """A running scripts/dev; `temporary` is its TMPDIR, `root` the folder of what it serves."""

    process: subprocess.Popen[str]
    output: str
    temporary: Path
    root: Path

    def found(self, pattern: str) -> str:
        match = re.search(pattern, self.output, re.MULTILINE)
        assert match is not None, self.output
        return match[1]

    def pids(self) -> set[int]:
        """The process and all its descendants."""
        listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        pairs = [tuple(map(int, line.split())) for line in listing.splitlines()]
        family = {self.process.pid}
        while more := {pid for pid, parent in pairs if parent in family} - family:
            family |= more
        return family


@contextlib.contextmanager
def running(root: Path, *arguments: str, **variables: str) -> Iterator[Server]:
    kept_out = (*STORE_VARIABLES, *SECRETS, "WARMTHREAD_DOCUMENTS_URL")
    environ = {name: value for name, value in os.environ.items() if name not in kept_out} | variables
    with tempfile.TemporaryDirectory(prefix="wt-test-") as temporary:
        process = subprocess.Popen(
            ["scripts/dev", "--port", "0", "--root", str(root), *arguments],
            cwd=ROOT,
            env={**environ, "TMPDIR": temporary},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            output = ""
            while "Ctrl-C" not in output and (line := process.stdout.readline()):
                output += line
            yield Server(process, output, Path(temporary), root)
        finally:
            process.kill()
            process.communicate()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "api").mkdir()
    (tmp_path / "api/conversations.py").write_text(FUNCTION)
    (tmp_path / "vercel.json").write_text(json.dumps(REWRITES))
    return tmp_path


def alive(pids: set[int]) -> set[int]:
    """Return those of *pids* that still run once they had time to end."""
    give_up_at_s = time.monotonic() + 5
    while time.monotonic() < give_up_at_s and (left := {pid for pid in pids if _runs(pid)}):
        time.sleep(0.02)
    return left


def _runs(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


def field_of(key: str) -> str:
    return f"k:{hashlib.sha256(key.encode()).hexdigest()}"


def test_what_it_prints_works_and_ctrl_c_leaves_nothing_behind(root: Path) -> None:
    with running(root) as server:
        printed = server.found(r"^(curl .*)$")
        answer = json.loads(subprocess.run(printed, shell=True, capture_output=True, check=True).stdout)
        assert answer["key"] == "Bearer wt_dev_local"
        assert answer["body"] == {"items": [{"role": "user", "content": "Hello"}]}
        assert answer["valid"] == [field_of("wt_dev_local")]
        store_file = root / ".warmthread/dev-store.json"
        assert store_file.stat().st_mode & 0o777 == 0o600

        pids = server.pids()
        assert len(pids) >= 3, "the functions' process, the watchdog and Valkey"
        assert list(server.temporary.iterdir())
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(10) == 0
        assert not alive(pids)
        assert not list(server.temporary.iterdir())
        assert not store_file.exists()


def keys(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run scripts/keys as it would run in the folder of *server*, without a store of its own."""
    program = (
        "import sys, pathlib; from scripts.local import keys; "
        f"keys.DEV_STORE = pathlib.Path({str(server.root / '.warmthread/dev-store.json')!r}); "
        "sys.exit(keys.main(sys.argv[1:]))"
    )
    environ = {name: value for name, value in os.environ.items() if name not in STORE_VARIABLES}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


def valid_keys(server: Server) -> list[str]:
    printed = server.found(r"^(curl .*)$")
    answer = subprocess.run(printed, shell=True, capture_output=True, check=True).stdout
    valid: list[str] = json.loads(answer)["valid"]
    return valid


def test_its_curl_line_indents_and_the_store_s_end_is_told(root: Path) -> None:
    with running(root) as server:
        shown = subprocess.run(server.found(r"^(curl .*)$"), shell=True, capture_output=True, text=True, check=True)

    assert shown.stdout.startswith('{\n    "key"')
    assert server.output.splitlines()[-1] == (
        "Ctrl-C stops it. Its store was empty at the start and is gone then; scripts/dev --keep FOLDER keeps one."
    )


def test_the_secrets_are_made_where_they_are_not_set_and_work_as_printed(root: Path) -> None:
    (root / "api/conversations.py").write_text(ECHO)
    paths = ("/api/cron/sweep", "/v1/changes", "/api/metrics")
    rules = [
        {"source": path, "destination": f"/api/conversations?variable={name}"}
        for path, name in zip(paths, SECRETS, strict=True)
    ]
    (root / "vercel.json").write_text(json.dumps({"rewrites": rules}))
    with running(root, CRON_SECRET="set-by-its-owner") as server:
        answers = {}
        for name, path in zip(SECRETS, paths, strict=True):
            printed = server.found(rf"^(curl -s \S*{path} .*)$")
            environ = {**os.environ, "CRON_SECRET": "set-by-its-owner"}
            done = subprocess.run(printed, shell=True, capture_output=True, text=True, check=True, env=environ)
            answers[name] = json.loads(done.stdout)["is_right"]

    assert answers == dict.fromkeys(SECRETS, 1)
    assert "set-by-its-owner" not in server.output
    assert len(server.found(r"^WARMTHREAD_CHANGES_SECRET=(.*)$")) >= 16
    assert server.found(r"^WARMTHREAD_CHANGES_SECRET=(.*)$") != server.found(r"^WARMTHREAD_METRICS_SECRET=(.*)$")


def test_a_kept_store_has_its_keys_again_and_one_user_at_a_time(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kept" / "store"
    with running(root, "--keep", str(folder)) as server:
        made = keys(server, "create", "acme").stdout.strip()
        assert made.startswith("wt_acme_")
        assert server.output.splitlines()[-1] == f"Ctrl-C stops it. Its store is kept in {folder}."

        command = ["scripts/dev", "--port", "0", "--root", str(root), "--keep", str(folder)]
        environ = {name: value for name, value in os.environ.items() if name not in STORE_VARIABLES}
        second = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
        assert second.returncode == 1
        expected = f"could not start: {folder} is in use by another scripts/dev; end that one, or name another folder\n"
        assert (second.stdout, second.stderr) == ("", expected)
        pids = server.pids()
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(10)
        assert not alive(pids)

    with running(root, "--keep", str(folder)) as server:
        listed = keys(server, "list", "acme")
        assert listed.stdout.split()[0] == field_of(made).removeprefix("k:")
        assert valid_keys(server) == [field_of("wt_dev_local")]
        assert folder.stat().st_mode & 0o777 == 0o700
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(10) == 0


def test_keeping_a_store_that_is_somebody_else_s_is_refused(root: Path, upstash: LocalUpstash) -> None:
    command = ["scripts/dev", "--port", "0", "--root", str(root), "--keep", str(root / "kept")]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert refused.returncode == 1
    assert re.fullmatch(r"could not start: --keep [^\n]* UPSTASH_REDIS_REST_URL [^\n]*\n", refused.stderr)
    assert not (root / "kept").exists()


def test_keys_stay_with_the_first_server_s_store(root: Path) -> None:
    with running(root) as first:
        with running(root) as second:
            made = keys(first, "create", "acme").stdout.strip()
            of_its_own = second.found(r"^(UPSTASH_REDIS_REST_URL=\S+ UPSTASH_REDIS_REST_TOKEN=\S+) scripts/keys")
            environ = dict(pair.split("=", 1) for pair in of_its_own.split())
            command = [sys.executable, "-m", "scripts.local.keys", "list", "acme"]
            in_second = subprocess.run(
                command, cwd=ROOT, env={**os.environ, **environ}, capture_output=True, check=False
            )
            second.process.send_signal(signal.SIGINT)
            assert second.process.wait(10) == 0
        assert made.startswith("wt_acme_")
        assert in_second.returncode == 1
        assert keys(first, "list", "acme").returncode == 0

        first.process.send_signal(signal.SIGKILL)
        first.process.wait(10)
    assert (root / ".warmthread/dev-store.json").exists(), "nobody was left to take it away"
    assert keys(first, "list", "acme").stderr.startswith("could not do it: ")
    with running(root) as third:
        assert "no tenant acme" in keys(third, "list", "acme").stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_way_to_end_it_leaves_anything_behind(root: Path, number: signal.Signals) -> None:
    with running(root) as server:
        pids = server.pids()
        server.process.send_signal(number)

        assert server.process.wait(10) == (0 if number is signal.SIGTERM else -number)
        assert not alive(pids)
        assert not list(server.temporary.iterdir())


def test_a_busy_port_is_one_clear_sentence(root: Path) -> None:
    with running(root) as server:
        port = server.found(r"http://127\.0\.0\.1:(\d+)$")
        command = ["scripts/dev", "--port", port, "--root", str(root)]
        second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

        assert second.returncode == 1
        assert second.stdout == ""
        assert re.fullmatch(rf"could not listen on 127\.0\.0\.1:{port}: [^\n]*; [^\n]*--port\.\n", second.stderr)


@pytest.mark.parametrize("form", ["rest", "redis"])
def test_the_public_key_is_not_minted_in_a_store_that_others_use(root: Path, upstash: LocalUpstash, form: str) -> None:
    rest = {"UPSTASH_REDIS_REST_URL": upstash.url, "UPSTASH_REDIS_REST_TOKEN": upstash.token}
    with running(root, **(rest if form == "rest" else {"REDIS_URL": upstash.redis_url})) as server:
        key = server.found(r"^API key: (.*)$")
        printed = server.found(r"^(curl .*)$")
        valid = json.loads(subprocess.run(printed, shell=True, capture_output=True, check=True).stdout)["valid"]

        assert key != "wt_dev_local"
        assert field_of(key) in valid
        assert field_of("wt_dev_local") not in valid


def test_a_key_of_one_s_own_is_minted_and_a_wrong_one_is_one_sentence(root: Path) -> None:
    with running(root, "--key", "wt_dev_of-my-own") as server:
        assert server.found(r"^API key: (.*)$") == "wt_dev_of-my-own"

    command = ["scripts/dev", "--port", "0", "--key", "wrong", "--root", str(root)]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith("could not start: ")
    assert refused.stderr.count("\n") == 1


def test_help_explains_the_store_and_starts_nothing() -> None:
    shown = subprocess.run(["scripts/dev", "--help"], cwd=ROOT, capture_output=True, text=True, check=True)

    assert "--port" in shown.stdout
    assert "REDIS_URL" in shown.stdout
