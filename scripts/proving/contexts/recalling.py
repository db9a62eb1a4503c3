"""
Contexts that recall, of recorded dialogues, asked of real instances at every prefix that ends before a model call.

What they are held against is the context of the budget less the share, without recall, which survey.py holds against
all promises of contexts: with recall it is the same, and one note directly before the newest user message, of at most
the share, which quotes older items word for word. Each is counted by plain tiktoken, checked by its provider's rules,
and asked again of an instance that did not append.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from scripts.openapi.contexts import MEMBERS
from scripts.proving.contexts.counting import FRAME_TOKENS
from scripts.proving.contexts.dialogues import Dialogue, model_calls, to_items, to_log
from scripts.proving.contexts.promises import recount
from scripts.proving.contexts.real_tokens import real_count
from scripts.proving.providers.by_format import faults_of
from shared.context.recalled import FIRST_LINE
from shared.context.render import FORMATS

type Json = dict[str, Any]

BATCH = 100
PROMISES = (
    "over budget",
    "more than its share",
    "miscounted",
    "refused by its provider",
    "another window",
    "note elsewhere",
    "quoted otherwise than said",
    "recalled although shown",
    "moved while tools answered",
    "otherwise on another instance",
    "422 although it would fit",
)


@dataclass
class Recalls:
    """
    What became of the contexts under one budget; *broken*: by the promise; *recalling*: those with a note, whose share
    is *used*.
    """

    budget: int
    percent: int
    contexts: int = 0
    refused: int = 0
    recalling: int = 0
    used: list[float] = field(default_factory=list)
    broken: Counter[str] = field(default_factory=Counter)
    _notes: dict[str, str] = field(default_factory=dict)

    @property
    def share(self) -> int:
        """The tokens that a note may take."""
        return self.budget * self.percent // 100

    def check(self, ask: Callable[..., list[httpx.Response]], log: Sequence[Json], question: int) -> None:
        """*ask* for each format's context, whose newest user message is item number *question* of *log*."""
        for name in FORMATS:
            self.contexts += 1
            wanted = {"format": name, "budget": self.budget}
            first, again = ask(2, **wanted, recall_budget=self.percent)
            if first.status_code != again.status_code or _told(first) != _told(again):
                self.broken["otherwise on another instance"] += 1
            share, [plain] = self.share, ask(1, **wanted | {"budget": self.budget - self.share})
            if plain.status_code == httpx.codes.UNPROCESSABLE_ENTITY:  # Then the window has all of it.
                share, [plain] = 0, ask(1, **wanted)
            if first.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
                self.refused += 1
                self.broken["422 although it would fit"] += plain.status_code != first.status_code
                continue
            context, without = (each.raise_for_status().json() for each in (first, plain))
            note = _note_of(name, context)
            tokens = FRAME_TOKENS + real_count(note) if note else 0
            self.broken["over budget"] += context["tokens"] > self.budget
            self.broken["more than its share"] += tokens > share
            self.broken["miscounted"] += context["tokens"] != without["tokens"] + tokens
            members = {member: orjson.dumps(context[member]) for member in MEMBERS[name] if member in context}
            self.broken["refused by its provider"] += bool(faults_of(name, members))
            self.broken.update(_misplaced(name, note, context, without, log[question]))
            self.broken.update(_misquoted(note, context["recalled"], log, question))
            if name == "items":
                shown = {each.get("id") for each in context["input"]}
                self.broken["recalled although shown"] += any(each["item_id"] in shown for each in context["recalled"])
            if name == "chat":
                self.broken["miscounted"] += recount(context["messages"], real_count) != context["tokens"]
            if name == "chat" and note:
                self.recalling += 1
                self.used.append(tokens / self.share)
                # Where the window has to take the share there is none meanwhile.
                self.broken["moved while tools answered"] += self._notes.setdefault(log[question]["id"], note) != note


def _misplaced(name: str, note: str, context: Json, without: Json, question: Json) -> Iterator[str]:
    """Yield what is wrong where a context is anything but that *without* recall, and the *note* where it has to be."""
    events = list(_events(name, context))
    at = next((at for at, each in enumerate(events) if note and each == ("user", note)), None)
    if [each for number, each in enumerate(events) if number != at] != list(_events(name, without)):
        yield "another window"
    [asked] = _texts(question)
    if name == "text":
        stands = f"user: {note}\n\nuser: {asked}" in context["text"]
    else:
        stands = at is not None and events[at + 1 : at + 2] == [("user", asked)]
    if note and not stands:
        yield "note elsewhere"


def _misquoted(note: str, recalled: Sequence[Json], log: Sequence[Json], question: int) -> Iterator[str]:
    """Yield what is wrong where *note* is anything but lines of items before the *question*, in their order."""
    places = {each["id"]: number for number, each in enumerate(log)}
    numbers = [places[each["item_id"]] for each in recalled]
    if bool(note) != bool(recalled) or not _quotes(note, [_texts(log[number]) for number in numbers]):
        yield "quoted otherwise than said"
    if numbers != sorted(set(numbers)) or any(number >= question for number in numbers):
        yield "recalled although shown"


def survey(
    clients: Sequence[httpx.Client], dialogues: Sequence[Dialogue], budgets: Sequence[int], percent: int
) -> Iterator[list[Recalls]]:
    """
    Yield one Recalls per budget for each dialogue. The first client of *clients* appends and asks; a context that is
    asked for twice is asked for of both.
    """
    for dialogue in dialogues:
        items = to_items(dialogue.messages)
        found = [Recalls(budget, percent) for budget in budgets]
        path = f"/v1/conversations/{_ok(clients[0].post('/v1/conversations', json={}))['id']}"
        appended = 0

        def ask(times: int, at: str = path, **query: Any) -> list[httpx.Response]:
            return [client.get(f"{at}/context", params=query) for client in clients[:times]]

        for length in model_calls(to_log(items, len)):
            for begin in range(appended, length, BATCH):
                _ok(clients[0].post(f"{path}/items", json={"items": items[begin : min(length, begin + BATCH)]}))
            appended = length
            users = [at for at in range(length) if items[at].get("role") == "user"]
            for each in found if users else ():
                each.check(ask, items[:length], users[-1])
        clients[0].delete(path)
        yield found


def rows_of(surveys: Sequence[Sequence[Recalls]]) -> list[tuple[str, list[object]]]:
    """Return what was found in the surveys of all dialogues, a cell for each budget."""
    columns = list(zip(*surveys, strict=True))
    used = [[each for recalls in column for each in recalls.used] for column in columns]
    broken = [sum((each.broken for each in column), Counter[str]()) for column in columns]
    return [
        ("contexts, of each format", [sum(each.contexts for each in column) for column in columns]),
        ("of them too large (422)", [sum(each.refused for each in column) for column in columns]),
        ("prefixes with something recalled", [sum(each.recalling for each in column) for column in columns]),
        ("share that their notes take", [f"{sum(each) / max(1, len(each)):.1%}" for each in used]),
        *((f"broken: {name}", [each[name] for each in broken]) for name in PROMISES),
    ]


def is_broken(surveys: Sequence[Sequence[Recalls]]) -> bool:
    """Tell whether a promise was broken, or nothing was recalled anywhere, which proves nothing."""
    every = [each for survey in surveys for each in survey]
    return any(each.broken.total() for each in every) or not any(each.recalling for each in every)


def _note_of(name: str, context: Json) -> str:
    """Return the text of the note, "" where there is none."""
    if name == "text":
        _, found, rest = context["text"].partition(f"user: {FIRST_LINE}\n")
        return FIRST_LINE + "\n" + rest.partition("\n\nuser: ")[0] if found else ""
    texts = [said for _, said in _events(name, context)]
    return next((text for text in texts if isinstance(text, str) and text.startswith(FIRST_LINE)), "")


def _events(name: str, context: Json) -> Iterator[tuple[str, Any]]:
    """Yield what a context holds, without what joins it: (role, text) for each text, whatever else is there whole."""
    match name:
        case "items":
            for item in context["input"]:
                yield (item["role"], _texts(item)[0]) if item["type"] == "message" else ("", item)
        case "chat":
            for message in context["messages"]:
                is_plain = isinstance(message.get("content"), str) and message.keys() == {"role", "content"}
                yield (message["role"], message["content"] if is_plain else message)
        case "anthropic":
            for message in [{"role": "system", "content": context["system"]}, *context["messages"]]:
                yield from ((message["role"], block.get("text", block)) for block in message["content"])
        case "gemini":
            said = context.get("system_instruction") or {"parts": []}
            for content in [said | {"role": "system"}, *context["contents"]]:
                yield from ((content["role"], part.get("text", part)) for part in content["parts"])
        case _:
            text, note = context["text"], _note_of(name, context)
            yield ("text", text.replace(f"user: {note}\n\n", "", 1) if note else text)
            if note:
                yield ("user", note)


def _quotes(note: str, said: Sequence[Sequence[str]]) -> bool:
    """Tell whether the lines of *note* quote *said*, each whole or by its beginning, in this order."""
    lines = [line for line in note.split("\n")[1:] if not (line.startswith("[2") and line.endswith("]"))]
    quotes: list[str] = []
    for line in lines:
        if line.startswith("  ") and quotes:
            quotes[-1] += f"\n{line.removeprefix('  ')}"
        else:
            quotes.append(line.partition(": ")[2])
    if len(quotes) != len(said):
        return False
    pairs = [(quote, " ".join(texts).replace("\r", "\n").strip()) for quote, texts in zip(quotes, said, strict=True)]
    return all(quote == text or (quote[-2:] == " …" and text.startswith(quote[:-2])) for quote, text in pairs)


def _texts(item: Json) -> list[str]:
    """Return what *item* says: its parts as one text, the name and the arguments of a call, a result."""
    if item["type"] == "message":
        return ["\n".join(part["text"] for part in item["content"])]
    return [item["name"], item["arguments"]] if item["type"] == "function_call" else [item["output"]]


def _told(answer: httpx.Response) -> Json:
    return {name: value for name, value in answer.json().items() if name != "request_id"}


def _ok(answer: httpx.Response) -> Json:
    told: Json = answer.raise_for_status().json()
    return told
