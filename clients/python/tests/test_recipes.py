"""Each recipe of docs/recipes.md runs as it stands, with a model that says what a script says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Service
from scripted import JSON, endpoint

PAGE = (Path(__file__).parents[3] / "docs" / "recipes.md").read_text()
RECIPES = {
    part.partition("\n")[0]: part.partition("```python\n")[2].partition("```")[0]
    for part in PAGE.split("\n## ")
    if "```python" in part
}
LINES_MAX = 17


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


LANGCHAIN = """
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage
from langchain_core.tools import tool

@tool
def weather(city: str) -> str:
    \"\"\"Say what the weather is.\"\"\"

class Model(FakeMessagesListChatModel):
    def _generate(self, messages, *args, **kwargs):
        self.responses = [AIMessage(f"{len(messages)} messages")]
        return super()._generate(messages, *args, **kwargs)

    def bind_tools(self, tools, **kwargs):
        return self

model = Model(responses=[])
"""
PYDANTIC = """
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.function import FunctionModel

model = FunctionModel(lambda messages, _: ModelResponse([TextPart(f"{len(messages)} messages")]))
"""
LEFT_OPEN = {"LangGraph": LANGCHAIN, "langchain-core": LANGCHAIN, "pydantic-ai": PYDANTIC}
"""What a recipe leaves to its reader."""


SAID = {"Summarising": ["2 0", "4 0", "3 0", "5 0"]}
"""What else one prints."""


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_runs_as_it_stands(service: Service, tmp_path: Path, title: str) -> None:
    source = RECIPES[title]
    for there, here in {"http://127.0.0.1:3000": service.url, "wt_dev_local": service.key}.items():
        assert there in source
        source = source.replace(there, here)
    with endpoint(reply) as (url, _):
        done = subprocess.run(
            [sys.executable, "-c", LEFT_OPEN.get(title, "") + source],
            check=False,  # What it complained of is told below.
            cwd=tmp_path,  # Where only what is installed is found.
            env={
                **os.environ,
                "OPENAI_BASE_URL": f"{url}/v1",
                "OPENAI_API_KEY": "none",
                "ANTHROPIC_BASE_URL": url,
                "ANTHROPIC_API_KEY": "none",
                "OPENAI_AGENTS_DISABLE_TRACING": "1",
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
    messages = ["2 messages", "4 messages"] if title.startswith("OpenAI") else ["1 messages", "3 messages"]
    more = {"langchain-core": ["4"]}.get(title, [])

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == SAID.get(title, [*messages, *more])


def test_recipes_are_short_and_there_is_one_for_each_adapter() -> None:
    titles = ["OpenAI, Chat Completions", "Anthropic", "openai-agents", "LangGraph", "langchain-core", "pydantic-ai"]
    titles.append("Summarising")
    lines = {title: sum(bool(line) for line in text.splitlines()) for title, text in RECIPES.items()}

    assert [*RECIPES] == titles
    assert max(lines.values()) <= LINES_MAX
