"""Checks that need no key: health, what it says of settings and of the store, static files, who is refused."""

from scripts.smoke.caller import shown
from scripts.smoke.result import Unmet, Warned
from scripts.smoke.site import Site

EVICTS = "evicts"
"""A warning of /api/health that is not about a setting has this word."""

DASHBOARD, DESCRIPTION = "/dashboard", "/v1/openapi.json"
DASHBOARD_HEADERS = (
    "content-security-policy",
    "x-content-type-options",
    "referrer-policy",
    "cross-origin-opener-policy",
)
"""Those that vercel.json gives the dashboard."""

SOURCES = ("/shared/config.py", "/api/health.py", "/requirements.txt", "/vercel.json")
"""Files of the repository that would be served if all of it were taken for static files."""


async def health(site: Site) -> str:
    """The deployment answers, and reaches its store."""
    answer = await site.caller.call("GET", "/api/health")
    warnings = answer.member("warnings")
    site.warnings = [shown(each) for each in warnings] if isinstance(warnings, list) else [shown(warnings)]
    site.eviction = str(answer.member("store", "eviction"))
    if answer.member("status") != "ok":
        raise Unmet(f"/api/health answers with the status {shown(answer.member('status'))}")
    return f"deployment {shown(answer.member('deployment'))} answers, and reaches its store"


async def settings(site: Site) -> str:
    """No setting is wrong or misspelt."""
    if wrong := [each for each in site.warnings if EVICTS not in each]:
        raise Unmet(" ".join(wrong))
    return "no setting is wrong"


async def eviction(site: Site) -> str:
    """The store keeps what it was given."""
    if site.eviction == "on":
        raise Unmet(
            "the store evicts: when it is full it forgets conversations, budgets and keys; turn eviction off on the "
            "database's page"
        )
    if site.eviction != "off":
        raise Warned("the store does not say whether it evicts: look at the database's page, eviction has to be off")
    return "the store does not evict"


async def static(site: Site) -> str:
    """Static files are served with their headers, and the sources are not served."""
    page = await site.caller.fetch(DASHBOARD)
    if page.status != 200 or page.media_type != "text/html":
        raise Unmet(f"{DASHBOARD}: {page.status} {shown(page.media_type)} instead of a page: is public/ deployed?")
    if absent := [name for name in DASHBOARD_HEADERS if name not in page.headers]:
        raise Unmet(f"{DASHBOARD} comes without {', '.join(absent)}: was vercel.json applied?")
    description = await site.caller.fetch(DESCRIPTION)
    if description.status != 200 or not str(description.member("openapi")).startswith("3."):
        raise Unmet(f"{DESCRIPTION}: {description.status} instead of the description: was vercel.json applied?")
    for path in SOURCES:
        if (answer := await site.caller.fetch(path)).status != 404:
            raise Unmet(f"{path}: {answer.status} instead of 404: the sources must not be public; is public/ deployed?")
    return "the dashboard has its headers, the API its description, and the sources are not public"


async def strangers(site: Site) -> str:
    """Who has no key, or a wrong one, is refused."""
    for key in ("", "wt_not-a-key", site.wrong_key()):
        answer = await site.caller.call("GET", "/v1/usage", bearer=key, wanted=401)
        if not answer.problem:
            raise Unmet(f"/v1/usage: the refusal is no problem document but {shown(answer.media_type)}")
    return "no key, a malformed one and a wrong one are refused"
