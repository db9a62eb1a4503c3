"""Requests that the Responses API takes, and for each rule some that it refuses for that alone."""

from collections.abc import Sequence
from typing import Any

PNG = "data:image/png;base64,iVBORw0KGgo="


def says(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": content, **more}


def text(value: str) -> dict[str, Any]:
    return {"type": "input_text", "text": value}


def said(value: str, **more: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": value, "annotations": [], **more}


def answers(*parts: Any, item_id: str = "msg_1") -> dict[str, Any]:
    return says("assistant", list(parts), id=item_id, status="completed")


def call(call_id: str = "call_1", name: str = "weather", **more: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": "{}", **more}


def output(call_id: str = "call_1", value: Any = "sunny", **more: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": value, **more}


def reasoning(item_id: str = "rs_1", **more: Any) -> dict[str, Any]:
    return {"type": "reasoning", "id": item_id, "summary": [{"type": "summary_text", "text": "hm"}], **more}


def image(**more: Any) -> dict[str, Any]:
    return {"type": "input_image", "detail": "auto", **more}


def file(**more: Any) -> dict[str, Any]:
    return {"type": "input_file", **more}


def search(item_id: str = "ws_1", **action: Any) -> dict[str, Any]:
    return {"type": "web_search_call", "id": item_id, "status": "completed", "action": action}


def talk(*items: Any, **more: Any) -> dict[str, Any]:
    return {"input": list(items), **more}


HELLO = says("user", [text("Hello")])
CUSTOM = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call:1", "name": "shell", "input": ""}
SHELL = {
    "type": "local_shell_call",
    "id": "lsh_1",
    "call_id": "call_s",
    "status": "completed",
    "action": {"type": "exec", "command": ["ls"], "env": {}},
}
SHELL_OUTPUT = {"type": "local_shell_call_output", "id": "call_s", "output": "a"}
PATCH = {
    "type": "apply_patch_call",
    "call_id": "call_p",
    "status": "completed",
    "operation": {"type": "delete_file", "path": "a"},
}
APPROVAL = {"type": "mcp_approval_request", "id": "mcpr_1", "arguments": "{}", "name": "f", "server_label": "s"}
APPROVED = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
COMPACTION = {"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAA"}
TOOL_SEARCH = {"type": "tool_search_call", "id": "tsc_1", "arguments": {}, "execution": "server", "status": "completed"}

RIGHT: Sequence[dict[str, Any]] = [
    talk(),
    talk({"role": "user", "content": "Hello"}, says("assistant", "Hi"), says("system", "Be brief."), says("user", "")),
    talk(says("developer", [text("Rhyme.")]), says("user", [text(""), image(image_url=PNG), image(file_id="file-1")])),
    talk(
        says(
            "user", [file(file_id="file-1"), file(file_url="https://a.example/b"), file(file_data="AAAA", filename="a")]
        )
    ),
    talk(
        {**HELLO, "id": "msg_0", "status": "completed"},
        answers(said("Hi"), {"type": "refusal", "refusal": "No."}),
        HELLO,
    ),
    talk(HELLO, reasoning(encrypted_content=None, content=[]), answers(said("Hi", logprobs=[])), HELLO),
    talk(HELLO, reasoning(), reasoning("rs_2"), call(id="fc_1"), call("b"), output(id="fco_1"), output("b"), HELLO),
    talk(
        HELLO,
        call(),
        answers(said("I look.")),
        output(value=[text("a"), image(image_url=PNG)]),
        answers(said("a"), item_id="msg_2"),
    ),
    talk(HELLO, call(), call("b"), output("b")),
    talk(HELLO, call(), says("developer", "Be brief.")),
    talk(HELLO, call("c" * 64, "n" * 64, arguments="not json", status="completed")),
    talk(HELLO, call("call:1"), output("call:1"), CUSTOM, output("call:1", type="custom_tool_call_output"), HELLO),
    talk(
        HELLO,
        reasoning(),
        search(type="search", query="a", queries=["a"]),
        search("ws_2", type="open_page", url=None),
        HELLO,
    ),
    talk(
        HELLO,
        SHELL,
        SHELL_OUTPUT,
        PATCH,
        {"type": "apply_patch_call_output", "call_id": "call_p", "status": "failed"},
        HELLO,
    ),
    talk(HELLO, SHELL, {**SHELL_OUTPUT, "call_id": "call_s", "id": "lsho_1"}, HELLO),
    talk(HELLO, APPROVAL, APPROVED, HELLO),
    talk(HELLO, TOOL_SEARCH, {"type": "tool_search_output", "tools": [], "execution": "server"}, HELLO),
    talk(HELLO, COMPACTION, HELLO, COMPACTION | {"id": "cmp_2"}, answers(said("a"))),
]

WRONG: Sequence[tuple[str, dict[str, Any]]] = [
    ("known-fields", talk({**HELLO, "name": "bob"})),
    ("known-fields", talk(says("user", [{**text("a"), "annotations": []}]))),
    ("known-fields", talk(HELLO, search(type="open_page", url="https://a.example", query=None))),
    ("known-fields", talk(HELLO, model="gpt-5")),
    ("required-fields", talk({"type": "message", "role": "user"})),
    ("required-fields", talk(HELLO, {"type": "function_call", "call_id": "a", "name": "f"})),
    ("required-fields", talk(HELLO, answers({"type": "output_text", "text": "a"}))),
    ("required-fields", {}),
    ("no-nulls", talk(HELLO, reasoning(status=None), call())),
    ("no-nulls", talk(HELLO, reasoning(content=None), call())),
    ("no-nulls", talk(HELLO, answers(said("a", logprobs=None)))),
    ("no-nulls", talk(None)),
    ("field-types", talk(HELLO, call(arguments={}))),
    ("field-types", talk(HELLO, call(status="done"))),
    ("known-types", talk(HELLO, {"type": "additional_tools", "role": "user", "tools": []})),
    ("known-types", talk({"type": "thinking", "thinking": "hm"})),
    ("known-types", talk(says("model", [text("a")]))),
    ("known-types", talk(HELLO, answers(text("a")))),
    ("known-types", talk(says("user", [said("a")]))),
    ("known-types", talk(says("user", [{"type": "text", "text": "a"}]))),
    ("known-types", talk(HELLO, call(), output(value=[said("a")]))),
    ("item-id-form", talk({**HELLO, "id": ""})),
    ("item-id-form", talk({**HELLO, "id": "msg_" + "a" * 61})),
    ("item-id-form", talk({**HELLO, "id": "msg_a.b"})),
    ("item-id-prefix", talk({**HELLO, "id": "item_1"})),
    ("item-id-prefix", talk(HELLO, call(id="call_1"))),
    ("item-id-prefix", talk(HELLO, reasoning("thinking_1"), call())),
    ("item-id-prefix", talk(HELLO, {**COMPACTION, "id": "fc_1"})),
    ("item-ids-unique", talk({**HELLO, "id": "msg_1"}, answers(said("a")))),
    ("call-id-length", talk(HELLO, call("c" * 65))),
    ("call-id-length", talk(HELLO, call(""))),
    ("call-ids-unique", talk(HELLO, call(), call(), output(), output())),
    ("call-ids-unique", talk(HELLO, call(), output(), call(), output())),
    ("call-name-pattern", talk(HELLO, call(name="browser.tabs.open"))),
    ("call-name-pattern", talk(HELLO, call(name=""))),
    ("call-name-pattern", talk(HELLO, call(name="n" * 65))),
    ("outputs-have-calls", talk(output(), HELLO)),
    ("outputs-have-calls", talk(HELLO, call(), {**output(), "type": "custom_tool_call_output"})),
    ("outputs-have-calls", talk(HELLO, APPROVED)),
    ("calls-have-outputs", talk(HELLO, call(), HELLO)),
    ("calls-have-outputs", talk(HELLO, call(), call("b"), output(), answers(said("a")))),
    ("calls-have-outputs", talk(HELLO, SHELL, HELLO)),
    ("reasoning-followed", talk(HELLO, reasoning())),
    ("reasoning-followed", talk(HELLO, reasoning(), HELLO)),
    ("reasoning-followed", talk(HELLO, call(), reasoning(), output(), answers(said("a")))),
    ("reasoning-without-status", talk(HELLO, reasoning(status="completed"), call())),
    ("image-source", talk(says("user", [image()]))),
    ("image-source", talk(says("user", [image(image_url="data:image/bmp;base64,AAAA")]))),
    ("image-source", talk(HELLO, call(), output(value=[image(image_url="a.png")]))),
    ("file-source", talk(says("user", [file(filename="a")]))),
    ("file-source", talk(says("user", [file(file_url="document:a/b")]))),
    ("file-source", talk(says("user", [file(file_data="AAAA")]))),
]
