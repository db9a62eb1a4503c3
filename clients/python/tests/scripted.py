"""A model that says what a script says: every third call of it asks a tool, and the answers are long."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

type JSON = dict[str, Any]

TURNS = 30
BUDGET = 2_000
CITIES = ("Rome", "Köln", "São Paulo", "東京")
SYSTEM = "You are a travel agent. You answer briefly."


def question(turn: int) -> str:
    return f"Question {turn}: what is the weather in {CITIES[turn % len(CITIES)]}, and what should one see there?"


def asks_tool(turn: int) -> bool:
    """Whether the model asks its tool before it answers *turn*."""
    return turn % 3 != 2


def arguments(turn: int) -> str:
    # Not as a program would write it: it has to come back as it came.
    return f'{{"city":  "{CITIES[turn % len(CITIES)]}", "days": [1, {turn}]}}'


def observation(turn: int) -> str:
    return f"Report {turn}: " + "sunny, 21 degrees, wind from the west; " * 8


def answer(turn: int) -> str:
    return f"Answer {turn}: " + "go to the old town first, then to the river. " * 3


@contextlib.contextmanager
def endpoint(reply: Callable[[JSON], JSON]) -> Iterator[tuple[str, list[JSON]]]:
    """Serve what *reply* makes of the body of each request; yield the address, and the bodies that came."""
    bodies: list[JSON] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            bodies.append(body)
            content = json.dumps(reply(body)).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its parent's name.
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", bodies
        finally:
            server.shutdown()
            thread.join()
