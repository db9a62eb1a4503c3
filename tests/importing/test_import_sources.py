"""scripts/import, by source: what other packages stored comes over whole, and what cannot is named."""

import asyncio
import json
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from agents import SQLiteSession
from openai.types.beta import Thread
from openai.types.beta.threads import Message
from openai.types.responses import EasyInputMessageParam

from scripts.importing.assistants import values_of
from scripts.proving.borders import normal_forms
from tests.imports import DATA, Importing, Json, Store, context_of, items_of, texts_of

pytestmark = pytest.mark.unmeasured


def as_chat(api: httpx.Client, conversation_id: str) -> Json:
    shown: Json = normal_forms.chat(context_of(api, conversation_id, "chat")["messages"])
    return shown


def test_a_redis_session_of_openai_agents(importing: Importing, store: Store, api: httpx.Client) -> None:
    store.load("openai_agents_redis")
    told = importing.told("openai-agents")

    assert {name: each["state"] for name, each in told.items()} == {
        "user-1": "imported",
        "tenant:7:user-2": "imported",
        "sealed": "refused",
    }
    assert told["user-1"]["left_out"] == {"provider_data": 1}
    assert "EncryptedSession" in told["sealed"]["refusals"][0]["reason"]
    raw = json.loads((DATA / "openai_agents_redis.json").read_text())
    [stored] = [key["elements"] for key in raw if key["name"] == "agents:session:user-1:messages"]
    items = items_of(api, importing.mapped()["user-1"]["conversation_id"])
    wanted = [{name: value for name, value in json.loads(each).items() if name != "provider_data"} for each in stored]
    assert [each["id"] for each in items if "68a1" in each["id"]] == ["rs_68a1", "fc_68a1", "msg_68a1"]
    assert [item["type"] for item in items] == [each.get("type", "message") for each in wanted]
    assert items[1]["encrypted_content"] == "gAAAAAB"
    assert items[3]["output"] == "Sunny, 21 °C"


def test_a_sqlite_session_of_openai_agents(importing: Importing, api: httpx.Client, tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    texts = [f"message {number}" for number in range(230)]
    with closing(SQLiteSession("long", path)) as long, closing(SQLiteSession("it's", path)) as other:
        asyncio.run(long.add_items([EasyInputMessageParam(role="user", content=text) for text in texts]))
        asyncio.run(other.add_items([EasyInputMessageParam(role="user", content="hi")]))
    told = importing.told("openai-agents", source=str(path))

    assert {name: (each["state"], each["items"]) for name, each in told.items()} == {
        "long": ("imported", 230),
        "it's": ("imported", 1),
    }
    long_id = importing.mapped()["long"]["conversation_id"]
    assert texts_of(items_of(api, long_id)) == texts
    assert "import_created_at" in api.get(f"/v1/conversations/{long_id}").json()["metadata"]


WEATHER = [
    {"role": "system", "content": "You answer briefly."},
    {"role": "user", "content": "What is the weather in Rome?", "name": "ada"},
    {
        "role": "assistant",
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "Sunny, 21 °C"},
    {"role": "assistant", "content": [{"type": "text", "text": "Sunny, 21 °C."}]},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "And here?"},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        ],
    },
]
CLAUDE: list[Json] = [
    {"role": "user", "content": "Is it raining in Rome?"},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "They want the weather.", "signature": "EqQBCg=="},
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}},
        ],
    },
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain"}]},
    {"role": "assistant", "content": "It rains."},
]


def test_histories_of_langchain_community(importing: Importing, store: Store, api: httpx.Client) -> None:
    store.load("langchain_community")
    told = importing.told("langchain")
    ids = {name: each["conversation_id"] for name, each in importing.mapped().items()}

    assert as_chat(api, ids["user-1"]) == normal_forms.chat(WEATHER)
    shown = context_of(api, ids["claude"], "anthropic")
    assert normal_forms.anthropic(shown["messages"], shown["system"]) == normal_forms.anthropic(CLAUDE)
    broken = context_of(api, ids["broken"], "chat")["messages"]
    assert broken[1]["tool_calls"][0]["function"] == {"name": "f", "arguments": "{"}
    assert told["user-1"]["left_out"] == {"artifact": 1}
    assert told["claude"]["left_out"] == {"status: error": 1}
    assert told["odd"]["state"] == "refused"
    assert [(each["at"], each["field"]) for each in told["odd"]["refusals"]] == [
        ("message 2", "role"),
        ("message 3", "type"),
    ]
    assert "'remove'" in told["odd"]["refusals"][1]["reason"]


def test_histories_of_langchain_redis(importing: Importing, store: Store, api: httpx.Client) -> None:
    """It does not keep `tool_calls`, so they cannot come over; what it keeps, in content, does."""
    store.load("langchain_redis")
    told = importing.told("langchain")
    ids = {name: each["conversation_id"] for name, each in importing.mapped().items()}

    assert sorted(ids) == ["a:b", "user-1"]
    shown = context_of(api, ids["a:b"], "anthropic")
    assert normal_forms.anthropic(shown["messages"], shown["system"]) == normal_forms.anthropic(CLAUDE)
    assert told["user-1"]["left_out"] == {"tool_calls": 1}
    items = items_of(api, ids["user-1"])
    assert [item.get("role", item["type"]) for item in items] == [
        *("system", "user", "assistant", "function_call_output", "assistant", "user"),
    ]
    assert texts_of(items)[:2] == ["You answer briefly.", "What is the weather in Rome?"]


def test_a_session_with_a_history_of_either_package_is_told_apart_by_the_prefix(
    importing: Importing, store: Store
) -> None:
    store.load("langchain_community")
    store.load("langchain_redis")
    both = importing("langchain", "--dry-run")
    one = importing.told("langchain", "--dry-run", "--prefix", "chat:")

    assert both.status == 1
    assert "'user-1' is a history of both packages" in both.err
    assert sorted(one) == ["a:b", "user-1"]


def test_working_memories_of_agent_memory_server(importing: Importing, store: Store, api: httpx.Client) -> None:
    store.load("agent_memory_server")
    told = importing.told("agent-memory-server")
    mapped = importing.mapped()

    assert {name: each["state"] for name, each in told.items()} == {
        **dict.fromkeys(("plain", "shop:ada:s-1", "older"), "imported"),
        "tools": "refused",
    }
    assert told["tools"]["refusals"] == [
        {"at": "message 2", "field": "role", "reason": "a message of the role 'tool' has no place here"}
    ]
    assert told["shop:ada:s-1"]["left_out"] == {"memories": 1, "data": 1}
    items = items_of(api, mapped["shop:ada:s-1"]["conversation_id"])
    assert [(item["role"], *texts_of([item])) for item in items] == [
        ("developer", "They asked for red shoes."),
        ("system", "You sell shoes."),
        ("user", "Size 42?"),
        ("assistant", "Yes."),
    ]
    info = api.get(f"/v1/conversations/{mapped['shop:ada:s-1']['conversation_id']}").json()
    assert info["metadata"] == {
        "import_namespace": "shop",
        "import_user_id": "ada",
        "import_created_at": "1777636800",
        "import_source": "agent-memory-server",
        "import_id": "shop:ada:s-1",
    }


def test_threads_of_assistants_in_files(importing: Importing, api: httpx.Client) -> None:
    told = importing.told("assistants", source=str(DATA / "assistants.jsonl"))
    ids = {name: each["conversation_id"] for name, each in importing.mapped().items()}

    items = items_of(api, ids["thread_abc"])
    assert [item["id"] for item in items] == ["msg_1", "msg_2", "msg_3"]
    assert [part["type"] for part in items[1]["content"]] == ["input_text", "input_image", "input_image"]
    assert "【4:0†report.pdf】" in items[2]["content"][0]["text"]
    assert told["thread_abc"]["left_out"] == {
        **dict.fromkeys(("tool_resources", "attachments", "annotations", "image of the assistant"), 1),
        "message without text": 1,
    }
    assert [(item["status"], *item["content"][0].values()) for item in items_of(api, ids["thread_def"])][1] == (
        "incomplete",
        "refusal",
        "I can't.",
    )
    assert api.get(f"/v1/conversations/{ids['thread_abc']}").json()["metadata"]["user"] == "ada"


def test_the_threads_are_of_the_shapes_that_openai_publishes() -> None:
    found: list[Json] = []
    for _, value in values_of(DATA / "assistants.jsonl"):
        found += value.get("data") or [value.get("thread", value), *value.get("messages", [])]

    assert len(found) == 8
    for each in found:
        (Thread if each["object"] == "thread" else Message).model_validate(each, strict=True)


def test_another_warmthread(
    importing: Importing, api: httpx.Client, other_api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    body: Json = {"items": [{"role": "user", "content": f"{number}"} for number in range(100)], "metadata": {"a": "b"}}
    there = other_api.post("/v1/conversations", json=body).json()["id"]
    other_api.post(f"/v1/conversations/{there}/items", json={"items": [{"role": "assistant", "content": "last"}]})
    monkeypatch.setenv("IMPORT_SOURCE_KEY", other_api.headers["authorization"].removeprefix("Bearer "))
    told = importing.told("warmthread", source=importing.url)

    assert {name: (each["state"], each["items"]) for name, each in told.items()} == {there: ("imported", 101)}
    here = importing.mapped()[there]["conversation_id"]
    assert here != there
    copied, given = (
        [{**item, "created_at": None} for item in items_of(*each)] for each in ((api, here), (other_api, there))
    )
    assert copied == given
    metadata = api.get(f"/v1/conversations/{here}").json()["metadata"]
    assert (metadata["a"], metadata["import_id"]) == ("b", there)
