"""The function as Lambda calls it, for tests: one instance, its events, and what became of them."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from aws.instance import Instance
from scripts.aws.events import Answered, Asked, Sender, answered_of, event_of
from scripts.aws.front import Context


class Function:
    """One instance. What goes in and comes out is JSON on its way, as there."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def invoke(self, event: object, remaining_s: float = 60.0) -> Any:
        """Return what is returned for *event*. Raises EventError."""
        sent = json.loads(json.dumps(event))
        return json.loads(json.dumps(self._instance(sent, Context(remaining_s)), ensure_ascii=False))

    def ask(
        self,
        method: str,
        target: str,
        key: str = "",
        body: object = None,
        sender: Sender = Sender.FUNCTION_URL,
        remaining_s: float = 60.0,
        **headers: str,
    ) -> Answered:
        """Return the answer to a request that *sender* carries."""
        path, _, query = target.partition("?")
        pairs = [("host", "service.example"), *((name.replace("_", "-"), value) for name, value in headers.items())]
        if key:
            pairs.append(("authorization", f"Bearer {key}"))
        content = b"" if body is None else json.dumps(body).encode()
        return answered_of(self.invoke(event_of(sender, Asked(method, path, query, pairs, content)), remaining_s))


@contextlib.contextmanager
def running_function() -> Iterator[Function]:
    """Run an instance for this block. Settings come from the environment."""
    instance = Instance()
    try:
        yield Function(instance)
    finally:
        instance.close()
