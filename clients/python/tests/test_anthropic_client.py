"""An agent on Anthropic's own client: thinking comes back with its signature while its tool loop is open."""

import json
from typing import Any

import httpx
from anthropic import Anthropic
from anthropic.types import Message
from conftest import Counts, Service
from scripted import BUDGET, CITIES, JSON, SYSTEM, TURNS, answer, asks_tool, endpoint, observation, question

from warmthread import Memory


def asked(messages: list[JSON]) -> int:
    texts = [
        block["text"]
        for message in messages
        if message["role"] == "user"
        for block in message["content"]
        if block["type"] == "text"
    ]
    return int(texts[-1].split()[1].rstrip(":"))


class Model:
    """What the endpoint says, call by call."""

    def __init__(self) -> None:
        self.said: list[JSON] = []

    def reply(self, body: JSON) -> JSON:
        turn = asked(body["messages"])
        number = len(self.said)
        thinking = {"type": "thinking", "thinking": f"Thought {number}", "signature": f"c2lnbmVk{number}"}
        if asks_tool(turn) and body["messages"][-1]["content"][-1]["type"] == "text":
            city = {"city": CITIES[turn % len(CITIES)], "days": [1, turn], "note": None}
            call: JSON = {"type": "tool_use", "id": f"toolu_{turn}", "name": "weather", "input": city}
            content = [thinking, {"type": "text", "text": "Let me look."}, call]
        else:
            content = [thinking, {"type": "text", "text": answer(turn)}]
        self.said += content
        usage = {"input_tokens": 1, "output_tokens": 1}
        head = {"id": f"msg_{number}", "type": "message", "role": "assistant", "model": body["model"]}
        return {**head, "content": content, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}


def results(reply: Message, turn: int) -> list[JSON]:
    return [
        {"type": "tool_result", "tool_use_id": block.id, "content": observation(turn)}
        for block in reply.content
        if block.type == "tool_use"
    ]


def blocks(bodies: list[JSON], kind: str) -> set[str]:
    together = (block for body in bodies for message in body["messages"] for block in message["content"])
    return {json.dumps(block, sort_keys=True) for block in together if block["type"] == kind}


def test_thirty_turns_stay_within_the_budget_and_put_replies_back(
    service: Service, http: httpx.Client, counts: Counts
) -> None:
    model, calls = Model(), 0
    with endpoint(model.reply) as (url, bodies), Anthropic(base_url=url, api_key="none") as client:
        memory = Memory.create(
            service.url,
            service.key,
            http=http,
            system=SYSTEM,
            format="anthropic",
            model="claude-sonnet-4-5",
            budget=BUDGET,
        )
        counts.requests = 0
        service.store.reset()
        news: list[JSON | Message] = []
        for turn in range(TURNS):
            news.append({"role": "user", "content": question(turn)})
            while True:
                context = memory.turn(news)
                calls += 1
                assert context.tokens <= BUDGET
                arguments: Any = context.arguments
                reply = client.messages.create(model="scripted", max_tokens=100, **arguments)
                answers = results(reply, turn)
                news = [reply]
                if not answers:
                    break
                news.append({"role": "user", "content": answers})

    assert calls == len(bodies) == counts.requests == service.store.requests
    for kind in ("tool_use", "thinking", "text"):
        said = {json.dumps(block, sort_keys=True) for block in model.said if block["type"] == kind}
        given = {json.dumps({"type": "text", "text": question(turn)}, sort_keys=True) for turn in range(TURNS)}
        assert blocks(bodies, kind) <= said | given
    for body in bodies:
        assert body["system"][0]["text"] == SYSTEM
        if body["messages"][-1]["content"][0]["type"] == "tool_result":
            kinds = [block["type"] for block in body["messages"][-2]["content"]]
            assert kinds == ["thinking", "text", "tool_use"]
    assert min(len(body["messages"]) for body in bodies[-10:]) > 8
