"""A cold instance reads the tail of a conversation, and all of it where the tail turns out to say too little."""

from collections.abc import Callable

import httpx
import pytest

OUTPUTS = 150
TALK = [("user", f"question {n}") if n % 2 == 0 else ("assistant", f"answer {n}") for n in range(20)]


@pytest.fixture
def url(api: httpx.Client) -> str:
    """A conversation whose newest items cost tokens at append and are in no context: outputs without a call."""
    talk = [{"role": role, "content": text} for role, text in TALK]
    conversation = api.post("/v1/conversations", json={"items": talk}).json()["id"]
    path = f"/v1/conversations/{conversation}"
    for start in range(0, OUTPUTS, 50):
        outputs = [
            {"type": "function_call_output", "call_id": f"call_{number}", "output": "word " * 200}
            for number in range(start, start + 50)
        ]
        assert api.post(f"{path}/items", json={"items": outputs}).status_code == 200
    return f"{path}/context"


@pytest.mark.parametrize("query", [{}, {"encoding": "cl100k_base"}, {"stable_prefix": "true"}], ids=str)
def test_where_the_tail_shows_nothing_all_of_it_is_read(
    api: httpx.Client, make_api: Callable[[], httpx.Client], url: str, query: dict[str, str]
) -> None:
    parameters: dict[str, str | int] = {"budget": 300, "format": "chat", **query}
    api.get(url.replace("/context", "/context?budget=1000000"))
    warm = api.get(url, params=parameters)
    cold = make_api().get(url, params=parameters)

    assert cold.json() == warm.json()
    assert cold.headers["etag"] == warm.headers["etag"]
    assert [(each["role"], each["content"]) for each in cold.json()["messages"]] == TALK
