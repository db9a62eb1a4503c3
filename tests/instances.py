"""
Instances of the service for tests: every function of api/ over HTTP, as the development server runs it, or what
`start_through` starts in its place.
"""

import contextlib
import gc
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import httpx

from scripts.local.functions import Project
from scripts.local.serving import QuietServer, loopback_listener, quiet_server
from tests.roots import CONTEXT

ROOT = Path(__file__).parents[1]
START_TIMEOUT_S = 20.0

COLLECT_EVERY = 20
"""Instances. One leaves 1 to 12 MB, by what it held; a collection takes as long as two tests."""
_ended = itertools.count(1)


class Served(NamedTuple):
    """A server of the service, and what closes what is behind it when it has ended."""

    server: QuietServer
    close: Callable[[], None]


def _start_project() -> Served:
    project = Project(ROOT)
    server = quiet_server(project, lifespan="on", http="h11", keep_alive_s=60, at_end=project.tell_end)
    return Served(server, lambda: None)


start_through: Callable[[], Served] = _start_project
"""What makes the server of an instance; tests/through_aws.py puts another one here."""


@contextlib.contextmanager
def running_instance() -> Iterator[str]:
    """Run one instance in a thread with its own loop; yield its address. Settings come from the environment."""
    server, close = start_through()
    with loopback_listener(0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        give_up_at_s = time.monotonic() + START_TIMEOUT_S
        while not server.started:
            assert thread.is_alive(), "the instance did not start"
            assert time.monotonic() < give_up_at_s, "the instance did not start in time"
            time.sleep(0.002)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.stop()
            thread.join()
            close()
            _give_back()


def _give_back() -> None:
    """
    Collect what closed instances leave, now and then: each one froze all there was when it started (garbage.py), what
    others had left as well, and would keep it to the end of the run.
    """
    if next(_ended) % COLLECT_EVERY == 0:
        gc.unfreeze()
        gc.collect()


def client_of(url: str, key: str) -> httpx.Client:
    """Return a client of the instance at *url*, which calls it with *key*."""
    return httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=30, verify=CONTEXT)
