"""Requests that Anthropic takes, and for each rule some that it refuses for that alone."""

from collections.abc import Sequence
from typing import Any

PNG = "iVBORw0KGgo="
PDF = "JVBERi0xLjQK"


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def call(call_id: str = "toolu_1", name: str = "weather", given: Any = None, kind: str = "tool_use") -> dict[str, Any]:
    return {"type": kind, "id": call_id, "name": name, "input": {"city": "Rome"} if given is None else given}


def result(call_id: str = "toolu_1", content: Any = "sunny", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **more}


def image(media_type: str = "image/png", data: str = PNG) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


def document(**source: Any) -> dict[str, Any]:
    return {"type": "document", "source": source}


def found(call_id: str) -> dict[str, Any]:
    return {"type": "web_search_tool_result", "tool_use_id": call_id, "content": []}


HELLO = user(text("Hello"))
THOUGHT = {"type": "thinking", "thinking": "Let me see.", "signature": "c2lnbmF0dXJl"}
REDACTED = {"type": "redacted_thinking", "data": "c2VjcmV0"}
SEARCH = call("srvtoolu_1", "web_search", kind="server_tool_use")


def talk(*messages: Any, **more: Any) -> dict[str, Any]:
    return {"messages": list(messages), **more}


RIGHT: Sequence[dict[str, Any]] = [
    talk(),
    talk({"role": "user", "content": "Hello"}, system="Be brief."),
    talk(
        HELLO, HELLO, assistant(text("Hi")), assistant(text("there")), HELLO, system=[text("Be brief."), text("Rhyme.")]
    ),
    talk(
        user(
            text("What is this?"),
            image(),
            {"type": "image", "source": {"type": "url", "url": "https://a.example/b"}},
        )
    ),
    talk(
        user(document(type="base64", media_type="application/pdf", data=PDF), document(type="file", file_id="file_1"))
    ),
    talk(user({**document(type="text", media_type="text/plain", data="a"), "title": "T", "citations": {}})),
    talk(HELLO, assistant(text("I look."), call(), call("toolu_2")), user(result(), result("toolu_2"), text("Go on"))),
    talk(HELLO, assistant(call()), user(result(content=[text("seen"), image()]))),
    talk(HELLO, assistant(call()), user(result(content=[])), assistant(text("Nothing.")), HELLO),
    talk(HELLO, assistant(call(), call("toolu_2"))),
    talk(HELLO, assistant(call(), call("toolu_2")), user(result())),
    talk(HELLO, assistant(call()), user(result(content="no such tool", is_error=True))),
    talk(HELLO, assistant(call("a", given={"wei": 2**256, "deep": {"a": [[[{}]]]}}))),
    talk(HELLO, assistant(THOUGHT, REDACTED, text("Now."), call()), user(result()), assistant(THOUGHT, call("b"))),
    talk(HELLO, assistant(THOUGHT, text("Done.")), HELLO, assistant(call()), user(result())),
    talk(HELLO, assistant(THOUGHT, SEARCH, found("srvtoolu_1"), THOUGHT, text("Found.")), HELLO),
    talk(HELLO, assistant()),
    talk(HELLO, assistant(text("The sea was"))),
]

WRONG: Sequence[tuple[str, dict[str, Any]]] = [
    ("known-fields", talk({**HELLO, "name": "bob"})),
    ("known-fields", talk(user({**text("a"), "annotations": []}))),
    ("known-fields", talk(HELLO, model="claude")),
    ("required-fields", talk({"role": "user"})),
    ("required-fields", talk(HELLO, assistant({"type": "tool_use", "id": "a", "name": "f"}))),
    ("required-fields", talk(HELLO, assistant({"type": "thinking", "thinking": "hm"}, text("a")))),
    ("no-nulls", talk({"role": "user", "content": None})),
    ("no-nulls", talk(HELLO, assistant(call()), user(result(content=None)))),
    ("field-types", talk(HELLO, assistant(call(given="{}")))),
    ("field-types", talk(HELLO, assistant(call(given=[])))),
    ("field-types", talk(user(text(1)))),  # type: ignore[arg-type]
    ("known-types", talk({"role": "system", "content": "a"})),
    ("known-types", talk({"role": "tool", "content": "a"})),
    ("known-types", talk(user({"type": "input_text", "text": "a"}))),
    ("known-types", talk(user(call()))),
    ("known-types", talk(HELLO, assistant(image()))),
    ("known-types", talk(HELLO, assistant(call()), user(result(content=[THOUGHT])))),
    ("known-types", talk(HELLO, system=[image()])),
    ("first-user", talk(assistant(text("Hi")), HELLO)),
    ("content-not-empty", talk(user(), assistant(text("Hi")), HELLO)),
    ("content-not-empty", talk({"role": "user", "content": ""})),
    ("content-not-empty", talk(HELLO, assistant(), HELLO)),
    ("text-not-blank", talk(user(text("")))),
    ("text-not-blank", talk({"role": "user", "content": " \n"})),
    ("text-not-blank", talk(HELLO, assistant(text("\t")))),
    ("text-not-blank", talk(HELLO, assistant(call()), user(result(content=[text("")])))),
    ("text-not-blank", talk(HELLO, system=[text(" ")])),
    ("text-not-blank", talk(HELLO, system=" ")),
    ("no-white-space-at-the-end", talk(HELLO, assistant(text("The sea was \n")))),
    ("no-white-space-at-the-end", talk(HELLO, {"role": "assistant", "content": "The sea was "})),
    ("results-follow-calls", talk(HELLO, assistant(call()), HELLO)),
    ("results-follow-calls", talk(HELLO, assistant(call(), call("b")), user(result(), text("Go on")))),
    ("results-follow-calls", talk(HELLO, assistant(call(), call("b")), user(result("b")), assistant(text("a")))),
    ("results-have-calls", talk(user(result()))),
    ("results-have-calls", talk(HELLO, assistant(call()), user(result()), assistant(text("a")), user(result()))),
    ("results-have-calls", talk(HELLO, assistant(call()), user(result(), text("a")), user(result("b")))),
    ("results-first", talk(HELLO, assistant(call()), user(text("Here"), result()))),
    ("one-result-a-call", talk(HELLO, assistant(call()), user(result(), result()))),
    ("one-result-a-call", talk(HELLO, assistant(call()), user(result()), user(result()))),
    ("call-ids-unique", talk(HELLO, assistant(call(), call()))),
    ("call-ids-unique", talk(HELLO, assistant(call()), user(result()), assistant(call()), user(result()))),
    ("call-id-pattern", talk(HELLO, assistant(call("call:1")))),
    ("call-id-pattern", talk(HELLO, assistant(call("")))),
    ("call-id-pattern", talk(HELLO, assistant(call("a\n")))),
    ("call-name-pattern", talk(HELLO, assistant(call(name="browser.tabs.open")))),
    ("call-name-pattern", talk(HELLO, assistant(call(name="")))),
    ("call-name-pattern", talk(HELLO, assistant(call(name="f" * 129)))),
    ("image-source", talk(user(image("image/svg+xml")))),
    ("image-source", talk(user(image(data="not base64")))),
    ("image-source", talk(user({"type": "image", "source": {"type": "url", "url": "data:image/png;base64,AAAA"}}))),
    (
        "image-source",
        talk(user({"type": "image", "source": {"type": "text", "media_type": "text/plain", "data": "a"}})),
    ),
    ("document-source", talk(user(document(type="base64", media_type="text/csv", data=PDF)))),
    ("document-source", talk(user(document(type="url", url="document:a/b.pdf")))),
    ("thinking-signed", talk(HELLO, assistant({**THOUGHT, "signature": ""}, text("a")))),
    ("thinking-signed", talk(HELLO, assistant({**REDACTED, "data": ""}, text("a")))),
    ("thinking-first", talk(HELLO, assistant(text("Now."), THOUGHT, call()), user(result()))),
    ("thinking-first", talk(HELLO, assistant(call("a"), THOUGHT, call()), user(result("a"), result()))),
    ("thinking-not-last", talk(HELLO, assistant(THOUGHT))),
    ("server-results", talk(HELLO, assistant(SEARCH, text("a")))),
    ("server-results", talk(HELLO, assistant(found("srvtoolu_1"), text("a")))),
    ("errors-are-text", talk(HELLO, assistant(call()), user(result(content=[image()], is_error=True)))),
    ("errors-say-something", talk(HELLO, assistant(call()), user(result(content="", is_error=True)))),
]
