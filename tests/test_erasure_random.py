"""
Whatever happens to the conversations of two users through two instances: an erasure takes those that are the user's
then, counts each once, and no instance shows one of them from its next request on.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.erasing import erasure
from shared.request.caller import read_key
from shared.request.roles import ADMIN
from tests.erasing import create, erase
from tests.half_way import check_indexes
from tests.instances import client_of, running_instance

USERS = ("anna", "ben")
HELD = {"cache-control": "max-age=3600"}
AGENTS = ("", "bot")

actions = st.lists(
    st.tuples(
        st.sampled_from(["create", "create", "give", "fork", "delete", "append", "read", "read", "erase"]),
        st.integers(0, 1),
        st.integers(0, 7),
        st.sampled_from(USERS),
        st.sampled_from(AGENTS),
    ),
    min_size=4,
    max_size=24,
)


class Model:
    """What there has to be: whose each conversation is, and which are gone."""

    def __init__(self, instances: list[httpx.Client]) -> None:
        self.instances = instances
        self.users: dict[str, str] = {}
        self.gone: set[str] = set()
        self.unaware: set[int] = set()
        """Instances that had no request since something was erased."""

    def act(self, action: str, instance: int, at: int, user: str, agent: str) -> None:
        api = self.instances[instance]
        if instance in self.unaware:
            api.get("/v1/usage").raise_for_status()
            self.unaware.discard(instance)
        chosen = sorted(self.users)[at % len(self.users)] if self.users else ""
        if action == "create" or (not chosen and action != "erase"):
            self.users[create(api, user, **({"agent": agent} if agent else {}))] = user
        elif action == "erase":
            self._erase(api, instance, user)
        else:
            self._change(api, action, chosen, user)
        for each in self.gone:
            assert api.get(f"/v1/conversations/{each}", headers=HELD).status_code == 404

    def _change(self, api: httpx.Client, action: str, chosen: str, user: str) -> None:
        path = f"/v1/conversations/{chosen}"
        if action == "give":
            assert api.post(path, json={"user": user}).json()["user"] == user
            self.users[chosen] = user
        elif action == "fork":
            self.users[api.post(f"{path}/fork").json()["id"]] = self.users[chosen]
        elif action == "delete":
            assert api.delete(path).status_code == 200
            del self.users[chosen]
        elif action == "append":
            assert api.post(f"{path}/items", json={"items": [{"role": "user", "content": "x"}]}).status_code == 200
        else:
            assert api.get(path, headers=HELD).status_code == 200

    def _erase(self, api: httpx.Client, instance: int, user: str) -> None:
        theirs = {each for each, owner in self.users.items() if owner == user}
        told = erase(api, user)
        if theirs:
            assert told["conversations"] == len(theirs)
            self.unaware = {each for each in range(len(self.instances)) if each != instance}
        self.gone |= theirs
        self.users = {each: owner for each, owner in self.users.items() if each not in theirs}

    def check(self) -> None:
        for api in self.instances:
            for user in USERS:
                listed = api.get("/v1/conversations", params={"user": user, "limit": 100}).json()["data"]
                assert {each["id"] for each in listed} == {each for each, owner in self.users.items() if owner == user}


@pytest.fixture
def role() -> str:
    return ADMIN


@pytest.fixture(scope="module")
def urls(upstash: Any) -> Iterator[list[str]]:
    with ExitStack() as stack:
        yield [stack.enter_context(running_instance()) for _ in range(2)]


@pytest.mark.usefixtures("no_waiting")
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions)
def test_an_erasure_takes_what_is_the_user_s_and_nothing_else(
    urls: list[str], mint: Callable[[], str], run: Callable[..., Any], drawn: list[tuple[str, int, int, str, str]]
) -> None:
    key = mint()
    with ExitStack() as stack:
        model = Model([stack.enter_context(client_of(url, key)) for url in urls])
        for step in drawn:
            model.act(*step)
        model.check()
    check_indexes(run, read_key(key).tenant)


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "HELD_S", 0.0)
    monkeypatch.setattr(erasure, "DOCUMENTS_HELD_S", 0.0)
