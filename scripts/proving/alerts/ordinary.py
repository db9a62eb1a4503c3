"""
An ordinary load, a little of everything: what no alert fires for, and every panel of the dashboards shows.
"""

import httpx

from scripts.proving.alerts.site import CRON, Deployment, Site, conversation

DOCUMENT = "guide.md"
DOCUMENTED = {
    "role": "user",
    "content": [{"type": "input_text", "text": "Read"}, {"type": "input_file", "file_url": f"document:{DOCUMENT}"}],
}


LEAST = 11
"""Requests that `use` sends at the least."""


def use(deployment: Deployment) -> None:
    """Use conversations of *deployment*, a little."""
    path = conversation(deployment.api, ("Hello, " * 20, "What is the weather in Paris?"))
    for _ in range(5):
        _ask(deployment.api, "GET", f"{path}/items")
        _ask(deployment.api, "GET", f"{path}/context?model=gpt-4o&budget=20")


def use_all(site: Site, deployment: Deployment) -> None:
    """Use everything that *deployment* offers."""
    use(deployment)
    site.limit(deployment.tenant, tokens_day="1000000")
    (deployment.documents / DOCUMENT).write_text("It is a short guide.")
    api = deployment.api
    path = conversation(api)
    _ask(api, "POST", f"{path}/items", json={"items": [DOCUMENTED]})
    for _ in range(3):
        _ask(api, "GET", f"{path}/context?model=gpt-4o&budget=1000")
        _ask(api, "GET", f"/v1/documents/{DOCUMENT}")
    _ask(api, "POST", "/v1/tokens/count", json={"model": "gpt-4o", "input": "How many are these?"})
    reserved = api.post("/v1/reservations", json={"tokens": 100}).json()
    _ask(api, "POST", f"/v1/reservations/{reserved['id']}/settle", json={"tokens": 90})
    _ask(api, "GET", "/v1/usage")
    for cron in ("sweep", "warm"):
        _ask(api, "GET", f"/api/cron/{cron}", headers=CRON)
    api.get("/v1/conversations/conv_none")  # A refusal: 404.


def _ask(api: httpx.Client, method: str, path: str, **options: object) -> None:
    api.request(method, path, **options).raise_for_status()  # type: ignore[arg-type]  # handed on as they are.
