"""
A Prometheus of our own: Debian's, unpacked by scripts/get-prometheus, as a process that ends with the block.
"""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx

from scripts.local.serving import loopback_listener
from scripts.proving.alerts.rules import FACTOR

TOOLS = Path(__file__).parents[3] / ".warmthread" / "tools" / "prometheus" / "usr" / "bin"
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0
MINUTE_S = 60 // FACTOR
LOOKBACK_S = 5 * MINUTE_S
"""For how long a sample that no scrape repeats is believed."""

MISSING = "Prometheus is not here: scripts/get-prometheus unpacks Debian's"

CONFIG = """\
global: {{scrape_interval: {minute_s}s, scrape_timeout: {minute_s}s, evaluation_interval: 1s}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: warmthread
    metrics_path: /api/metrics
    authorization: {{credentials_file: secret}}
    static_configs: [{{targets: ['{target}']}}]
"""


def find(program: str) -> str | None:
    """Return where *program*, `prometheus` or `promtool`, is; None: it is not here."""
    return shutil.which(program, path=str(TOOLS)) or shutil.which(program)


class QueryFailed(RuntimeError):
    """Prometheus does not answer a query; the text is what it says."""


class Alert(NamedTuple):
    """An alert that fires, or will if what it waits for goes on; with its *labels*, without the name."""

    name: str
    is_firing: bool
    labels: dict[str, str]
    annotations: dict[str, str]


class Prometheus:
    """One that runs, asked over HTTP."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=10)

    def query(self, expression: str) -> list[Any]:
        """Return the samples of *expression* now. Raises QueryFailed."""
        answer = self._client.post("/api/v1/query", data={"query": expression}).json()
        if answer["status"] != "success":
            raise QueryFailed(answer["error"])
        found = answer["data"]["result"]
        return found if answer["data"]["resultType"] in ("vector", "matrix") else [found]

    def alerts(self) -> list[Alert]:
        """Return what fires now, or is pending."""
        listed = self._client.get("/api/v1/alerts").json()["data"]["alerts"]
        return [
            Alert(each["labels"].pop("alertname"), each["state"] == "firing", each["labels"], each["annotations"])
            for each in listed
        ]

    def is_ready(self) -> bool:
        try:
            return self._client.get("/-/ready").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def close(self) -> None:
        self._client.close()


@contextlib.contextmanager
def running_prometheus(url: str, secret: str, rules: str, folder: Path) -> Iterator[Prometheus]:
    """
    Run one that scrapes the service at *url* each MINUTE_S, follows *rules*, and keeps what it needs in *folder*.

    Raises:   RuntimeError: there is none here, or it does not start; the text says why.
    """
    program = find("prometheus")
    if program is None:
        raise RuntimeError(MISSING)
    (folder / "prometheus.yml").write_text(CONFIG.format(target=urlsplit(url).netloc, minute_s=MINUTE_S))
    (folder / "rules.yml").write_text(rules)
    (folder / "secret").write_text(secret)
    with loopback_listener(0) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    command = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        f"--query.lookback-delta={LOOKBACK_S}s",
        "--log.level=error",
    ]
    log_path = folder / "log"
    with log_path.open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        prometheus = Prometheus(f"http://{address}")
        try:
            give_up_at_s = time.monotonic() + START_TIMEOUT_S
            while not prometheus.is_ready():
                if process.poll() is not None or time.monotonic() > give_up_at_s:
                    raise RuntimeError(f"could not start Prometheus: {log_path.read_text()[-1_000:]}")
                time.sleep(0.1)  # Nothing tells when it is ready but asking it.
            yield prometheus
        finally:
            prometheus.close()
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
