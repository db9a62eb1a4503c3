"""Checks of what operators use: metrics, change notices, crons. Each is closed to others, and open to its secret."""

import re

from scripts.smoke.access import VARIABLES
from scripts.smoke.caller import Answer, shown
from scripts.smoke.result import Skipped, Unmet, Warned
from scripts.smoke.site import Site
from shared.request.cron_time import BUSY, FAILED, SOURCE_AWAY

CRON_TIMEOUT_S = 75.0
"""A cron may run for a minute (vercel.json)."""

METRICS, CHANGES, SWEEP, WARM = "/api/metrics", "/v1/changes", "/api/cron/sweep", "/api/cron/warm"
METRICS_LINE = re.compile(r"# (?:HELP|TYPE) warmthread_\w+ .*|warmthread_\w+(?:\{.*\})? [-+.\dEeInfNa]+")
WENT_WRONG = (FAILED, SOURCE_AWAY)
"""Outcomes of a cron, or of a half of one."""


async def metrics(site: Site) -> str:
    """The metrics of all instances."""
    answer = await _opened(site, "GET", METRICS, "metrics")
    lines = answer.body.decode(errors="replace").splitlines()
    if wrong := next((line for line in lines if line and METRICS_LINE.fullmatch(line) is None), None):
        raise Unmet(f"{METRICS}: no line of Prometheus' text format: {shown(wrong)}")
    if not lines:
        return "metrics are open to their secret alone; no instance handed over any yet"
    return f"metrics are open to their secret alone, {len(lines):,} lines"


async def changes(site: Site) -> str:
    """A notice that reports nothing."""
    answer = await _opened(site, "POST", CHANGES, "changes", body={"changes": []})
    if answer.member("reported") != 0:
        raise Unmet(f"{CHANGES}: {shown(answer.body)}")
    return "change notices are open to their secret alone"


async def sweep(site: Site) -> str:
    """The daily sweep, which may run at any time."""
    answer = await _opened(site, "GET", SWEEP, "cron", timeout_s=CRON_TIMEOUT_S)
    outcomes = [str(answer.member("outcome")), str(answer.member("conversations", "outcome"))]
    if not set(WENT_WRONG).isdisjoint(outcomes) or answer.member("conversations", "tenants_failed"):
        raise Unmet(f"{SWEEP} failed, the log says why: {shown(answer.body)}")
    return f"the sweep is open to its secret alone: documents {shown(outcomes[0])}, conversations {shown(outcomes[1])}"


async def warm(site: Site) -> str:
    """The daily warming, which calls the conversations' function by the deployment's own address."""
    answer = await _opened(site, "GET", WARM, "cron", timeout_s=CRON_TIMEOUT_S)
    outcome, instance = shown(answer.member("outcome")), answer.member("instance")
    if outcome in WENT_WRONG or answer.member("failed"):
        raise Unmet(f"{WARM} failed, the log says why: {shown(answer.body)}")
    if outcome == BUSY:
        return "warming is open to its secret alone; another run is at it"
    if instance is None:
        raise Warned(
            "documents were warmed, but no instance: it does not know its own address; turn on the project's system "
            "environment variables, or set WARMTHREAD_OWN_URL"
        )
    if instance != 200:
        raise Warned(
            f"documents were warmed, but no instance: its own address answered it {shown(instance)}; where deployments "
            "are protected, turn on Protection Bypass for Automation and deploy again"
        )
    return f"warming is open to its secret alone: {outcome}, {answer.member('documents')} documents, one instance"


async def _opened(
    site: Site, method: str, path: str, field: str, *, body: object = None, timeout_s: float = 0
) -> Answer:
    """
    Return the answer to who shows the secret *field*, after another one was refused.

    Raises:   Unmet: it is open to others, or not to this secret. Skipped: the secret is not known.
    """
    for other in ("", site.wrong_secret()):
        await site.caller.call(method, path, bearer=other, body=body, wanted=401)
    secret = getattr(site.access, field)
    if not secret:
        raise Skipped(f"closed to others; {VARIABLES[field]} is not set here, so it was not opened")
    answer = await site.caller.call(method, path, bearer=secret, body=body, wanted=(200, 401), timeout_s=timeout_s)
    if answer.status == 401:
        raise Unmet(
            f"{path} does not open to the {VARIABLES[field]} that is set here: the deployment has another one, or was "
            "made before it had this one"
        )
    return answer
