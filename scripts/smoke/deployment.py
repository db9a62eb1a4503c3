"""
Checks a deployment as its users and operators meet it: over HTTP alone, from wherever this runs.

    health -> settings, eviction, static files, strangers -> a conversation from its making to its end, counts,
    a budget, documents, the way to the store -> metrics, change notices, crons

What is made is deleted, also after Ctrl-C, and would expire within the hour. Where health fails, what needs the store
is not tried: it would only say the same again.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

import httpx

from scripts.smoke import of_anybody, of_operators, of_tenants
from scripts.smoke.access import KEY, Access, read_url
from scripts.smoke.caller import Caller, shown
from scripts.smoke.result import Check, Skipped, State, Unmet, Warned
from scripts.smoke.site import Site

CALL_TIMEOUT_S = 35.0
"""A function may run for 30 s (vercel.json), a cold start included."""

CONNECT_TIMEOUT_S = 10.0
BYPASS_HEADER = "x-vercel-protection-bypass"


class Step(NamedTuple):
    """A check by its *name*. *needs_store*: health has to be good. *needs_key*: a tenant's key has to be known."""

    name: str
    run: Callable[[Site], Awaitable[str]]
    needs_store: bool = True
    needs_key: bool = False


async def same_deployment(site: Site) -> str:
    """One deployment answered all calls, the wanted one if one is."""
    seen = [shown(each) for each in site.caller.deployments]
    if site.deployment and seen != [site.deployment]:
        raise Unmet(f"{', '.join(seen) or 'nobody'} answered instead of {shown(site.deployment)}")
    if len(seen) > 1:
        raise Warned(f"{len(seen)} deployments answered, {', '.join(seen)}: one is being rolled out")
    return f"{seen[0]} answered every call" if seen else "no call was answered"


STEPS = (
    Step("health", of_anybody.health, needs_store=False),
    Step("settings", of_anybody.settings),
    Step("eviction", of_anybody.eviction),
    Step("static", of_anybody.static, needs_store=False),
    Step("strangers", of_anybody.strangers),
    Step("create", of_tenants.create, needs_key=True),
    Step("append", of_tenants.append, needs_key=True),
    Step("context", of_tenants.context, needs_key=True),
    Step("delete", of_tenants.delete, needs_key=True),
    Step("count", of_tenants.count, needs_key=True),
    Step("budget", of_tenants.budget, needs_key=True),
    Step("document", of_tenants.document, needs_key=True),
    Step("distance", of_tenants.distance, needs_key=True),
    Step("metrics", of_operators.metrics),
    Step("changes", of_operators.changes),
    Step("sweep", of_operators.sweep),
    Step("warm", of_operators.warm),
    Step("deployment", same_deployment),
)
"""In this order."""

NAMES = tuple(step.name for step in STEPS)


async def check_deployment(
    url: str,
    access: Access,
    *,
    document: str = "",
    deployment: str = "",
    headers: Mapping[str, str] | None = None,
    without: Sequence[str] = (),
    timeout_s: float = CALL_TIMEOUT_S,
    tell: Callable[[Check], None] | None = None,
    begin: Callable[[str], None] | None = None,
) -> list[Check]:
    """
    Return what each check of the deployment at *url* found, in the order of NAMES; *begin* hears the name of each that
    begins, *tell* of each that ended.

    *document*: a path to read as `/v1/documents/{path}`. *deployment*: the id of the one that has to answer. *headers*
    go with every call, a cookie that chooses a side of a rolling release for instance. *without*: names of checks that
    are left out. *timeout_s*: for one call; crons have 75 s.

    About 30 requests, one after the other. Raises:   WrongUse: *url* is none that a key may be sent to.
    """
    sent = dict(headers or {})
    if access.bypass:
        sent[BYPASS_HEADER] = access.bypass
    limits = httpx.Timeout(None, connect=min(CONNECT_TIMEOUT_S, timeout_s))
    async with httpx.AsyncClient(base_url=read_url(url), headers=sent, timeout=limits, trust_env=True) as client:
        site = Site(Caller(client, access, timeout_s), document=document, deployment=deployment)
        checks: list[Check] = []
        try:
            for step in STEPS:
                if step.name not in without:
                    if begin is not None:
                        begin(step.name)
                    checks.append(await _take(step, site, is_healthy=_is_healthy(checks)))
                    if tell is not None:
                        tell(checks[-1])
        finally:
            await site.clean_up()
    return checks


def _is_healthy(checks: Sequence[Check]) -> bool:
    return not any(each.name == "health" and each.state is State.FAILED for each in checks)


async def _take(step: Step, site: Site, *, is_healthy: bool) -> Check:
    began_at_s = time.monotonic()
    state = State.PASSED
    try:
        if step.needs_store and not is_healthy:
            raise Skipped("not tried, for health failed")
        if step.needs_key and not site.access.key:
            raise Skipped(f"{KEY} is not set here; scripts/keys create makes a key")
        text = await step.run(site)
    except Unmet as unmet:
        state, text = unmet.state, str(unmet)
    return Check(step.name, state, site.access.hide(text), time.monotonic() - began_at_s)
