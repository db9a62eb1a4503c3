"""
Hypothesis strategies: what agents append, as lists of items that append accepts, every type in every order.

Ids are reused, calls stay open or are answered late or twice, names are what models make up, content is empty or
blank or of another role, arguments are broken, pictures are of every kind, and fields are null as `model_dump()`
writes them. `stored()` makes of such a list what a conversation holds.
"""

from collections.abc import Mapping
from itertools import count
from typing import Any

from hypothesis import strategies as st

from shared.items.normalize import normalize_items

Raw = dict[str, Any]

_PNG = "iVBORw0KGgo="
_SIZED = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAABLAAAAMgCAYAAAA="
"""A picture that says how large it is: 1,200 by 800."""
_DEEP = '{"a":' * 300 + "1" + "}" * 300

texts = st.sampled_from(
    [
        *("", " ", " \n", "hello", "hello \n", "a\n\nb", "user: b", "🙂", "é" * 40, "x" * 900),
        *("\u00a0", "bye\u3000", "\u200b", "\x00", "<|endoftext|>", '{"result": "r"}', "[1]"),
    ]
)
call_ids = st.sampled_from(
    [
        *("c1", "c1", "c2", "c3", "call:ä/1", "call 1\n", "", "i" * 40, "j" * 41, "k" * 64, "l" * 90),
        *("call_000000007", "toolu_01", "(c1)"),
    ]
)
names = st.sampled_from(
    [
        *("f", "f", "get_weather", "browser.tabs.open", "", " ", "über", "1st", "a\nb", "n" * 65, "m" * 129),
        *("-x", "x" * 64, "y" * 128, "ns:f", "__proto__"),
    ]
)
arguments = st.sampled_from(
    [
        *("{}", '{"city":"Rome"}', "", "  ", "not json", "[1]", '"text"', "null", "{}{}", '{"a":1,"a":2}', '{"a":NaN}'),
        *(
            '{"wei":115792089237316195423570985008687907853269984665640564039457584007913129639935}',
            '{"a":1e400}',
            _DEEP,
            '{"a":1,' + _DEEP[1:],
            '{"a":"\\ud800"}',
            *(
                ' {"a": 1}\n',
                '{"a":1} and so on',
                "{'a': 1}",
                '{"":-0.0}',
                '\ufeff{"a":1}',
                '{"a":' + "[" * 90 + "]" * 90 + "}",
            ),
        ),
    ]
)
image_urls = st.sampled_from(
    [f"data:{kind};base64,{_PNG}" for kind in ("image/png", "image/webp", "image/gif", "image/svg+xml", "IMAGE/PNG")]
    + [f"data:image/jpg;base64,{_PNG}", "data:image/png;base64,!", "data:image/png;base64,", "data:,a", "file-abc", ""]
    + ["https://a.example/b", "http://a.example/b.gif", f"data:application/pdf;base64,{_PNG}"]
    + [f"DATA:image/png;base64,{_PNG}", f"data:image/png;charset=utf-8;base64,{_PNG}", "data:image/png;base64,iVBORw"]
    + ["HTTPS://a.example/b", "https://", "https://a.example/b c", "gs://a/b.png", f"data:;base64,{_PNG}", _SIZED]
)
statuses = st.sampled_from(["completed", "completed", "incomplete", "in_progress"])


def _maybe(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Raw]:
    """Some of *fields*, some of them null: an optional field that a client names may be null."""
    return st.fixed_dictionaries({}, optional={name: st.none() | value for name, value in fields.items()})


_NOTHING: st.SearchStrategy[Raw] = st.just({})


def _item(kind: str, optional: st.SearchStrategy[Raw] = _NOTHING, **fields: Any) -> st.SearchStrategy[Raw]:
    """Items of type *kind* with *fields*, values or strategies of them."""
    values = {name: value if isinstance(value, st.SearchStrategy) else st.just(value) for name, value in fields.items()}
    required = st.fixed_dictionaries({"type": st.just(kind), **values})
    return st.builds(lambda made, more: {**made, **more}, required, optional)


input_texts = _item("input_text", text=texts)
images = st.one_of(
    _item("input_image", _maybe(detail=st.sampled_from(["auto", "low", "original"])), image_url=image_urls),
    _item("input_image", file_id="file-abc"),
    _item("input_image", file_id="file-abc", image_url=None),
    _item("input_image"),
)
_FILE_TYPES = ("image/png", "text/plain", "audio/wav", "text/", "audio/a b", "video/mp4", "")
files = st.one_of(
    _item("input_file", file_id="file-abc"),
    _item("input_file", file_data=f"data:application/pdf;base64,{_PNG}", filename="a.pdf"),
    _item("input_file", file_data=_PNG),
    _item("input_file", file_url="https://a.example/b.pdf"),
    _item(
        "input_file", file_url=st.sampled_from(["HTTPS://a.example/b", "ftp://a.example/b", "https://a.example/b.png"])
    ),
    _item("input_file", file_data=st.sampled_from([f"data:{kind};base64,{_PNG}" for kind in _FILE_TYPES])),
    _item("input_file", file_id="file-abc", file_data=f"data:application/pdf;base64,{_PNG}", filename=None),
    _item("input_file", filename="a.pdf"),
)
citation = {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 1}
output_texts = _item(
    "output_text", _maybe(logprobs=st.just([])), text=texts, annotations=st.sampled_from([[], [citation]])
)
refusals = _item("refusal", refusal=texts)
stored_texts = st.one_of(*(_item(kind, text=texts) for kind in ("text", "summary_text", "reasoning_text")))
screenshots = _item("computer_screenshot", image_url=image_urls)
caller_parts = st.one_of(input_texts, input_texts, images, files, stored_texts, screenshots)
assistant_parts = st.one_of(output_texts, output_texts, refusals, input_texts, stored_texts)
outputs = texts | st.lists(st.one_of(input_texts, images, files), max_size=2)

_CALLER = _maybe(caller=st.just({"type": "direct"}))
_STATUS = _maybe(status=statuses)
_NAMESPACE = _maybe(namespace=st.just("tools"), status=statuses)


def _messages(role: str, parts: st.SearchStrategy[Raw]) -> st.SearchStrategy[Raw]:
    optional = _maybe(status=statuses, phase=st.just("commentary")) if role == "assistant" else _STATUS
    return _item("message", optional, role=role, content=texts | st.lists(parts, max_size=3))


user_messages = _messages("user", caller_parts)
assistant_messages = _messages("assistant", assistant_parts)
system_messages = st.sampled_from(["system", "developer"]).flatmap(lambda role: _messages(role, caller_parts))
function_calls = _item("function_call", _NAMESPACE, call_id=call_ids, name=names, arguments=arguments)
function_outputs = _item("function_call_output", _STATUS, call_id=call_ids, output=outputs)
reasoning = _item(
    "reasoning",
    _maybe(
        content=st.just([{"type": "reasoning_text", "text": "hm"}]), encrypted_content=st.just("gAAA"), status=statuses
    ),
    summary=st.lists(_item("summary_text", text=texts), max_size=1),
)
_search = _item("function", name="f", parameters=None, strict=True)

TYPES: Mapping[str, st.SearchStrategy[Raw]] = {
    "message": st.one_of(user_messages, user_messages, assistant_messages, system_messages),
    "function_call": function_calls,
    "function_call_output": function_outputs,
    "custom_tool_call": _item("custom_tool_call", _CALLER, call_id=call_ids, name=names, input=texts),
    "custom_tool_call_output": _item("custom_tool_call_output", _CALLER, call_id=call_ids, output=outputs),
    "reasoning": reasoning,
    "file_search_call": _item("file_search_call", _maybe(results=st.just([{"text": "a"}])), queries=["a"]),
    "web_search_call": _item(
        "web_search_call",
        action=st.sampled_from([{"type": "search", "query": "a"}, {"type": "open_page", "url": None, "query": None}]),
    ),
    "image_generation_call": _item("image_generation_call", result=st.none() | st.just(_PNG)),
    "code_interpreter_call": _item("code_interpreter_call", container_id="cntr_1", code=texts, outputs=st.none()),
    "computer_call": _item("computer_call", call_id=call_ids, pending_safety_checks=[], action={"type": "wait"}),
    "computer_call_output": _item(
        "computer_call_output",
        call_id=call_ids,
        output=screenshots,
    ),
    "tool_search_call": _item("tool_search_call", _maybe(call_id=call_ids), arguments={}),
    "tool_search_output": _item("tool_search_output", _maybe(call_id=call_ids), tools=st.lists(_search, max_size=1)),
    "additional_tools": _item(
        "additional_tools", role=st.sampled_from(["developer", "user"]), tools=st.lists(_search, max_size=1)
    ),
    "configuration_update": _item("configuration_update", reasoning={"effort": "low"}),
    "program": _item("program", call_id=call_ids, code=texts, fingerprint="f"),
    "program_output": _item("program_output", call_id=call_ids, result=texts),
    "compaction": _item("compaction", encrypted_content="gAAA"),
    "local_shell_call": _item(
        "local_shell_call", call_id=call_ids, action={"type": "exec", "command": ["ls"], "env": {}}
    ),
    "local_shell_call_output": _item("local_shell_call_output", _maybe(call_id=call_ids), output=texts),
    "shell_call": _item("shell_call", _CALLER, call_id=call_ids, action={"commands": ["ls"]}),
    "shell_call_output": _item("shell_call_output", _CALLER, call_id=call_ids, output=[]),
    "apply_patch_call": _item("apply_patch_call", call_id=call_ids, operation={"type": "delete_file", "path": "a"}),
    "apply_patch_call_output": _item("apply_patch_call_output", _maybe(output=texts), call_id=call_ids),
    "mcp_list_tools": _item("mcp_list_tools", _maybe(error=texts), server_label="s", tools=[]),
    "mcp_approval_request": _item("mcp_approval_request", name=names, arguments=arguments, server_label="s"),
    "mcp_approval_response": _item(
        "mcp_approval_response",
        _maybe(reason=texts),
        approval_request_id=st.sampled_from(["mcpr_1", "a"]),
        approve=True,
    ),
    "mcp_call": _item(
        "mcp_call", _maybe(output=texts, error=st.none()), name=names, arguments=arguments, server_label="s"
    ),
}
"""Items of each type. They have no ids of their own: logs() gives some of them one."""

_PAIRS = (
    *(("computer_call", "computer_call_output"), ("tool_search_call", "tool_search_output")),
    *(("program", "program_output"), ("local_shell_call", "local_shell_call_output")),
    *(("shell_call", "shell_call_output"), ("apply_patch_call", "apply_patch_call_output")),
)


@st.composite
def hosted_rounds(draw: st.DrawFn) -> list[Raw]:
    """A call of a tool that only items have a form for, and its output, which one has to be; a function's beside it."""
    call_type, output_type = draw(st.sampled_from(_PAIRS))
    named = {"call_id": draw(call_ids)}
    if draw(st.integers(0, 6)) == 6:
        asked = {**draw(TYPES["mcp_approval_request"]), "id": draw(st.sampled_from(["mcpr_1", "a"]))}
        return [asked, {**draw(TYPES["mcp_approval_response"]), "approval_request_id": asked["id"]}]
    beside = draw(st.lists(function_calls, max_size=1))
    answers = [draw(_answer_to(call)) for call in beside]
    made = [*beside, {**draw(TYPES[call_type]), **named}, *answers, {**draw(TYPES[output_type]), **named}]
    return made[: draw(st.integers(1, len(made)))] if draw(st.booleans()) else made


@st.composite
def twice_stored(draw: st.DrawFn) -> list[Raw]:
    """A call that was stored twice, in one response or in two, and answered once or twice."""
    call = draw(function_calls)
    between = draw(st.lists(st.one_of(assistant_messages, user_messages, reasoning), max_size=1))
    answers = [draw(_answer_to(call)) for _ in range(draw(st.integers(0, 2)))]
    return [call, *between, call, *answers]


@st.composite
def open_ends(draw: st.DrawFn) -> list[Raw]:
    """Calls that wait for their results, and what may stand behind them."""
    calls = draw(st.lists(function_calls | TYPES["custom_tool_call"] | reasoning, min_size=1, max_size=3))
    behind = st.one_of(system_messages, system_messages, reasoning, TYPES["compaction"], assistant_messages)
    return [*calls, *draw(st.lists(behind, max_size=2))]


_ID_PREFIXES = ("", "", "", "", "msg_", "item_", "call_", "rs_", "item-", "fc_" + "0" * 57)


@st.composite
def rounds(draw: st.DrawFn) -> list[Raw]:
    """A response with parallel calls of any ids, and results in any order, some missing, something between at times."""
    thought = draw(st.lists(reasoning, max_size=1))
    said = draw(st.lists(assistant_messages, max_size=1))
    calls = draw(st.lists(function_calls | TYPES["custom_tool_call"], min_size=1, max_size=3))
    answers = [draw(_answer_to(call)) for call in draw(st.permutations(calls))]
    answers = answers[: draw(st.integers(max(0, len(answers) - 1), len(answers)))]
    between = draw(st.lists(st.one_of(user_messages, system_messages, assistant_messages, reasoning), max_size=1))
    at = draw(st.integers(0, len(answers)))
    return [*thought, *said, *calls, *answers[:at], *between, *answers[at:]]


def _answer_to(call: Raw) -> st.SearchStrategy[Raw]:
    return _item(f"{call['type']}_output", call_id=call["call_id"], output=outputs)


@st.composite
def many_calls(draw: st.DrawFn) -> list[Raw]:
    """A response with more calls than a message of Chat Completions may have, answered."""
    ids = [f"many_{index}" for index in range(draw(st.sampled_from([128, 129, 300])))]
    calls = [{"type": "function_call", "call_id": call_id, "name": "f", "arguments": "{}"} for call_id in ids]
    answered = ids[draw(st.sampled_from([0, 0, 0, 1, 129])) :]
    return [*calls, *({"type": "function_call_output", "call_id": call_id, "output": "ok"} for call_id in answered)]


@st.composite
def logs(draw: st.DrawFn, episodes_max: int = 8) -> list[Raw]:
    """What is appended to a conversation in its life; more than one batch may hold, where a round has many calls."""
    talk = st.one_of(user_messages, assistant_messages, system_messages)
    single = st.one_of(talk, st.sampled_from(sorted(TYPES)).flatmap(TYPES.__getitem__)).map(lambda raw: [raw])
    several = st.one_of(rounds(), rounds(), hosted_rounds(), twice_stored())
    episodes = draw(st.lists(st.one_of(single, single, several), max_size=episodes_max))
    if draw(st.integers(0, 3)) == 3:
        episodes.append(draw(open_ends()))
    if draw(st.integers(0, 29)) == 7:
        episodes.insert(draw(st.integers(0, len(episodes))), draw(many_calls()))
    items = [raw for episode in episodes for raw in episode]
    prefixes = draw(st.lists(st.sampled_from(_ID_PREFIXES), min_size=len(items), max_size=len(items)))
    made: list[Raw] = []
    for index, (raw, prefix) in enumerate(zip(items, prefixes, strict=True)):
        own = raw.get("id")
        if own in [each.get("id") for each in made]:  # Append takes an id once.
            own = None
        item = {name: value for name, value in raw.items() if name != "id"}
        item_id = own or (f"{prefix}{index}" if prefix else "")
        made.append({**item, "id": item_id} if item_id else item)
    return made


def stored(raw_items: list[Raw]) -> list[Raw]:
    """Return *raw_items* as a conversation stores them, in one batch."""
    numbers = count()
    normal = normalize_items(
        raw_items, lambda prefix: f"{prefix}_n{next(numbers)}", allow_empty=True, count_max=len(raw_items)
    )
    return [each.item for each in normal]
