"""Checks with a tenant's key: what the service is for, from a new conversation to its deletion, and a budget."""

import re
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from scripts.smoke.access import KEY
from scripts.smoke.caller import Answer, explain, shown
from scripts.smoke.result import Skipped, Unmet, Warned
from scripts.smoke.site import Site

CONVERSATIONS, RESERVATIONS, USAGE = "/v1/conversations", "/v1/reservations", "/v1/usage"
EXPIRES_AFTER_S = 3_600
"""Should the deletion fail: nothing that was made here outlives the hour."""

MODEL = "gpt-4o"
TALK = (
    {"role": "user", "content": "What is the weather in Paris?"},
    {"role": "assistant", "content": "Sunny, 21 degrees."},
    {"role": "user", "content": "And in Rome?"},
)
TALK_TOKENS, LAST_TOKENS = 32, 11
"""What OpenAI bills for all of it, and for the last message, by its published rule."""

COUNTED_TOKENS = 7
"""Of the first text in o200k_base."""

FAR_MS = 25.0
"""Upstash promises 5 ms for a write within its region, and 50 within its continent."""

FORBIDDEN = 403

ID = re.compile(r"[a-z]+_[A-Za-z0-9_]{1,80}")
TOKENS_MAX, USD_MAX = 1_000_000_000, 1_000_000
"""What one reservation may ask for."""


async def create(site: Site) -> str:
    """A new conversation."""
    body = {"items": [TALK[0]], "expires_after_s": EXPIRES_AFTER_S}
    answer = await _call(site, "POST", CONVERSATIONS, body, {"idempotency-key": secrets.token_hex(12)})
    site.conversation = _id(answer, "conv_")
    return "a conversation was made"


async def append(site: Site) -> str:
    """An append, sent twice as a client's retry is, and stored once."""
    path, body = _path(site, "items"), {"items": list(TALK[1:])}
    again = {"idempotency-key": secrets.token_hex(12)}
    first, second = [await _call(site, "POST", path, body, again) for _ in range(2)]
    if _ids(first) != _ids(second) or second.headers.get("idempotency-replayed") != "true":
        raise Unmet("an append that was sent twice with one Idempotency-Key was not answered the same both times")
    texts = [_text(item) for item in (await _call(site, "GET", f"{path}?order=asc")).elements("data")]
    if texts != [each["content"] for each in TALK]:
        raise Unmet(f"{len(TALK)} items were sent, {len(texts)} were read back: {shown(texts)}")
    return "items were appended, once though sent twice, and read back"


async def context(site: Site) -> str:
    """A context of all, and one of a budget that holds the last message alone."""
    whole = await _context(site, 1_000)
    _equal("messages of the context", whole["messages"], list(TALK))
    _equal("tokens of the context", whole["tokens"], TALK_TOKENS)
    cut = await _context(site, LAST_TOKENS)
    _equal("messages within the budget", cut["messages"], [TALK[-1]])
    _equal("tokens within the budget", cut["tokens"], LAST_TOKENS)
    return f"a context counts what OpenAI bills, and one of {LAST_TOKENS} tokens keeps to them"


async def delete(site: Site) -> str:
    """What was made is gone."""
    path = _path(site)
    try:
        await _call(site, "DELETE", path)
    except Skipped as skipped:
        raise Skipped(f"{skipped}; the conversation that was made expires within the hour") from None
    site.conversation = ""
    await _call(site, "GET", path, wanted=404)
    return "the conversation was deleted"


async def count(site: Site) -> str:
    """A text is counted."""
    answer = await _call(site, "POST", "/v1/tokens/count", {"model": MODEL, "input": TALK[0]["content"]})
    _equal("tokens of the text", answer.member("tokens"), COUNTED_TOKENS)
    return "tokens are counted"


async def budget(site: Site) -> str:
    """More than the tenant's budget is refused."""
    asked = _beyond(await _call(site, "GET", USAGE))
    if asked is None:
        await _reserve_and_release(site)
        raise Skipped(
            "reserving and giving back work; a refusal cannot be seen, for the tenant has no budget: "
            f"scripts/keys set {site.tenant} --tokens-day 1000000"
        )
    refused = await _call(site, "POST", RESERVATIONS, asked, wanted=(200, 429))
    if refused.status == 200:
        site.reservation = _id(refused, "rsv_")
        raise Unmet(f"a reservation of {asked} is beyond the tenant's budget, and was granted")
    if refused.code != "insufficient_quota":
        raise Unmet(f"a reservation beyond the budget was refused for another reason: {shown(refused.body)}")
    if refused.headers.get("x-should-retry") != "false":
        raise Unmet("the refusal of a budget lacks x-should-retry: false, so that clients would try again")
    return "more than the budget is refused"


async def distance(site: Site) -> str:
    """The store is near the functions. By the quickest of the answers so far: the first one opens a connection."""
    waits_ms = site.caller.store_ms
    if not waits_ms:
        raise Unmet("no answer had the header Server-Timing: something between takes headers away")
    where = f" from {site.caller.region}" if site.caller.region else ""
    said = f"the store answers{where} in {min(waits_ms):.1f} ms at best, of {len(waits_ms)} answers"
    if min(waits_ms) > FAR_MS:
        raise Warned(f"{said}: functions (`regions` in vercel.json) and database have to be in one region")
    return said


async def document(site: Site) -> str:
    """A document is read; where no path is given, the object store is asked for one that is not there."""
    if site.document:
        answer = await _call(site, "GET", f"/v1/documents/{quote(site.document)}")
        return f"{shown(site.document)} was read, {len(answer.body):,} bytes"
    path = f"/v1/documents/check-deployment-{secrets.token_hex(8)}.txt"
    answer = await _call(site, "GET", path, wanted=(404, 503))
    if answer.status == 503 and not str(answer.problem.get("type", "")).endswith(":source-unavailable"):
        raise Unmet(explain(answer))
    if answer.status == 503:
        raise Skipped("no object store answers; where documents are used, look at WARMTHREAD_DOCUMENTS_URL and AWS_…")
    return "the object store answers; --document PATH reads one"


async def _call(
    site: Site,
    method: str,
    path: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    wanted: int | tuple[int, ...] = 200,
) -> Answer:
    """Call as the tenant. Raises Unmet; Skipped: the role of the key does not allow it."""
    statuses = (wanted,) if isinstance(wanted, int) else wanted
    answer = await site.caller.call(
        method, path, bearer=site.access.key, body=body, headers=headers, wanted=(*statuses, FORBIDDEN)
    )
    if answer.status != FORBIDDEN:
        return answer
    if answer.code != "insufficient_role":
        raise Unmet(f"{method} {path}: {explain(answer)}")
    role, needed = shown(answer.member("role")), shown(answer.member("required_role"))
    raise Skipped(
        f"the role of {KEY}, {role}, is too little for it: scripts/keys create {site.tenant} --role {needed} makes "
        "a key that can"
    )


def _path(site: Site, part: str = "") -> str:
    """Return the path of the conversation that was made, or of *part* of it. Raises Skipped: none was."""
    if not site.conversation:
        raise Skipped("there is no conversation to try it with")
    return f"{CONVERSATIONS}/{site.conversation}" + (f"/{part}" if part else "")


def _ids(answer: Answer) -> list[str]:
    return [str(each.get("id")) for each in answer.elements("data")]


def _id(answer: Answer, prefix: str) -> str:
    """Return the id of what was made. Raises Unmet: it is none, and must not stand in a path."""
    id_ = str(answer.member("id"))
    if not id_.startswith(prefix) or not ID.fullmatch(id_):
        raise Unmet(f"this is no id: {shown(id_)}")
    return id_


def _text(item: Mapping[str, Any]) -> object:
    """Return the text of a message's only part, None of anything else."""
    match item.get("content"):
        case [{"text": str(text)}]:
            return text
    return None


async def _context(site: Site, budget_tokens: int) -> dict[str, Any]:
    query = f"model={MODEL}&budget={budget_tokens}&format=chat"
    answer = await _call(site, "GET", f"{_path(site, 'context')}?{query}")
    return {"messages": answer.member("messages"), "tokens": answer.member("tokens")}


def _equal(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise Unmet(f"{what}: {shown(found)} instead of {shown(wanted)}")


def _beyond(usage: Answer) -> dict[str, object] | None:
    """Return a reservation that one of the tenant's limits forbids whatever is used yet, None: it has none."""

    def least(unit: str) -> float:
        limits = [usage.member(window, unit, "limit") for window in ("day", "month")]
        return min((each for each in limits if isinstance(each, int | float)), default=float("inf"))

    tokens, usd = least("tokens"), least("usd")
    if tokens < TOKENS_MAX:
        return {"tokens": int(tokens) + 1, "usd": 0}
    return {"tokens": 1, "usd": usd + 1} if usd + 1 <= USD_MAX else None


async def _reserve_and_release(site: Site) -> None:
    reserved = await _call(site, "POST", RESERVATIONS, {"tokens": 1, "usd": 0})
    site.reservation = _id(reserved, "rsv_")
    released = await _call(site, "DELETE", f"{RESERVATIONS}/{site.reservation}")
    site.reservation = ""
    _equal("status of the reservation", released.member("status"), "released")
