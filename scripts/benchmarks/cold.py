"""
How long a cold function takes: from the start of its process to its first 200, under Vercel's own launcher.

A function that does nothing but answer, on Starlette alone, is measured in the same run, in turns with ours; the store
is warm and answers over loopback. What a network adds to it is one round trip. Both run from a copy with bytecode, as
Vercel compiles it when it builds. Those on Lambda are the function of AWS, to which the request comes as an event of a
Function URL (scripts/aws/runtime.py); a caller of Lambda waits for both as well. Then what the imports cost, by
package: their own time, without what they import in turn.
"""

import argparse
import compileall
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from scripts.aws.events import Asked, Sender, answered_of, event_of
from scripts.aws.runtime import Invoked, invoked
from scripts.local.launching import invocation
from scripts.measuring.counted_store import CountedStore, counted_store
from scripts.measuring.environment import ROOT
from scripts.measuring.launched import START_TIMEOUT_S, launched
from scripts.measuring.served import KEY, instance_at, mint_as
from scripts.measuring.tables import markdown, percentile, ratio

IMPORT_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")
PACKAGES_SHOWN = 12

BARE = """
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

async def answer(request):
    return JSONResponse({})

app = Starlette(routes=[Route("/{path:path}", answer)])
"""


class Probe(NamedTuple):
    """
    One kind of first request: the function that it starts, LAMBDA for that of AWS, and what it sends; an empty body is
    a GET.
    """

    function: str
    path: str
    body: str = ""
    is_resp: bool = False
    """The store is spoken to in its own protocol."""


class Start(NamedTuple):
    """The milliseconds of one start: until the function said that it had, and until its answer was there."""

    started_ms: float
    answered_ms: float


LAMBDA = "aws/handler.py"
BARE_ROW = "bare Starlette"
PROBES = {
    BARE_ROW: Probe("api/bare.py", "/"),
    "GET /api/health": Probe("api/health.py", "/api/health"),
    "GET a conversation": Probe("api/conversations.py", "/v1/conversations/{id}"),
    "GET its items": Probe("api/conversations.py", "/v1/conversations/{id}/items"),
    "GET its context": Probe("api/conversations.py", "/v1/conversations/{id}/context?budget=2000"),
    "GET its context for gpt-4 (counts)": Probe("api/conversations.py", "/v1/conversations/{id}/context?model=gpt-4"),
    "POST items (counts)": Probe(
        "api/conversations.py", "/v1/conversations/{id}/items", '{"items":[{"role":"user","content":"Hello"}]}'
    ),
    "POST items, a tool list (counts, pydantic)": Probe(
        "api/conversations.py",
        "/v1/conversations/{id}/items",
        '{"items":[{"type":"mcp_list_tools","server_label":"s","tools":[]}]}',
    ),
    "POST tokens/count": Probe("api/tokens.py", "/v1/tokens/count", '{"model":"gpt-4o","input":"Hello"}'),
    "GET /api/health, by RESP": Probe("api/health.py", "/api/health", is_resp=True),
    "GET its context, by RESP": Probe(
        "api/conversations.py", "/v1/conversations/{id}/context?budget=2000", is_resp=True
    ),
    "POST items (counts), by RESP": Probe(
        "api/conversations.py",
        "/v1/conversations/{id}/items",
        '{"items":[{"role":"user","content":"Hello"}]}',
        is_resp=True,
    ),
    "GET its context, on Lambda": Probe(LAMBDA, "/v1/conversations/{id}/context?budget=2000"),
    "POST items (counts), on Lambda": Probe(
        LAMBDA, "/v1/conversations/{id}/items", '{"items":[{"role":"user","content":"Hello"}]}'
    ),
    "POST tokens/count, on Lambda": Probe(LAMBDA, "/v1/tokens/count", '{"model":"gpt-4o","input":"Hello"}'),
}
IMPORTED = ("api.conversations", "api.tokens", "api.health", "aws.instance")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--starts", type=int, default=15, help="starts of each kind (15)")
    parser.add_argument("--against", type=Path, metavar="DIR", help="only beside the checkout there, in turns")
    parser.add_argument("--short", action="store_true", help="one start of each: that it works, no figures")


def run(arguments: argparse.Namespace) -> int:
    starts = 1 if arguments.short else arguments.starts
    if arguments.against:
        print(ratios_table(*measure_in_turns(starts, [arguments.against, ROOT])))
        return 0
    print(table(measure(starts)))
    with tempfile.TemporaryDirectory() as folder:
        deployed = _deploy(Path(folder))
        for module in IMPORTED:
            print(f"\n{imports_table(module, deployed)}")
    return 0


def measure(starts: int) -> dict[str, list[Start]]:
    """Return the starts by row. Raises OSError: a function did not start, or did not answer 200."""
    return measure_in_turns(starts, [ROOT])[0]


def measure_in_turns(starts: int, checkouts: Sequence[Path]) -> list[dict[str, list[Start]]]:
    """Return the starts by row for each of *checkouts*, over one store. Raises OSError: as `measure`."""
    # A checkout may be from before there was a function for AWS, or another protocol.
    probes = {
        name: probe
        for name, probe in PROBES.items()
        if (probe.function != LAMBDA or all((root / LAMBDA).exists() for root in checkouts))
        and (not probe.is_resp or all((root / "requirements-resp.txt").exists() for root in checkouts))
    }
    rows: list[dict[str, list[Start]]] = [{name: [] for name in probes} for _ in checkouts]
    with counted_store() as store, tempfile.TemporaryDirectory() as folder:
        deployed = [_deploy(Path(folder) / str(number), root) for number, root in enumerate(checkouts)]
        conversations = [_make_conversation(store, root.resolve()) for root in checkouts]
        for number in range(starts + 1):
            print(f"round {number} of {starts}", file=sys.stderr, flush=True)
            for name, probe in probes.items():
                sides = list(zip(deployed, conversations, rows, strict=True))
                for functions, conversation, own_rows in sides if number % 2 else reversed(sides):
                    start = _start(functions, probe._replace(path=probe.path.format(id=conversation)), store)
                    if number:  # The first start brings the files into memory.
                        own_rows[name].append(start)
    return rows


def ratios_table(there: dict[str, list[Start]], here: dict[str, list[Start]]) -> str:
    """Return the first answers of two checkouts as Markdown, by row."""
    lines = []
    for name, starts in here.items():
        before, after = ([start.answered_ms for start in each] for each in (there[name], starts))
        lines.append([name, *(f"{statistics.median(each):.0f}" for each in (before, after)), ratio(before, after)])
    return markdown(["first request", "there ms", "here ms", "ratio"], lines)


def table(rows: dict[str, list[Start]]) -> str:
    """Return *rows* as Markdown."""
    bare_ms = statistics.median(start.answered_ms for start in rows[BARE_ROW])
    header = ["first request", "started ms", "first 200 ms: p50 / p95", "times bare Starlette"]
    lines = []
    for name, starts in rows.items():
        answered = [start.answered_ms for start in starts]
        started_ms = statistics.median(start.started_ms for start in starts)
        median_ms = statistics.median(answered)
        spread = f"{median_ms:.0f} / {percentile(answered, 0.95):.0f}"
        lines.append([name, f"{started_ms:.0f}", spread, f"{median_ms / bare_ms:.2f}"])
    return markdown(header, lines)


def _deploy(folder: Path, root: Path = ROOT) -> Path:
    """Return *folder* with the functions of *root*, a bare one among them, and their bytecode, as a deployment has."""
    for name in ("api", "aws", "public", "shared"):
        if (root / name).exists():
            shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "vercel.json", folder)
    (folder / "api" / "bare.py").write_text(BARE)
    compileall.compile_dir(folder, quiet=1)
    return folder


def imports_table(module: str, deployed: Path) -> str:
    """Return what importing *module* costs, by package, as Markdown."""
    command = [sys.executable, "-X", "importtime", "-c", f"import {module}"]
    log = subprocess.run(command, cwd=deployed, capture_output=True, text=True, check=True).stderr
    own_us: Counter[str] = Counter()
    for line in log.splitlines():
        if match := IMPORT_LINE.match(line):
            own_us[_package(match[2])] += int(match[1])
    shown = own_us.most_common(PACKAGES_SHOWN)
    rest_us = own_us.total() - sum(us for _, us in shown)
    rows = [[name, f"{us / 1000:.1f}"] for name, us in [*shown, ("the rest", rest_us)]]
    return markdown([f"import {module}", f"ms of {own_us.total() / 1000:.0f}"], rows)


def _package(name: str) -> str:
    first = name.partition(".")[0]
    if first in sys.stdlib_module_names:
        return "standard library"
    return ".".join(name.split(".")[:2]) if first == "shared" else first


def _start(project: Path, probe: Probe, store: CountedStore) -> Start:
    variables = {"UPSTASH_REDIS_REST_URL": store.url, "UPSTASH_REDIS_REST_TOKEN": store.token}
    if probe.is_resp:
        variables = {"WARMTHREAD_STORE_URL": f"redis://127.0.0.1:{store.redis_port}"}
    begin_s = time.perf_counter()
    if probe.function == LAMBDA:
        with invoked(project, variables) as lambda_:
            started_s = time.perf_counter()
            _invoke(lambda_, probe)
            answered_s = time.perf_counter()
        return Start((started_s - begin_s) * 1000, (answered_s - begin_s) * 1000)
    with launched(project, probe.function, variables) as function:
        started_s = time.perf_counter()
        _request(f"{function.url}{probe.path}", probe.body.encode())
        answered_s = time.perf_counter()
    return Start((started_s - begin_s) * 1000, (answered_s - begin_s) * 1000)


def _invoke(function: Invoked, probe: Probe) -> None:
    path, _, query = probe.path.partition("?")
    headers = [("authorization", f"Bearer {KEY}"), ("content-type", "application/json")]
    asked = Asked("POST" if probe.body else "GET", path, query, headers, probe.body.encode())
    answered = answered_of(function.invoke(event_of(Sender.FUNCTION_URL, asked)))
    if answered.status != HTTPStatus.OK:
        raise OSError(f"{probe.path} answered {answered.status}: {answered.body[:200]!r}")


def _make_conversation(store: CountedStore, checkout: Path) -> str:
    """Store, as *checkout* does, a conversation that a context has something to choose from; return its id."""
    mint_as(checkout, store, KEY)
    items = [{"role": role, "content": "How are you today? " * 5} for role in ("user", "assistant") * 50]
    with instance_at(store, checkout) as served:
        made = _request(f"{served.url}/v1/conversations", json.dumps({"items": items}).encode())
    return str(json.loads(made)["id"])


def _request(url: str, body: bytes) -> bytes:
    headers = {
        "authorization": f"Bearer {KEY}",
        "content-type": "application/json",
        **invocation(),
    }
    request = urllib.request.Request(url, data=body or None, headers=headers)  # noqa: S310 - loopback.
    try:
        with urllib.request.urlopen(request, timeout=START_TIMEOUT_S) as answer:  # noqa: S310
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        raise OSError(f"{url} answered {error.code}: {error.read()[:200]!r}") from None
