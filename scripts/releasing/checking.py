"""
Whether a canary may have traffic at all: its own address is checked as `scripts/check-deployment` does.

Left out are crons and change notices: a deployment that was built for production has production's store, where they are
at work already. What proves nothing because it was not tried counts as wrong, or a missing key would pass everything.
"""

from collections.abc import Callable

from scripts.releasing.vercel import DeploymentFound
from scripts.smoke.access import Access
from scripts.smoke.deployment import check_deployment
from scripts.smoke.result import Check, State

LEFT_OUT = ("changes", "sweep", "warm")
MAY_BE_SKIPPED = frozenset({"document", "budget", "distance"})
"""No document is named, or the key has no budget of its own."""


def unfit(found: DeploymentFound) -> str:
    """Return why a deployment cannot be released, by what the API says of it; empty where it can."""
    if found.ready_state != "READY":
        return f"{found.id} is {found.ready_state or 'in no state'}, not READY"
    if found.target != "production":
        return (
            f"{found.id} was built as a preview, with a preview's variables and store: build it for production without "
            "giving it traffic, `vercel deploy --prod --skip-domain`, and release that"
        )
    return ""


async def wrong_with(found: DeploymentFound, access: Access, document: str, tell: Callable[[Check], None]) -> list[str]:
    """Return what is wrong with the deployment at its own address, a sentence each."""
    if reason := unfit(found):
        return [reason]
    checks = await check_deployment(
        found.url, access, document=document, deployment=found.id, without=LEFT_OUT, tell=tell
    )
    return [f"{each.name}: {each.text}" for each in checks if _is_wrong(each, document)]


def _is_wrong(check: Check, document: str) -> bool:
    if check.state is State.SKIPPED:
        return check.name not in MAY_BE_SKIPPED or (check.name == "document" and bool(document))
    return check.state is State.FAILED
