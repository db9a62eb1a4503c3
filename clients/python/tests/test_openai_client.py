"""An agent on Chat Completions with OpenAI's own client: a turn is one request, and replies go back as they came."""

import json

import httpx
from conftest import Counts, Service
from openai import OpenAI
from openai.types.chat import ChatCompletionMessage
from scripted import BUDGET, JSON, SYSTEM, TURNS, answer, arguments, asks_tool, endpoint, observation, question

from warmthread import Memory


class Model:
    """What the endpoint says, call by call."""

    def __init__(self) -> None:
        self.said: list[JSON] = []

    def reply(self, body: JSON) -> JSON:
        turn = int(next(m for m in reversed(body["messages"]) if m["role"] == "user")["content"].split()[1].rstrip(":"))
        if asks_tool(turn) and body["messages"][-1]["role"] == "user":
            function = {"name": "weather", "arguments": arguments(turn)}
            call = {"id": f"call_{turn}", "type": "function", "function": function}
            message: JSON = {"role": "assistant", "content": None, "refusal": None, "tool_calls": [call]}
        else:
            message = {"role": "assistant", "content": answer(turn), "refusal": None, "annotations": []}
        self.said.append(message)
        choice = {"index": 0, "finish_reason": "stop", "logprobs": None, "message": message}
        return {"id": "c", "object": "chat.completion", "created": 1, "model": body["model"], "choices": [choice]}


def results(reply: ChatCompletionMessage, turn: int) -> list[JSON]:
    return [{"role": "tool", "tool_call_id": call.id, "content": observation(turn)} for call in reply.tool_calls or []]


def essence(message: JSON) -> str:
    """*message* but for what says nothing: nulls, empty lists, white space within arguments."""
    kept = {name: value for name, value in message.items() if value not in (None, [])}
    for call in kept.get("tool_calls", []):
        call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return json.dumps(kept, sort_keys=True)


def test_thirty_turns_stay_within_the_budget_and_put_replies_back(
    service: Service, http: httpx.Client, counts: Counts
) -> None:
    model = Model()
    head: JSON = {"role": "system", "content": SYSTEM}
    given = [essence(head)]
    calls = 0
    with endpoint(model.reply) as (url, bodies), OpenAI(base_url=f"{url}/v1", api_key="none") as client:
        memory = Memory.create(
            service.url, service.key, [head], http=http, format="chat", model="gpt-4o", budget=BUDGET
        )
        counts.requests = 0
        service.store.reset()
        news: list[JSON | ChatCompletionMessage] = []
        for turn in range(TURNS):
            news.append({"role": "user", "content": question(turn)})
            while True:
                given += [essence(dict(each)) for each in news if isinstance(each, dict)]
                context = memory.turn(news)
                calls += 1
                assert context.tokens <= BUDGET
                reply = client.chat.completions.create(model="gpt-4o", **context.arguments).choices[0].message
                asked = results(reply, turn)
                news = [reply, *asked]
                if not asked:
                    break

    assert calls == len(bodies) == counts.requests == service.store.requests
    known = {*given, *map(essence, model.said)}
    assert {essence(each) for body in bodies for each in body["messages"]} <= known
    assert min(len(body["messages"]) for body in bodies[-10:]) > 10
