"""Requests that Gemini takes, and for each rule some that it refuses for that alone."""

from collections.abc import Sequence
from typing import Any

PNG = "iVBORw0KGgo="
SIGNATURE = "c2lnbmF0dXJl"


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "parts": list(parts)}


def model(*parts: Any) -> dict[str, Any]:
    return {"role": "model", "parts": list(parts)}


def text(value: str, **more: Any) -> dict[str, Any]:
    return {"text": value, **more}


def call(name: str = "weather", signed: bool = False, **more: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, **more}, **({"thoughtSignature": SIGNATURE} if signed else {})}


def response(name: str = "weather", **more: Any) -> dict[str, Any]:
    return {"functionResponse": {"name": name, "response": {"output": "sunny"}, **more}}


def inline(mime_type: str = "image/png", data: str = PNG) -> dict[str, Any]:
    return {"inlineData": {"mimeType": mime_type, "data": data}}


def file(uri: str, **more: Any) -> dict[str, Any]:
    return {"fileData": {"fileUri": uri, **more}}


HELLO = user(text("Hello"))
BRIEF = {"parts": [text("Be brief.")]}


def talk(*contents: Any, **more: Any) -> dict[str, Any]:
    return {"contents": list(contents), **more}


RIGHT: Sequence[dict[str, Any]] = [
    talk(),
    talk(HELLO, HELLO, model(text("Hi"), text(" ")), model(text("there")), HELLO, system_instruction=BRIEF),
    talk(
        user(inline(), inline("application/pdf"), file("gs://b/a", mimeType="image/webp"), file("https://a.example/b"))
    ),
    talk(HELLO, model(text("hm", thought=True), text("I look."), call(args={"city": "Rome"})), user(response()), HELLO),
    talk(
        HELLO,
        model(call(id="a"), call(id="b")),
        user(response(id="b"), response(id="a"), text("Go on")),
        systemInstruction=BRIEF,
    ),
    talk(HELLO, model(call(), call("time")), user(response("time"), response(parts=[inline()]))),
    talk(HELLO, model(call(), call())),
    talk(HELLO, model(call(), call()), user(response())),
    talk(
        HELLO,
        model(call(signed=True), call()),
        user(response(), response()),
        model(call(signed=True)),
        user(response()),
    ),
    talk(HELLO, model(call(signed=True)), user(response()), model(text("", thoughtSignature=SIGNATURE)), HELLO),
    talk(HELLO, model(call()), user(response()), model(text("21")), HELLO, model(call(signed=True)), user(response())),
    talk(HELLO, model(call("browser.tabs:open-1", args={"wei": 2**256, "deep": [[[{}]]]}))),
    talk(HELLO, model({"executableCode": {"code": "1"}}, {"codeExecutionResult": {"outcome": "OUTCOME_OK"}}), HELLO),
]

WRONG: Sequence[tuple[str, dict[str, Any]]] = [
    ("known-fields", talk(user({"text": "a", "type": "text"}))),
    ("known-fields", talk(HELLO, model({"function_call": {"name": "f"}}))),
    ("known-fields", talk(HELLO, system_instruction={"parts": [text("a", thought=True)]})),
    ("required-fields", talk({"role": "user"})),
    ("required-fields", talk(HELLO, model({"functionCall": {"args": {}}}))),
    ("required-fields", {"system_instruction": BRIEF}),
    ("no-nulls", talk(user({"text": None}))),
    ("no-nulls", talk(HELLO, model(call(id=None)))),
    ("field-types", talk(HELLO, model(call(args="{}")))),
    ("field-types", talk(HELLO, model(call()), user(response(response="sunny")))),
    ("field-types", talk(HELLO, system_instruction="Be brief.")),
    ("known-types", talk({"role": "assistant", "parts": [text("a")]})),
    ("known-types", talk(HELLO, model(call()), {"role": "function", "parts": [response()]})),
    ("known-types", talk({"parts": [text("a")]})),
    ("first-user", talk(model(text("Hi")), HELLO)),
    ("parts-not-empty", talk(user())),
    ("parts-not-empty", talk(HELLO, system_instruction={"parts": []})),
    ("one-data-field", talk(user({}))),
    ("one-data-field", talk(user({"text": "a", **inline()}))),
    ("text-not-empty", talk(user(text("")))),
    ("text-not-empty", talk(HELLO, model(text(""), call()))),
    ("text-not-empty", talk(HELLO, system_instruction={"parts": [text("")]})),
    ("calls-by-model", talk(user(call()))),
    ("calls-by-model", talk(HELLO, model(response()))),
    ("calls-by-model", talk(user(text("a", thoughtSignature=SIGNATURE)))),
    ("calls-after-user", talk(HELLO, model(text("I look.")), model(call()), user(response()))),
    ("calls-answered", talk(HELLO, model(call()), HELLO)),
    ("calls-answered", talk(HELLO, model(call(), call()), user(response()), model(text("a")))),
    ("calls-answered", talk(HELLO, model(call()), model(text("a")))),
    ("responses-follow-calls", talk(user(response()))),
    ("responses-follow-calls", talk(HELLO, model(call()), user(response()), user(response()))),
    ("responses-name-their-calls", talk(HELLO, model(call()), user(response("time")))),
    ("responses-name-their-calls", talk(HELLO, model(call(id="a")), user(response(id="b")))),
    ("responses-name-their-calls", talk(HELLO, model(call(), call("time")), user(response(), response()))),
    ("call-ids-unique", talk(HELLO, model(call(id="a"), call(id="a")))),
    ("call-name-pattern", talk(HELLO, model(call("1st")))),
    ("call-name-pattern", talk(HELLO, model(call("")))),
    ("call-name-pattern", talk(HELLO, model(call("n" * 65)), user(response("n" * 65)))),
    ("call-name-pattern", talk(HELLO, model(call("über")))),
    ("inline-data", talk(user(inline(data="not base64")))),
    ("inline-data", talk(user(inline("image/gif")))),
    ("inline-data", talk(HELLO, model(call()), user(response(parts=[inline("")])))),
    ("file-data", talk(user(file("document:a")))),
    ("file-data", talk(user(file("https://a.example/b", mimeType="image/svg+xml")))),
    ("signature-form", talk(HELLO, model(text("a", thoughtSignature="?")))),
    (
        "signature-of-each-step",
        talk(HELLO, model(call(signed=True)), user(response()), model(call()), user(response())),
    ),
    ("signature-of-each-step", talk(HELLO, model(call()), user(response()), model(call(signed=True)))),
]
