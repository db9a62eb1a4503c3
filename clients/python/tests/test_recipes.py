"""Each recipe of docs/recipes.md runs as it stands, with a model that says what a script says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Service
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.function import FunctionModel
from scripted import JSON, endpoint

PAGE = (Path(__file__).parents[3] / "docs" / "recipes.md").read_text()
RECIPES = {
    part.partition("\n")[0]: part.partition("```python\n")[2].partition("```")[0]
    for part in PAGE.split("\n## ")
    if "```python" in part
}
LINES_MAX = 15


def reply(body: JSON) -> JSON:
    """Say how many messages came, in the API that *body* is of."""
    said = f"{len(body.get('input') or body['messages'])} messages"
    usage = {"input_tokens": 1, "output_tokens": 1}
    head = {"id": "r", "model": "m", "role": "assistant"}
    if "input" in body:
        usage |= {"total_tokens": 2}
        details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
        text = {"type": "output_text", "text": said, "annotations": []}
        message = {"type": "message", "id": "msg_r", "role": "assistant", "status": "completed", "content": [text]}
        together = {"object": "response", "created_at": 1, "output": [message], "usage": {**usage, **details}}
        settings = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "status": "completed"}
        return {"id": f"resp_{said[0]}", "model": "m", **together, **settings}
    if "max_tokens" in body:
        content = [{"type": "text", "text": said}]
        return {**head, "type": "message", "content": content, "stop_reason": "end_turn", "usage": usage}
    message = {"role": "assistant", "content": said}
    return {"object": "chat.completion", "created": 1, **head, "choices": [{"index": 0, "message": message}]}


@tool
def weather(city: str) -> str:
    """Say what the weather is."""
    return "sunny"


class Tooled(FakeMessagesListChatModel):
    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self


@pytest.fixture
def model(request: pytest.FixtureRequest) -> Any:
    """What stands for a model in the recipes that leave it to their reader."""
    if request.getfixturevalue("title") == "pydantic-ai":
        return FunctionModel(lambda messages, _: ModelResponse([TextPart(f"{len(messages)} messages")]))
    return Tooled(responses=[AIMessage("1 messages"), AIMessage("3 messages")])


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An endpoint that the official clients call."""
    with endpoint(reply) as (url, _):
        monkeypatch.setenv("OPENAI_BASE_URL", f"{url}/v1")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        monkeypatch.setenv("ANTHROPIC_API_KEY", "none")
        monkeypatch.setenv("OPENAI_AGENTS_DISABLE_TRACING", "1")
        yield


@pytest.mark.parametrize("title", RECIPES)
@pytest.mark.filterwarnings("ignore:create_react_agent", "ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_recipe_runs_as_it_stands(
    service: Service, models: None, model: Any, title: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = RECIPES[title]
    for there, here in {"http://127.0.0.1:3000": service.url, "wt_dev_local": service.key}.items():
        assert there in source
        source = source.replace(there, here)
    exec(compile(source, title, "exec"), {"model": model, "weather": weather})  # The page is ours.
    printed = capsys.readouterr().out.splitlines()
    has_head = title.startswith("OpenAI")

    assert printed[:2] == ["2 messages", "4 messages"] if has_head else ["1 messages", "3 messages"]
    assert printed[2:] == (["4"] if title == "langchain-core" else [])


def test_recipes_are_short_and_there_is_one_for_each_adapter() -> None:
    assert [*RECIPES] == [
        "OpenAI, Chat Completions",
        "Anthropic",
        "openai-agents",
        "LangGraph",
        "langchain-core",
        "pydantic-ai",
    ]
    assert {
        title: len(text.splitlines()) for title, text in RECIPES.items() if len(text.splitlines()) > LINES_MAX
    } == {}
