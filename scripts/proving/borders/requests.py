"""
Hypothesis strategies: requests as agents hold them in each dialect, every one accepted by its provider.

They have what each dialect has and others have not: thinking with signatures, tools that the provider runs, results
with pictures, audio, thought signatures, parts with empty text. `as_dumped()` adds the nulls that a client writes when
it puts a model's reply back.
"""

from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

from hypothesis import strategies as st

Raw = dict[str, Any]
Draw = Callable[[st.SearchStrategy[Any]], Any]

_PNG = "iVBORw0KGgo="
_PDF = "JVBERi0xLjQK"
_SIGNATURE = "c2lnbmF0dXJl"

texts = st.sampled_from(["Hello", "a\n\nb", " leading", "trailing ", "🙂", "x" * 300])
any_texts = texts | st.sampled_from(["", " \n"])
names = st.sampled_from(["f", "get_weather", "a-b_C9", "n" * 64])
objects = st.sampled_from(
    [{}, {"city": "Rome"}, {"n": 1.5, "deep": {"a": [[{"b": None}]]}}, {"wei": 2**70}, {"": [True, "ä"]}]
)
errors = st.sampled_from(["no such tool", "timeout"])


def _mapping(**fields: Any) -> st.SearchStrategy[Raw]:
    values = {name: value if isinstance(value, st.SearchStrategy) else st.just(value) for name, value in fields.items()}
    return st.fixed_dictionaries(values)


def _some(strategy: st.SearchStrategy[Any], at_most: int = 3, at_least: int = 1) -> st.SearchStrategy[list[Any]]:
    return st.lists(strategy, min_size=at_least, max_size=at_most)


# Chat Completions.

_chat_text = _mapping(type="text", text=texts)
_chat_parts = st.one_of(
    _chat_text,
    _mapping(type="image_url", image_url=_mapping(url="https://a.example/b", detail=st.sampled_from(["low", "auto"]))),
    _mapping(type="image_url", image_url=_mapping(url=f"data:image/png;base64,{_PNG}")),
    _mapping(type="input_audio", input_audio=_mapping(data="UklGRg==", format="wav")),
    _mapping(type="file", file=_mapping(file_id="file-1")),
    _mapping(type="file", file=_mapping(file_data=f"data:application/pdf;base64,{_PDF}", filename="a.pdf")),
)
_chat_said = st.one_of(
    _mapping(role="assistant", content=any_texts),
    _mapping(role="assistant", content=_some(_chat_text)),
    _mapping(role="assistant", content="Hi", name="bot"),
    _mapping(role="assistant", content=_mapping(type="refusal", refusal=texts).map(lambda part: [part])),
    _mapping(role="assistant", content=None, refusal=texts),
    _mapping(role="assistant", content=None, audio=_mapping(id="audio_1")),
)
_chat_arguments = st.sampled_from(["{}", '{"city": "Rome"}', '{"a":1,"a":2}', "not json", ""])


@st.composite
def chat_requests(draw: st.DrawFn) -> Raw:
    """`{"messages": […]}`; the last round of calls may be open."""
    numbers = count()
    messages: list[Raw] = []
    for _ in range(draw(st.integers(0, 4))):
        role = draw(st.sampled_from(["user", "user", "user", "system", "developer"]))
        parts = _chat_parts if role == "user" else _chat_text
        messages.append(
            {"role": role, "content": draw(any_texts | _some(parts)), **draw(st.sampled_from([{}, {"name": "bob"}]))}
        )
        for _ in range(draw(st.integers(0, 2))):
            messages += _chat_round(draw, numbers)
        messages += draw(st.lists(_chat_said, max_size=2))
    if draw(st.booleans()):
        messages += _chat_round(draw, numbers)[:1]
    return {"messages": messages}


def _chat_round(draw: Draw, numbers: Iterable[int]) -> list[Raw]:
    calls = [
        _chat_call(draw, f"call:{number}") for number, _ in zip(numbers, range(draw(st.integers(1, 3))), strict=False)
    ]
    answers = [
        {"role": "tool", "tool_call_id": call["id"], "content": draw(any_texts | _some(_chat_text))}
        for call in draw(st.permutations(calls))
    ]
    return [{"role": "assistant", "content": draw(st.none() | any_texts), "tool_calls": calls}, *answers]


def _chat_call(draw: Draw, call_id: str) -> Raw:
    if draw(st.integers(0, 3)) == 3:
        return {"id": call_id, "type": "custom", "custom": {"name": draw(names), "input": draw(any_texts)}}
    return {"id": call_id, "type": "function", "function": {"name": draw(names), "arguments": draw(_chat_arguments)}}


def as_dumped(request: Raw) -> Raw:
    """Return a chat *request* with its assistant messages as `ChatCompletionMessage.model_dump()` writes them."""
    nulls = {
        "content": None,
        "refusal": None,
        "annotations": None,
        "audio": None,
        "function_call": None,
        "tool_calls": None,
    }
    return {"messages": [{**nulls, **each} if each["role"] == "assistant" else each for each in request["messages"]]}


# Anthropic Messages.

_MARK = {"cache_control": {"type": "ephemeral"}}
_block_text = _mapping(type="text", text=texts)
_image = st.sampled_from(
    [{"type": "base64", "media_type": "image/png", "data": _PNG}, {"type": "url", "url": "https://a.example/b"}]
).map(lambda source: {"type": "image", "source": source})
_document = st.sampled_from(
    [
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": _PDF}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a"}, "title": "A"},
        {
            "type": "document",
            "source": {"type": "url", "url": "https://a.example/b.pdf"},
            "citations": {"enabled": True},
        },
    ]
)
_thinking = st.one_of(
    _mapping(type="thinking", thinking=any_texts, signature=_SIGNATURE),
    _mapping(type="redacted_thinking", data=_SIGNATURE),
)
_result_content = any_texts.filter(str.strip) | _some(_block_text | _image, at_least=0) | st.just("")


_systems: st.SearchStrategy[Raw] = st.sampled_from(
    [{}, {"system": "Be brief."}, {"system": [{"type": "text", "text": "Rhyme.", **_MARK}]}]
)


@st.composite
def anthropic_requests(draw: st.DrawFn) -> Raw:
    """`{"system"?: …, "messages": […]}`, roles in turn; the last round of calls may be open, the answer paused."""
    numbers = count()
    messages: list[Raw] = []
    owed: list[Raw] = []
    for _ in range(draw(st.integers(0, 4))):
        asked = draw(texts | _some(st.one_of(_block_text, _block_text, _image, _document)))
        results: list[Raw] = []
        for _ in range(draw(st.integers(0, 2))):
            messages.append({"role": "user", "content": results or asked})
            messages.append({"role": "assistant", "content": _anthropic_calls(draw, numbers, owed)})
            results = _anthropic_results(draw, messages[-1]["content"])
        more = draw(_some(_block_text, at_most=1, at_least=0))
        messages.append({"role": "user", "content": results if owed else [*results, *more] if results else asked})
        messages.append({"role": "assistant", "content": _anthropic_said(draw, numbers, owed)})
    match draw(st.integers(0, 4)):
        case 0:
            messages.append({"role": "user", "content": draw(texts)})
        case 1:
            messages.append({"role": "user", "content": "Search"})
            messages.append({"role": "assistant", "content": [draw(_block_text), *_server_search(draw, numbers)[:1]]})
        case _:
            messages.append({"role": "user", "content": "Go on"})
            messages.append({"role": "assistant", "content": _anthropic_calls(draw, numbers, [])})
    marked = [_with_mark(draw, message) for message in messages]
    system = draw(_systems)
    return {**system, "messages": marked}


def _anthropic_calls(draw: Draw, numbers: Iterable[int], owed: list[Raw]) -> list[Raw]:
    """Return an answer with calls. What its own searches found stands in the next one: it becomes what is *owed*."""
    found, owed[:] = owed[:], []
    searches: list[Raw] = []
    if draw(st.integers(0, 5)) == 5:
        searches, owed[:] = (part := _server_search(draw, numbers))[:1], part[1:]
    thought = draw(_some(_thinking, at_most=2, at_least=0))
    said = draw(_some(_block_text, at_most=1, at_least=0))
    ids = [f"toolu_{number}" for number, _ in zip(numbers, range(draw(st.integers(1, 3))), strict=False)]
    calls = [{"type": "tool_use", "id": each, "name": draw(names), "input": draw(objects)} for each in ids]
    return [*thought, *found, *said, *searches, *calls]


def _anthropic_results(draw: Draw, blocks: list[Raw]) -> list[Raw]:
    results = []
    for block in draw(st.permutations([block for block in blocks if block["type"] == "tool_use"])):
        failed = draw(st.integers(0, 3)) == 3
        content = {"content": draw(errors), "is_error": True} if failed else {"content": draw(_result_content)}
        results.append({"type": "tool_result", "tool_use_id": block["id"], **content})
    return results


def _anthropic_said(draw: Draw, numbers: Iterable[int], owed: list[Raw]) -> str | list[Raw]:
    found, owed[:] = owed[:], []
    if not found and draw(st.booleans()):
        return str(draw(texts))
    thought = draw(_some(_thinking, at_most=1, at_least=0))
    searched = _server_search(draw, numbers) if draw(st.booleans()) else []
    return [*thought, *found, *searched, *draw(_some(_block_text, at_most=2))]


def _server_search(draw: Draw, numbers: Iterable[int]) -> list[Raw]:
    call_id = f"srvtoolu_{next(iter(numbers))}"
    found = {"type": "web_search_result", "url": "https://a.example", "title": "A", "encrypted_content": "EqgA"}
    return [
        {"type": "server_tool_use", "id": call_id, "name": "web_search", "input": {"query": "a"}},
        {"type": "web_search_tool_result", "tool_use_id": call_id, "content": draw(st.sampled_from([[], [found]]))},
    ]


def _with_mark(draw: Draw, message: Raw) -> Raw:
    """Return *message* with a cache mark on its last block, at times, where a block may have one."""
    content = message["content"]
    if isinstance(content, str) or draw(st.integers(0, 4)) < 4:
        return message
    return {**message, "content": [*content[:-1], {**content[-1], **_MARK}]}


# Gemini.

_gemini_text = _mapping(text=texts)
_gemini_parts = st.one_of(
    _gemini_text,
    _mapping(inlineData=_mapping(mimeType="image/png", data=_PNG)),
    _mapping(inlineData=_mapping(mimeType="audio/wav", data="UklGRg==")),
    _mapping(fileData=_mapping(mimeType="application/pdf", fileUri="https://a.example/b.pdf")),
)
_gemini_said = st.one_of(
    _gemini_text,
    _mapping(text=any_texts, thoughtSignature=_SIGNATURE),
    _mapping(text=texts, thought=True),
    _mapping(executableCode=_mapping(language="PYTHON", code="1")),
)


@st.composite
def gemini_requests(draw: st.DrawFn) -> Raw:
    """`{"contents": […], "systemInstruction"?: …}`; the last round of calls may be open."""
    numbers = count()
    contents: list[Raw] = []
    for _ in range(draw(st.integers(1, 4))):
        contents.append({"role": "user", "parts": draw(_some(_gemini_parts))})
        is_signed, has_ids = draw(st.booleans()), draw(st.booleans())
        for _ in range(draw(st.integers(0, 2))):
            contents += _gemini_round(draw, numbers, is_signed=is_signed, has_ids=has_ids)
        contents.append({"role": "model", "parts": draw(_some(_gemini_said))})
    if draw(st.booleans()):
        contents.append({"role": "user", "parts": [{"text": "Go on"}]})
        contents += _gemini_round(draw, numbers, is_signed=draw(st.booleans()), has_ids=False)[:1]
    instruction = {"systemInstruction": {"parts": [{"text": "Be brief."}]}}
    return {"contents": contents, **draw(st.sampled_from([{}, instruction]))}


def _gemini_round(draw: Draw, numbers: Iterable[int], *, is_signed: bool, has_ids: bool) -> list[Raw]:
    """Return a content with calls, the first signed if any is, and one with their responses in their order."""
    before = draw(_some(_gemini_text, at_most=1, at_least=0))
    calls: list[Raw] = []
    responses: list[Raw] = []
    for number, at in zip(numbers, range(draw(st.integers(1, 3))), strict=False):
        same = {"name": draw(names), **({"id": f"id_{number}"} if has_ids else {})}
        signature = {"thoughtSignature": _SIGNATURE} if is_signed and at == 0 else {}
        calls.append({"functionCall": {**same, "args": draw(objects)}, **signature})
        responses.append({"functionResponse": {**same, "response": draw(objects)}})
    return [{"role": "model", "parts": [*before, *calls]}, {"role": "user", "parts": responses}]
