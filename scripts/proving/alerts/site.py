"""
What a rehearsal of alerts happens to: a store, and deployments of one instance each, in processes of their own.
"""

import contextlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from scripts.faults.server import FaultyServer
from scripts.local.mint import mint
from scripts.local.tenants import read_limits
from scripts.local.upstash import LocalUpstash
from scripts.proving.fleet import Instance, environment_without_store, running_instances
from scripts.proving.past import Past
from shared.request.caller import make_key, read_key
from shared.store import keys

SECRETS = {name: secrets.token_urlsafe(18) for name in ("WARMTHREAD_METRICS_SECRET", "CRON_SECRET")}
METRICS_SECRET = SECRETS["WARMTHREAD_METRICS_SECRET"]
CRON = {"authorization": f"Bearer {SECRETS['CRON_SECRET']}"}
CALLERS = 25
MEMORY_BYTES = 1_073_741_824
"""Plenty, and known also where nothing limits the process."""

TIMEOUT_S = 30.0


class Deployment(NamedTuple):
    """
    A deployment of one instance. *api* calls it as *tenant*, whose documents are in *documents*; *front* is what it has
    for the store, and may misbehave.
    """

    name: str
    api: httpx.Client
    tenant: str
    documents: Path
    front: FaultyServer
    instance: Instance

    def at_once(self, call: Callable[[httpx.Client], httpx.Response], times: int) -> list[int]:
        """Call *times* times, up to CALLERS at once; return the statuses."""
        with ThreadPoolExecutor(CALLERS) as pool:
            return [each.status_code for each in pool.map(lambda _: call(self.api), range(times))]


class Site:
    """A store of its own, which holds what deployments count."""

    def __init__(self, upstash: LocalUpstash, folder: Path) -> None:
        self._upstash = upstash
        self._folder = folder
        self._store = Past(upstash.url, upstash.token)

    def run(self, *command: str | int) -> Any:
        """Run one command on the store, past the service."""
        return self._store.run(*command)

    def limit(self, tenant: str, **options: str) -> None:
        """Set limits of *tenant*, as `scripts/keys set` does."""
        for field, value in read_limits(options).items():
            self.run("HSET", keys.tenant_key(tenant), field, str(value))

    @contextlib.contextmanager
    def deployment(self, name: str, settings: Mapping[str, str] | None = None) -> Iterator[Deployment]:
        """Run a deployment with *settings*; it hands over each second what it counts."""
        key = make_key(f"t{secrets.token_hex(10)}")
        tenant = read_key(key).tenant
        mint(self._upstash.url, self._upstash.token, key)
        documents = self._folder / tenant
        documents.mkdir()
        with contextlib.ExitStack() as stack:
            front = stack.enter_context(FaultyServer(self._upstash.url))
            environment = environment_without_store()
            environment |= SECRETS | {
                "UPSTASH_REDIS_REST_URL": front.url,
                "UPSTASH_REDIS_REST_TOKEN": self._upstash.token,
                "VERCEL_DEPLOYMENT_ID": name,
                "WARMTHREAD_METRICS_FLUSH_S": "1",
                "WARMTHREAD_MEMORY_BYTES_MAX": str(MEMORY_BYTES),
                # A machine with other work is no outage.
                "WARMTHREAD_STORE_TIMEOUT_S": "20",
                "WARMTHREAD_STORE_CONNECT_TIMEOUT_S": "10",
                "WARMTHREAD_DOCUMENTS_URL": str(self._folder),
                **(settings or {}),
            }
            [instance] = stack.enter_context(running_instances(1, environment, is_quiet=True))
            headers = {"authorization": f"Bearer {key}"}
            limits = httpx.Limits(max_connections=CALLERS)
            api = stack.enter_context(
                httpx.Client(base_url=instance.url, headers=headers, limits=limits, timeout=TIMEOUT_S)
            )
            yield Deployment(name, api, tenant, documents, front, instance)

    def close(self) -> None:
        self._store.close()


@contextlib.contextmanager
def running_site(folder: Path) -> Iterator[Site]:
    """Run a store; documents are below *folder*."""
    with LocalUpstash() as upstash:
        site = Site(upstash, folder)
        try:
            yield site
        finally:
            site.close()


def conversation(api: httpx.Client, texts: Iterable[str] = ("Hello",)) -> str:
    """Make a conversation of *texts*; return its path."""
    items = [{"role": "user", "content": text} for text in texts]
    answer = api.post("/v1/conversations", json={"items": items})
    answer.raise_for_status()
    return f"/v1/conversations/{answer.json()['id']}"
