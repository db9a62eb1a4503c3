"""What says which code answers: the version in health, the deployment in every answer."""

import re

import httpx

from shared.version import VERSION

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110: with a parameter behind it, or another value beside it, it would be none."""


def test_health_names_the_version_of_the_code(api: httpx.Client) -> None:
    assert api.get("/api/health").json()["version"] == VERSION


def test_the_header_is_the_deployments_id_as_a_whole_for_who_compares_it(api: httpx.Client) -> None:
    healthy, refused = api.get("/api/health"), api.get("/v1/conversations/none")
    [named] = {answer.headers["warmthread-deployment"] for answer in (healthy, refused)}

    assert named == healthy.json()["deployment"]
    assert TOKEN.fullmatch(named)
    assert VERSION not in named
