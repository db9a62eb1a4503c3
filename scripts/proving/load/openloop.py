"""
Sends a schedule at its times, whatever the answers do, and notes each answer; latency counts from when it was due.

At most CONNECTIONS requests are under way. What waits for one of them, for the conversation to be there, or for the
last reply of its own conversation is sent late, counts from when it was due all the same, and is never left out.
"""

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import orjson
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError

from scripts.proving.load.answers import Answer, Used, used_of
from scripts.proving.load.schedule import Step
from scripts.proving.load.wire import Call, Wire

CONNECTIONS = 256
TIMEOUT_S = 30.0
DRAIN_S = 15.0
"""What is not answered so long after the last was due is given up, and counted as unanswered."""

TOTAL = re.compile(r"total;dur=([\d.]+)")
VERSION = re.compile(r'^"\w+\.(\d+)\.')
PARTIAL = "fwd=partial"
NAIVE_TOKENS = re.compile(rb'\{"tokens": (\d+)')
OK, NOT_FOUND = 200, 404
ONLY = "only"
"""The instance of who has no fleet's router before it."""


class Conversation:
    """
    A conversation of the schedule as its agent knows it: what was *said*, and how many items that are, of which it
    *is_sure* while all was answered. *seen*: instance -> the version that it answered with.
    """

    def __init__(self) -> None:
        self.id = ""
        self.said: list[Step] = []
        self.length = 0
        self.is_sure = True
        self.seen: dict[str, int] = {}
        self.last: asyncio.Task[None] | None = None


class OpenLoop:
    """
    One run of *steps* against *url*; `answers` grows meanwhile. *is_naive*: what a turn says is not known is sent again
    as a whole, as agents of the baseline have to.
    """

    def __init__(self, url: str, key: str, wire: Wire, steps: Sequence[Step], *, is_naive: bool = False) -> None:
        self.answers: list[Answer] = []
        self.skipped = 0
        """Requests whose conversation could not be made."""
        self.unanswered = 0
        self.ended_s = 0.0
        self.lags: dict[str, str] = {}
        """Of the baseline: instance -> what it said last of its event loop."""
        self._url, self._key = url, key
        self._wire = wire
        self._steps = steps
        self._is_naive = is_naive
        self._conversations: dict[int, Conversation] = {}
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._began_s = 0.0

    async def run(self, tell: Callable[[int], None] | None = None) -> None:
        """Send all; return when all are answered or given up. *tell* hears how many were sent."""
        headers = {"authorization": f"Bearer {self._key}", "content-type": "application/json"}
        builder = ClientBuilder().base_url(self._url).default_headers(headers).http1_only()
        tasks: dict[asyncio.Task[None], Step] = {}
        async with builder.timeout(timedelta(seconds=TIMEOUT_S)).build() as client:
            self._began_s = time.monotonic()
            try:
                for number, step in enumerate(self._steps):
                    await asyncio.sleep(max(0.0, self._began_s + step.at_s - time.monotonic()))
                    conversation = self._conversations.setdefault(step.conversation, Conversation())
                    task = asyncio.create_task(self._send(client, step, conversation, conversation.last))
                    conversation.last = task
                    tasks[task] = step
                    task.add_done_callback(tasks.pop)
                    if tell is not None:
                        tell(number + 1)
                if tasks:
                    await asyncio.wait(tasks, timeout=DRAIN_S)
            finally:
                self.unanswered = len(tasks)
                self.ended_s = self._now_s()
                left = dict(tasks)
                for task in left:
                    task.cancel()
                await asyncio.gather(*left, return_exceptions=True)
                for step in left.values():
                    self._note_failed(step, "unanswered")

    def _now_s(self) -> float:
        return time.monotonic() - self._began_s

    def _note_failed(self, step: Step, why: str) -> None:
        """Count a request that got no answer: it took at least until now."""
        now_s = self._now_s()
        self.answers.append(Answer(step.kind, step.turn, step.at_s, now_s, now_s, 0, error=why))

    async def _send(
        self, client: Client, step: Step, conversation: Conversation, before: "asyncio.Task[None] | None"
    ) -> None:
        if before is not None:
            await asyncio.wait([before])
        async with self._slots:
            if not conversation.id and step.kind != "create":
                self.skipped += 1
                self._note_failed(step, "skipped")
                return
            sent_s = self._now_s()
            call = self._call(step, conversation)
            was_missing = False
            status, headers, body = await self._ask(client, call)
            if self._is_naive and status == NOT_FOUND and step.kind in ("turn", "reread"):
                await self._ask(client, self._wire.again(conversation.said, conversation.id))
                status, headers, body = await self._ask(client, call)
                was_missing = True
            ended_s = self._now_s()
        instance, tier, used = headers.get("x-fleet-instance", ONLY), _tier(headers), None
        # The baseline's answers are whole histories: the generator has better to do than to read them.
        parsed = orjson.loads(body) if status == OK and (not self._is_naive or step.kind == "create") else {}
        if step.kind != "reread":
            conversation.said.append(step)
            conversation.is_sure = conversation.is_sure and status == OK
            count = self._wire.entries if self._is_naive else self._wire.items
            conversation.length += len(parsed.get("data", ())) or count(step)
        if step.kind == "create":
            conversation.id = parsed.get("id", "")
        if self._is_naive and status == OK:
            is_right = int(headers["x-naive-length"]) == conversation.length
            tier = "missing" if was_missing else "right" if is_right else "wrong"
            self.lags[instance] = headers["x-naive-lag"]
            if step.kind == "turn" and (tokens := NAIVE_TOKENS.match(body)):
                used = Used(0, 0, 0, tokens=int(tokens[1]))
        elif step.kind == "turn" and "kept" in parsed.get("context", ()):
            used = _used(parsed, conversation.seen.get(instance, 0), tier)
            if conversation.is_sure and parsed["context"]["version"] != conversation.length:
                tier = "wrong"
        found = VERSION.match(headers.get("etag", ""))
        if found and step.kind in ("turn", "reread"):
            conversation.seen[instance] = max(conversation.seen.get(instance, 0), int(found[1]))
        took = TOTAL.search(headers.get("server-timing", ""))
        self.answers.append(
            Answer(
                step.kind, step.turn, step.at_s, sent_s, ended_s, status, tier, instance,
                is_cold=headers.get("x-fleet-cold") == "1",
                service_ms=float(took[1]) if took else 0.0,
                used=used, bytes_sent=len(call.body), bytes_received=len(body),
                error="" if status == OK else _error(headers, body),
            )
        )  # fmt: skip

    def _call(self, step: Step, conversation: Conversation) -> Call:
        if step.kind == "create":
            return self._wire.create(step)
        if step.kind == "reread":
            return self._wire.reread(conversation.id)
        return self._wire.append(step, conversation.id)

    async def _ask(self, client: Client, call: Call) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body; status 0 where no answer came."""
        request = client.request(call.method, call.path).headers(dict(call.headers))
        try:
            response = await (request.body_bytes(call.body) if call.body else request).build().send()
            return response.status, dict(response.headers), bytes(await response.bytes())
        except PyreqwestError as error:
            return 0, {"x-vercel-error": type(error).__name__}, b""


def _error(headers: Mapping[str, str], body: bytes) -> str:
    """Return the name of what went wrong: the platform's, or the problem's."""
    if "x-vercel-error" in headers:
        return headers["x-vercel-error"]
    try:
        found = orjson.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return ""
    return str(found["code"]) if isinstance(found, dict) and "code" in found else ""


def _tier(headers: Mapping[str, str]) -> str:
    status = headers.get("cache-status", "")
    if PARTIAL in status:
        return "partial"
    return status.rpartition("detail=")[2] if "detail=" in status else ""


def _used(answer: Any, known: int, tier: str) -> Used:
    context, own = answer["context"], len(answer["data"])
    numbers = used_of(context["kept"]["items"], own, context["version"] - own, known, tier)
    return Used(*numbers, tokens=context["tokens"])
