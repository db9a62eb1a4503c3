"""
The object store of tests: moto's S3 server on loopback, written to past the service.
"""

import contextlib
import logging
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

if TYPE_CHECKING:
    import pytest

BUCKET = "documents"
AWS_VARIABLES = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
}


SIGNED = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request"
"""Signed enough for moto, which lets strangers write new objects but change none."""


class ObjectStore:
    """One bucket. *url* is the endpoint."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, headers={"authorization": SIGNED})
        self._http.put(f"/{BUCKET}").raise_for_status()

    def put(self, path: str, body: str | bytes) -> str:
        """Write an object and return its entity tag."""
        answer = self._http.put(f"/{BUCKET}/{quote(path)}", content=body)
        return str(answer.raise_for_status().headers["etag"])

    def fill(self, paths: Iterable[str], body: bytes) -> None:
        """Write many new objects past HTTP, which takes a hundredth of the time. Only in the process of the server."""
        from moto.core.models import DEFAULT_ACCOUNT_ID
        from moto.s3.models import s3_backends

        for path in paths:
            s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(BUCKET, path, body)

    def delete(self, path: str) -> None:
        self._http.delete(f"/{BUCKET}/{quote(path)}").raise_for_status()

    def use(self, patch: "pytest.MonkeyPatch", endpoint: str = "") -> None:
        """Let instances that start from now on use this bucket, through *endpoint* if one is given."""
        for name, value in self.settings(endpoint).items():
            patch.setenv(name, value)

    def settings(self, endpoint: str = "") -> dict[str, str]:
        """Return the variables of an instance that uses this bucket, through *endpoint* if one is given."""
        address = {"AWS_ENDPOINT_URL": endpoint or self.url, "WARMTHREAD_DOCUMENTS_URL": f"s3://{BUCKET}"}
        return AWS_VARIABLES | address

    def close(self) -> None:
        self._http.close()


class _WritesInTurn:
    """A WSGI app whose writes come one after the other: moto compares and writes in two steps, S3 in one."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in ("PUT", "DELETE"):
            answer: Iterable[bytes] = self._app(environ, start_response)
            return answer
        with self._lock:
            return list(self._app(environ, start_response))


@contextlib.contextmanager
def running_s3() -> Iterator[ObjectStore]:
    # Two seconds, which who asks a script for its --help does not wait for.
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    assert server._server is not None
    server._server.app = _WritesInTurn(server._server.app)
    host, port = server.get_host_and_port()
    store = ObjectStore(f"http://{host}:{port}")
    try:
        yield store
    finally:
        store.close()
        server.stop()
