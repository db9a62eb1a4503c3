"""
Steps of a schedule as the HTTP requests that they are.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

from scripts.proving.load.schedule import Piece, Step
from scripts.proving.load.texts import Corpus

MODEL = "gpt-4o"
FORMAT = "chat"


class Call(NamedTuple):
    """One HTTP request."""

    method: str
    path: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class Wire:
    """
    Makes requests of steps: texts from *corpus*, contexts of *budget* tokens. *expires_s*: how long after their last
    use conversations expire, 0 as the service has it.
    """

    def __init__(self, corpus: Corpus, budget: int, *, expires_s: int = 0) -> None:
        self._corpus = corpus
        self._budget = budget
        self._life = {"expires_after_s": expires_s} if expires_s else {}

    def create(self, step: Step) -> Call:
        return Call("POST", "/v1/conversations", orjson.dumps(self._batch(step) | self._life))

    def again(self, steps: Iterable[Step], conversation_id: str) -> Call:
        """All that was said in *steps*, for an instance that does not know the conversation (baseline only)."""
        batches = [self._batch(step) for step in steps]
        name = next((name for batch in batches for name in batch if name != "format"), "items")
        said = [each for batch in batches for each in batch.get(name, ())]
        return Call("POST", "/v1/conversations", orjson.dumps({name: said, "id": conversation_id}))

    def append(self, step: Step, conversation_id: str) -> Call:
        """What a turn or a reply appends; a turn asks for the context as well."""
        body = self._batch(step)
        if step.kind == "turn":
            body["context"] = {"model": MODEL, "budget": self._budget, "format": FORMAT}
        return Call("POST", f"/v1/conversations/{conversation_id}/items", orjson.dumps(body))

    def reread(self, conversation_id: str) -> Call:
        path = f"/v1/conversations/{conversation_id}/context?model={MODEL}&budget={self._budget}&format={FORMAT}"
        return Call("GET", path, headers=(("cache-control", "max-age=60"),))

    def items(self, step: Step) -> int:
        """Return how many items a step appends: a message of a chat may be several."""
        if step.messages:
            return sum(max(1, len(each.get("tool_calls") or ()) + bool(each.get("content"))) for each in step.messages)
        return self.entries(step)

    def entries(self, step: Step) -> int:
        """Return of how many entries its list is: what who stores it as it came counts."""
        return len(step.messages) or sum(2 if piece.role == "tool" else 1 for piece in step.pieces)

    def _batch(self, step: Step) -> dict[str, Any]:
        if step.messages:
            return {"messages": step.messages, "format": "chat"}
        items = [item for piece in step.pieces for item in self._items(piece)]
        if step.document and items:
            parts = [{"type": "input_file", "file_url": f"document:{step.document}"}]
            items[-1]["content"] = [*parts, {"type": "input_text", "text": items[-1]["content"]}]
        return {"items": items}

    def _items(self, piece: Piece) -> list[dict[str, Any]]:
        text = self._corpus.text(piece.number, piece.tokens)
        if piece.role != "tool":
            return [{"role": piece.role, "content": text}]
        call = {"type": "function_call", "call_id": f"call_{piece.number}", "name": "look_up", "arguments": "{}"}
        return [call, {"type": "function_call_output", "call_id": call["call_id"], "output": text}]
