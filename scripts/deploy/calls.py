"""
Calls running functions over HTTP, each path routed as the platform would: by the routes of the build.

Covers every function once with what it is for, and the refusals that every deployment must get right.
"""

import http.client
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.deploy.launcher import Instance
from scripts.deploy.report import CheckFailed, detail
from shared.version import VERSION

CALL_TIMEOUT_S = 30.0
QUESTION = "Which gate does flight HAT097 leave from?"
QUESTION_TOKENS = 10  # In o200k_base.
CONTEXT_TOKENS = 3 + 1 + QUESTION_TOKENS + 3  # The message, its role, its text; the whole.


class Deployment:
    """The running functions behind the routes that `vercel build` wrote."""

    def __init__(self, output: Path, instances: Mapping[str, Instance], key: str) -> None:
        config = json.loads((output / "config.json").read_bytes())
        self._routes: Sequence[Mapping[str, Any]] = config["routes"]
        self._instances = instances
        self._key = key

    def function_for(self, path: str) -> str | None:
        """The function that serves *path*, None where the platform itself answers 404."""
        if path.lstrip("/") in self._instances:
            return path.lstrip("/")
        for route in self._routes:
            if route.get("handle") == "error":
                break
            if "src" in route and re.match(route["src"], path):
                return str(route["dest"]).lstrip("/") if route.get("check") else None
        return None

    def call(
        self, function: str, method: str, target: str, body: object = None, *, status: int = 200, key: str | None = None
    ) -> Any:
        """
        Send a request by the routes, and return the JSON of its answer.

        Raises:  CheckFailed: it went to another function, the status is another, a refusal is no problem document.
        """
        routed = self.function_for(target.partition("?")[0])
        if routed != function:
            raise CheckFailed(f"{method} {target} is routed to {routed}, not to {function}")
        instance = self._instances[function]
        content = json.dumps(body) if body is not None else None
        connection = http.client.HTTPConnection("127.0.0.1", instance.port, timeout=CALL_TIMEOUT_S)
        try:
            connection.request(method, target, content, self._headers(key))
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise CheckFailed(f"{method} {target} got no answer: {error!r}\n{instance.log_tail()}") from error
        finally:
            connection.close()
        detail(f"{response.status} {method} {target}")
        media_type = response.getheader("content-type", "").partition(";")[0]
        wanted_type = "application/json" if status < 400 else "application/problem+json"
        if (response.status, media_type) != (status, wanted_type):
            text = answer[:500].decode(errors="replace")
            raise CheckFailed(f"instead of {status} {wanted_type} came {media_type}: {text}\n{instance.log_tail()}")
        return json.loads(answer)

    def _headers(self, key: str | None) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {key or self._key}",
            "Content-Type": "application/json",
            # What the platform's proxy adds to every request.
            "X-Forwarded-Proto": "https",
            "X-Forwarded-For": "192.0.2.1",
            "X-Vercel-Internal-Invocation-Id": "check",
            "X-Vercel-Internal-Request-Id": "1",
        }


def call_everything(deployment: Deployment, wrong_key: str) -> None:
    """Use *deployment* as a client would. Raises CheckFailed: an answer was not the promised one."""
    _equal("version in the bundle", deployment.call("api/health", "GET", "/api/health")["version"], VERSION)
    deployment.call("api/metrics", "GET", "/api/metrics", status=401)
    _converse(deployment)
    counted = deployment.call("api/tokens", "POST", "/v1/tokens/count", {"model": "gpt-4o", "input": QUESTION})
    _equal("tokens of the question", counted["tokens"], QUESTION_TOKENS)
    reserved = deployment.call("api/usage", "POST", "/v1/reservations", {"tokens": 100})
    deployment.call("api/usage", "POST", f"/v1/reservations/{reserved['id']}/settle", {"tokens": 80})
    _equal("tokens used", deployment.call("api/usage", "GET", "/v1/usage")["day"]["tokens"]["settled"], 80)
    deployment.call("api/conversations", "POST", "/v1/conversations", {}, status=401, key=wrong_key)
    deployment.call("api/tokens", "POST", "/v1/tokens/count", {"input": QUESTION}, status=401, key=wrong_key)
    deployment.call("api/conversations", "GET", "/v1/conversations/a/b/c/d", status=404)
    deployment.call("api/tokens", "GET", "/v1/tokens/nothing-here", status=404)
    for path in ("/v1/v1/conversations", "/v1/conversations/", "/conversations", "/conversations/c/items"):
        function = "api/conversations" if path == "/v1/conversations/" else "api/health"
        meant = deployment.call(function, "POST", path, {}, status=404)["did_you_mean"]
        _equal("function behind what was meant", deployment.function_for(meant), "api/conversations")
    _equal("function behind an unknown path", deployment.function_for("/shared/app.py"), None)


def _converse(deployment: Deployment) -> None:
    item = {"type": "message", "role": "user", "content": QUESTION}
    created = deployment.call("api/conversations", "POST", "/v1/conversations", {"items": [item]})
    path = f"/v1/conversations/{created['id']}"
    listed = deployment.call("api/conversations", "GET", f"{path}/items")
    _equal("items read back", [part["text"] for entry in listed["data"] for part in entry["content"]], [QUESTION])
    query = "model=gpt-4o&budget=1000&format=chat"
    context = deployment.call("api/conversations", "GET", f"{path}/context?{query}")
    _equal("messages of the context", context["messages"], [{"role": "user", "content": QUESTION}])
    _equal("tokens of the context", context["tokens"], CONTEXT_TOKENS)
    deployment.call("api/conversations", "DELETE", path)
    deployment.call("api/conversations", "GET", path, status=404)


def _equal(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise CheckFailed(f"{what}: {found!r} instead of {wanted!r}")
