"""
What openai-python's own tests of conversations run with here: its clients at a running service, and for each test the
conversation `conv_123` with the item `msg_abc`, which those tests take to exist, as the mock server that they are meant
for has whatever it is asked for.
"""

import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI, OpenAI

from shared.request.caller import read_key
from shared.store.keys import conversation_key

KEY, BASE_URL = os.environ["WARMTHREAD_KEY"], os.environ["TEST_API_BASE_URL"]
CONVERSATION, ITEM = "conv_123", "msg_abc"


@pytest.fixture(autouse=True)
def seeded() -> None:
    body = {"items": [{"role": "user", "content": "Hello", "id": ITEM}]}
    created = httpx.post(f"{BASE_URL}/conversations", json=body, headers={"authorization": f"Bearer {KEY}"}).json()
    tenant = read_key(KEY).tenant
    names = [conversation_key(tenant, name) for name in (created["id"], CONVERSATION)]
    store = {"authorization": f"Bearer {os.environ['UPSTASH_REDIS_REST_TOKEN']}"}
    answer = httpx.post(os.environ["UPSTASH_REDIS_REST_URL"], json=["RENAME", *names], headers=store)
    assert answer.json() == {"result": "OK"}


@pytest.fixture
def client(request: pytest.FixtureRequest) -> Iterator[OpenAI]:
    with OpenAI(base_url=BASE_URL, api_key=KEY, _strict_response_validation=request.param) as client:
        yield client


@pytest.fixture
async def async_client(request: pytest.FixtureRequest) -> AsyncIterator[AsyncOpenAI]:
    param: Any = request.param
    strict = param if isinstance(param, bool) else param.get("strict", True)
    async with AsyncOpenAI(base_url=BASE_URL, api_key=KEY, _strict_response_validation=strict) as client:
        yield client
