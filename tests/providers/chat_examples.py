"""Requests that Chat Completions takes, and for each rule some that it refuses for that alone."""

from collections.abc import Sequence
from typing import Any

PNG = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;base64,JVBERi0xLjQK"


def says(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def call(call_id: str = "call_1", name: str = "weather", arguments: Any = "{}") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def calls(*tool_calls: Any, content: Any = None) -> dict[str, Any]:
    return says("assistant", content, tool_calls=list(tool_calls))


def result(call_id: str = "call_1", content: Any = "sunny", **more: Any) -> dict[str, Any]:
    return says("tool", content, tool_call_id=call_id, **more)


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def image(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def file(**fields: Any) -> dict[str, Any]:
    return {"type": "file", "file": fields}


def audio(data: str) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}


def talk(*messages: Any, **more: Any) -> dict[str, Any]:
    return {"messages": list(messages), **more}


HELLO = says("user", "Hello")
REFUSAL = {"type": "refusal", "refusal": "No."}
CUSTOM = {"id": "call_2", "type": "custom", "custom": {"name": "shell", "input": "ls"}}

RIGHT: Sequence[dict[str, Any]] = [
    talk(),
    talk(
        says("system", "Be brief."), says("developer", [text("Rhyme."), text("Always.")]), says("user", "", name="bob")
    ),
    talk(says("user", [text("See"), image(PNG, detail="low"), image("https://a.example/b")])),
    talk(says("user", [file(file_id="file-1"), file(file_data=PDF, filename="a.pdf"), audio("UklGRg==")])),
    talk(HELLO, says("assistant", "Hi", name="bot"), says("assistant", [text("a"), text("b")]), HELLO),
    talk(HELLO, says("assistant", [REFUSAL]), says("assistant", None, refusal="No."), HELLO),
    talk(HELLO, says("assistant", None, audio={"id": "audio_1"}), HELLO),
    talk(
        HELLO,
        calls(call(), CUSTOM, content="I look."),
        result("call_2"),
        result(name="weather"),
        says("assistant", "21"),
    ),
    talk(HELLO, calls(call()), result(content=[text("a"), text("b")]), says("system", "Go on.")),
    talk(HELLO, calls(*(call(f"call_{index}") for index in range(128)))),
    talk(HELLO, calls(call("a")), result("a"), calls(call("b"), call("c")), result("c")),
    talk(HELLO, calls(call(call_id="c" * 40, name="n" * 64, arguments="not json"), content="")),
    talk(says("assistant", "Hi"), HELLO),
]

WRONG: Sequence[tuple[str, dict[str, Any]]] = [
    ("known-fields", talk({**HELLO, "id": "msg_1"})),
    ("known-fields", talk(says("user", [{**text("a"), "annotations": []}]))),
    ("known-fields", talk(HELLO, says("assistant", "Hi", reasoning_content="hm"))),
    ("known-fields", talk(HELLO, model="gpt-4o")),
    ("required-fields", talk({"role": "user"})),
    ("required-fields", talk(HELLO, calls({"id": "a", "type": "function", "function": {"name": "f"}}))),
    ("required-fields", talk(HELLO, calls(call()), says("tool", "sunny"))),
    ("no-nulls", talk(says("user", None))),
    ("no-nulls", talk(says("user", "a", name=None))),
    ("no-nulls", talk(HELLO, calls(call()), result(content=None))),
    ("field-types", talk(HELLO, calls(call(arguments={"city": "Rome"})))),
    ("field-types", talk(says("user", 1))),
    ("field-types", talk(says("user", [image(PNG, detail="huge")]))),
    ("known-types", talk(says("model", "a"))),
    ("known-types", talk(HELLO, says("function", "a", name="f"))),
    ("known-types", talk(says("user", [{"type": "input_text", "text": "a"}]))),
    ("known-types", talk(says("user", [REFUSAL]))),
    ("known-types", talk(HELLO, says("assistant", [image(PNG)]))),
    ("known-types", talk(HELLO, calls(call()), result(content=[image(PNG)]))),
    ("content-without-calls", talk(HELLO, says("assistant", None))),
    ("content-without-calls", talk(HELLO, {"role": "assistant"})),
    ("arrays-not-empty", talk(says("user", []))),
    ("arrays-not-empty", talk(HELLO, calls(content="a"))),
    ("assistant-parts", talk(HELLO, says("assistant", [text("a"), REFUSAL]))),
    ("assistant-parts", talk(HELLO, says("assistant", [REFUSAL, REFUSAL]))),
    ("calls-max", talk(HELLO, calls(*(call(f"call_{index}") for index in range(129))))),
    ("call-id-length", talk(HELLO, calls(call("c" * 41)))),
    ("call-id-length", talk(HELLO, calls(call("")))),
    ("call-ids-unique", talk(HELLO, calls(call(), call()))),
    ("call-ids-unique", talk(HELLO, calls(call()), result(), calls(call()), result())),
    ("call-name-pattern", talk(HELLO, calls(call(name="browser.tabs.open")))),
    ("call-name-pattern", talk(HELLO, calls(call(name="")))),
    ("call-name-pattern", talk(HELLO, calls(call(name="n" * 65)))),
    ("call-name-pattern", talk(HELLO, calls({**CUSTOM, "custom": {"name": "a b", "input": ""}}))),
    ("message-name-pattern", talk(says("user", "a", name="bob smith"))),
    ("message-name-pattern", talk(says("user", "a", name=""))),
    ("calls-answered", talk(HELLO, calls(call()), HELLO)),
    ("calls-answered", talk(HELLO, calls(call()), says("developer", "Be brief."))),
    ("calls-answered", talk(HELLO, calls(call(), call("b")), result(), says("assistant", "a"))),
    ("results-follow-calls", talk(HELLO, result())),
    ("results-follow-calls", talk(HELLO, calls(call()), result(), HELLO, result())),
    ("results-have-calls", talk(HELLO, calls(call()), result(), result("b"))),
    ("one-result-a-call", talk(HELLO, calls(call()), result(), result())),
    ("image-url", talk(says("user", [image("data:image/svg+xml;base64,AAAA")]))),
    ("image-url", talk(says("user", [image("data:image/png;base64,!")]))),
    ("image-url", talk(says("user", [image("file-abc")]))),
    ("file-part", talk(says("user", [file(filename="a.pdf")]))),
    ("file-part", talk(says("user", [file(file_data="JVBERi0xLjQK", filename="a.pdf")]))),
    ("file-part", talk(says("user", [file(file_data=PDF)]))),
    ("audio-part", talk(says("user", [audio("")]))),
]
