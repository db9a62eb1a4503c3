"""
What may happen to a conversation, drawn by Hypothesis, and what is to be seen of it afterwards.

A life is a list of events; `live` makes them happen to a conversation, `seen` reads it in every way there is. Two
conversations with the same life must look the same, whatever else was done to one of them.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import httpx
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.examples import examples

SETTINGS = settings(
    max_examples=examples(75),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


class Append(NamedTuple):
    """A batch of items, named by their kinds: user, system, assistant, call, output, reasoning."""

    kinds: tuple[str, ...]


class Delete(NamedTuple):
    """Of the items that live, the one at *which*, counted around."""

    which: int


class Update(NamedTuple):
    value: str


class Summarise(NamedTuple):
    """Through the item at *which* of all there ever were; what the service refuses has no effect."""

    which: int


class Unsummarise(NamedTuple):
    """Delete the summary, where there is one."""


class Compact(NamedTuple):
    """On request."""


Event = Append | Delete | Update | Summarise | Unsummarise | Compact
Life = list[Event]

kinds = st.sampled_from("uuusaacor")
events: st.SearchStrategy[Event] = st.one_of(
    st.lists(kinds, min_size=1, max_size=5).map(lambda some: Append(tuple(some))),
    st.lists(kinds, min_size=1, max_size=5).map(lambda some: Append(tuple(some))),
    st.integers(0, 60).map(Delete),
    st.integers(0, 60).map(Delete),
    st.sampled_from("ab").map(Update),
    st.integers(0, 60).map(Summarise),
    st.integers(0, 60).map(Summarise),
    st.builds(Unsummarise),
)
lives = st.lists(events, min_size=1, max_size=14)


def item(kind: str, number: int) -> dict[str, Any]:
    """Return the item that is the *number*-th of its conversation. Call ids come again."""
    call_id, text = f"call_{number % 2}", f"{kind} {number} " + "word " * (number % 7)
    bodies: dict[str, dict[str, Any]] = {
        "u": {"role": "user", "content": text},
        "s": {"role": "system", "content": text},
        "a": {"role": "assistant", "content": text},
        "c": {"type": "function_call", "call_id": call_id, "name": "f", "arguments": text},
        "o": {"type": "function_call_output", "call_id": call_id, "output": text},
        "r": {"type": "reasoning", "summary": [{"type": "summary_text", "text": text}]},
    }
    return {"id": f"item_{number}", **bodies[kind]}


class Told(NamedTuple):
    """
    How a life went: the conversation, every id in order, those that were deleted; *summaries*: what the summary came
    to stand for each time that it changed, "" where it was deleted.
    """

    id: str
    ids: list[str]
    deleted: list[str]
    summaries: list[str]


def begin(api: httpx.Client) -> Told:
    return Told(str(api.post("/v1/conversations", json={"metadata": {"k": "0"}}).json()["id"]), [], [], [])


def live(api: httpx.Client, told: Told, life: Iterable[Event]) -> None:
    """Let the events of *life* happen to the conversation of *told*, which takes note."""
    url = f"/v1/conversations/{told.id}"
    for event in life:
        if isinstance(event, Append):
            new = [item(kind, len(told.ids) + at) for at, kind in enumerate(event.kinds)]
            ok(api.post(url + "/items", json={"items": new}))
            told.ids.extend(each["id"] for each in new)
        elif isinstance(event, Delete):
            remaining = [each for each in told.ids if each not in told.deleted]
            if remaining:
                delete(api, told, remaining[event.which % len(remaining)])
        elif isinstance(event, Update):
            ok(api.post(url, json={"metadata": {"k": event.value}}))
        elif isinstance(event, Compact):
            ok(api.post(url + "/compact"))
        elif isinstance(event, Unsummarise):
            unsummarise(api, told)
        elif told.ids:
            through = told.ids[event.which % len(told.ids)]
            answer = api.post(url + "/summary", json={"through": through, "text": f"all up to {through}"})
            assert answer.status_code in (200, 400), answer.text
            if answer.status_code == 200:
                told.summaries.append(through)


def delete(api: httpx.Client, told: Told, item_id: str) -> None:
    ok(api.delete(f"/v1/conversations/{told.id}/items/{item_id}"))
    told.deleted.append(item_id)


def unsummarise(api: httpx.Client, told: Told) -> None:
    answer = api.delete(f"/v1/conversations/{told.id}/summary")
    assert answer.status_code == (200 if told.summaries and told.summaries[-1] else 404), answer.text
    if answer.status_code == 200:
        told.summaries.append("")


def ok(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


QUERIES = (
    "budget=100000",
    "budget=100000&format=chat&encoding=cl100k_base",
    "budget=120&format=text",
    "budget=60&format=anthropic",
    "budget=150&stable_prefix=true",
)
NOT_COMPARED = {"conversation_id", "request_id", "version"}
PAGE = 4
PLACES_MAX = 5


def seen(api: httpx.Client, told: Told) -> dict[str, Any]:
    """Return what the reads of the conversation answer, but its own id, its version and the ids of summaries' notes."""
    url = f"/v1/conversations/{told.id}"
    views: dict[str, Any] = {"metadata": api.get(url).json()["metadata"]}
    views["summary"] = {
        name: value
        for name, value in api.get(url + "/summary").json().items()
        if name in ("through", "tokens", "text", "status")
    }
    for query in QUERIES:
        body = api.get(f"{url}/context?{query}").json()
        for sent in body.get("input", []):
            if sent["id"].startswith("msg_"):
                del sent["id"]
        body.get("cache", {}).pop("key", None)  # Which is its id.
        views[query] = {name: value for name, value in body.items() if name not in NOT_COMPARED}
    for after in ("", *told.deleted[:PLACES_MAX], *told.ids[-1:]):
        for order in ("asc", "desc"):
            page = api.get(
                f"{url}/items", params={"order": order, "limit": PAGE, **({"after": after} if after else {})}
            )
            shown = {name: value for name, value in page.json().items() if name != "request_id"}
            for each in shown.get("data", []):
                del each["created_at"]
            views[f"{order} after {after!r}"] = (page.status_code, shown)
    for each in told.deleted[:PLACES_MAX]:
        views[each] = api.get(f"{url}/items/{each}").status_code
    return views
