"""
Four instances that serve while a user is erased: who reads from them what is being erased, in whatever way a request
may ask for it, and who writes beside it.

    until the erasure begins                anything may be shown
    after an instance's next request        nothing of the user is, by that instance
    after the receipt                       nothing is, by any
"""

import itertools
import random
import threading
import time
from collections import Counter
from typing import Any

import httpx

WAYS: tuple[dict[str, str], ...] = (
    {},
    {"cache-control": "max-age=3600"},
    {"cache-control": "max-age=3600, only-if-cached"},
    {"cache-control": "max-age=3600, stale-if-error=3600"},
    {"cache-control": "no-cache"},
    {"warmthread-min-version": "1"},
)
PATHS = ("", "/items?order=asc&limit=100", "/items?limit=5", "/context?budget=2000", "/summary", "/export")
SHOWN_MAX = 5
PAUSE_S = 0.02
"""Between two requests of one reader: they are to serve, and not to be at their end."""


class Watcher(threading.Thread):
    """Uses one instance at *api* from a thread of its own, until it is told to stop."""

    def __init__(self, number: int, api: httpx.Client, stem: str, erased: list[str], kept: str, seed: int) -> None:
        super().__init__(daemon=True)
        self.api = api
        self.answered: Counter[str] = Counter()
        self.violations: list[str] = []
        self.appended: list[str] = []
        self.begun_at_s = self.over_at_s = float("inf")
        """When the first call of the erasure was answered, and when the one with the receipt was."""
        self._number, self._stem, self._erased, self._kept = number, stem, erased, kept
        self._dice = random.Random(f"{seed} {number}")  # noqa: S311  # no secret.
        self._has_asked = False
        self._stopped = threading.Event()

    def run(self) -> None:
        for step in itertools.count():
            if self._stopped.wait(PAUSE_S):
                return
            try:
                self._step(step)
            except httpx.HTTPError as error:
                self._violate(f"no answer: {type(error).__name__}")
                return

    def stop(self) -> None:
        self._stopped.set()
        self.join()

    def _step(self, step: int) -> None:
        if time.monotonic() > self.begun_at_s and not self._has_asked:
            # Its next request: from here on it holds nothing.
            answer = self.api.get(f"/v1/conversations/{self._kept}", headers={"cache-control": "no-cache"})
            self._expect(answer, {200}, "kept")
            self._has_asked = True
        if step % 4 == 3:
            self._write(step)
            return
        way, path = self._dice.choice(WAYS), self._dice.choice(PATHS)
        self.look(self._dice.choice(self._erased), path, way)

    def look(self, conversation: str, path: str, way: dict[str, str]) -> None:
        """Read something of the user, and see that it may be shown."""
        asked_at_s = time.monotonic()
        answer = self.api.get(f"/v1/conversations/{conversation}{path}", headers=way)
        self.answered[f"read {answer.status_code}"] += 1
        is_over = asked_at_s > self.over_at_s
        if self._stem in answer.text.replace(conversation, "") and (is_over or self._has_asked):
            when = "after the receipt" if is_over else "after its next request"
            self._violate(f"shows {conversation}{path} {when}, asked with {way}")
        if answer.status_code >= 500 and answer.status_code not in (503, 504):
            self._violate(f"answers {answer.status_code} to {path}")

    def _write(self, step: int) -> None:
        """Append to what stays, which has to work, and to what is erased, which does until it is."""
        text = f"kept {self._number} {step}"
        answer = self.api.post(f"/v1/conversations/{self._kept}/items", json=_message(text))
        self._expect(answer, {200}, "append to what stays")
        self.appended.append(text)
        asked_at_s = time.monotonic()
        lost = self.api.post(f"/v1/conversations/{self._dice.choice(self._erased)}/items", json=_message(self._stem))
        is_begun = asked_at_s > self.begun_at_s
        self._expect(lost, {404, 409, 413} if is_begun else {200, 404, 409, 413}, "append to what is erased")

    def _expect(self, answer: httpx.Response, statuses: set[int], what: str) -> None:
        self.answered[f"{what} {answer.status_code}"] += 1
        if answer.status_code not in statuses:
            self._violate(f"{what}: {answer.status_code} {answer.text[:200]}")

    def _violate(self, text: str) -> None:
        if len(self.violations) < SHOWN_MAX:
            self.violations.append(f"instance {self._number} {text}")


def _message(text: str) -> dict[str, Any]:
    return {"items": [{"role": "user", "content": text}]}
