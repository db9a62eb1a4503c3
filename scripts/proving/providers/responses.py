"""
OpenAI Responses: `{"input": […]}`, a list of items as the Conversations API stores them.

A `compaction` item stands for all before it, which may be left out; nothing has to be. Arguments that are not JSON,
and several outputs of one call, are no faults: the API takes both.
"""

import re
from collections.abc import Iterator

from scripts.proving.providers.media import is_openai_image, is_url
from scripts.proving.providers.responses_items import (
    PREFIXES,
    answered_key,
    call_key,
    differences,
    is_by_model,
    items_of,
    parts_of,
)
from scripts.proving.providers.rules import Fault, Request, Rule, Rules

RULES = Rules()

_API = "https://platform.openai.com/docs/api-reference/responses/create"
_TYPES = "https://github.com/openai/openai-python, types/responses/response_input_item_param.py"

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ITEM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_CALL_ID_CHARS_MAX = 64


RULES.shape(
    differences,
    {
        "known-fields": Rule(
            "Items and parts have no fields but their own.",
            "'Unknown parameter: 'input[4].action.query'', https://github.com/pydantic/pydantic-ai/issues/3653",
        ),
        "required-fields": Rule(
            "Items and parts have all that is required.", f"'Missing required parameter'; {_TYPES}"
        ),
        "no-nulls": Rule(
            "Null stands only where the API's types admit it.",
            f"'Unknown parameter: 'input[1].status'', https://github.com/BerriAI/litellm/issues/13420; {_TYPES}",
        ),
        "field-types": Rule("Fields have the documented JSON types and values.", _TYPES),
        "known-types": Rule(
            "Items are of the API's types, and each role has its own parts.",
            "'Invalid value: 'input_text'. Supported values are: 'output_text' and 'refusal'', "
            "https://github.com/jeremychone/rust-genai/pull/119",
        ),
    },
)


def faults(request: Request) -> list[Fault]:
    """Return what the Responses API would refuse of *request*, which has `input`."""
    return RULES.faults(request)


@RULES.rule(
    "item-id-form",
    "Ids of items are 1 to 64 letters, digits, underscores or dashes.",
    "'Expected an ID that contains letters, numbers, underscores, or dashes', "
    "https://github.com/anomalyco/opencode/issues/25065; 'Invalid 'input[3].id': string too long'",
)
def _item_id_form(request: Request) -> Iterator[str]:
    for at, item, _kind in items_of(request):
        if item.get("id") is not None and not _ITEM_ID.fullmatch(item["id"]):
            yield f"{at}.id"


@RULES.rule(
    "item-id-prefix",
    "Ids of items begin as those that the API hands out for their type.",
    "'Invalid 'input[91].id': 'fc_…'. Expected an ID that begins with 'ctc'', for 'msg' https://github.com/openai/codex/"
    "issues/33176, for 'fc' https://github.com/Wei-Shaw/sub2api/issues/3785; the others as in the API's examples",
)
def _item_id_prefix(request: Request) -> Iterator[str]:
    for at, item, kind in items_of(request):
        item_id = item.get("id")
        if item_id and _ITEM_ID.fullmatch(item_id) and not item_id.startswith(PREFIXES.get(kind, "")):
            yield f"{at}.id"


@RULES.rule(
    "item-ids-unique",
    "No two items of a request have the same id.",
    "'Duplicate item found with id msg_…', https://github.com/earendil-works/pi/issues/5151",
)
def _item_ids_unique(request: Request) -> Iterator[str]:
    seen: set[str] = set()
    for at, item, kind in items_of(request):
        item_id = item.get("id") if kind != "local_shell_call_output" else None
        if item_id is not None and item_id in seen:
            yield f"{at}.id"
        seen.add(item_id or "")


@RULES.rule(
    "call-id-length",
    f"A call_id has 1 to {_CALL_ID_CHARS_MAX} characters.",
    "'Invalid 'input[95].call_id': string too long. Expected a string with maximum length 64', "
    "https://github.com/AnswerDotAI/fastllm/issues/45",
)
def _call_id_length(request: Request) -> Iterator[str]:
    for at, item, _kind in items_of(request):
        if item.get("call_id") is not None and not 1 <= len(item["call_id"]) <= _CALL_ID_CHARS_MAX:
            yield f"{at}.call_id"


@RULES.rule(
    "call-ids-unique",
    "No two calls of a type have the same call_id.",
    "'Duplicate 'call_id'', https://github.com/earendil-works/pi/issues/9057; what a server without the rule does, "
    "https://github.com/openai/gpt-oss/pull/309",
)
def _call_ids_unique(request: Request) -> Iterator[str]:
    seen: set[tuple[str, str]] = set()
    for at, item, kind in items_of(request):
        key = call_key(item, kind)
        # Requests for approval are known by their ids, which item-ids-unique is about.
        if key in seen and kind != "mcp_approval_request":
            yield f"{at}.call_id"
        if key is not None:
            seen.add(key)


@RULES.rule(
    "call-name-pattern",
    "Names of functions and tools match ^[a-zA-Z0-9_-]{1,64}$.",
    "'Invalid 'input[222].name': string does not match pattern', https://github.com/NousResearch/hermes-agent/issues/31666"
    "; 'a maximum length of 64', https://platform.openai.com/docs/guides/function-calling",
)
def _call_name_pattern(request: Request) -> Iterator[str]:
    for at, item, kind in items_of(request):
        if kind in ("function_call", "custom_tool_call") and not _NAME.fullmatch(item["name"]):
            yield f"{at}.name"


@RULES.rule(
    "outputs-have-calls",
    "Every output has its call before it.",
    "'No tool call found for function call output with call_id', https://github.com/continuedev/continue/issues/10092",
)
def _outputs_have_calls(request: Request) -> Iterator[str]:
    calls: set[tuple[str, str] | None] = {None}
    for at, item, kind in items_of(request):
        if answered_key(item, kind) not in calls:
            yield at
        calls.add(call_key(item, kind))


@RULES.rule(
    "calls-have-outputs",
    "Every call has its output; those of the last response may still be open.",
    "'No tool output found for function call call_…', https://github.com/tjardoo/openai-client/pull/124",
)
def _calls_have_outputs(request: Request) -> Iterator[str]:
    open_calls: dict[tuple[str, str], str] = {}
    is_answering = False  # Whether an output came since the model last wrote something.
    for at, item, kind in items_of(request):
        if item.get("role") == "user" or (is_by_model(item, kind) and is_answering):
            is_answering = False
            yield from _without_output(request, open_calls)
            open_calls = {}
        if answered := answered_key(item, kind):
            is_answering = True
            open_calls.pop(answered, None)
        if key := call_key(item, kind):
            open_calls[key] = at


def _without_output(request: Request, calls: dict[tuple[str, str], str]) -> Iterator[str]:
    """Yield the paths of *calls* that nothing answers, however late."""
    answered = {answered_key(item, kind) for _, item, kind in items_of(request)}
    yield from (at for key, at in calls.items() if key not in answered)


@RULES.rule(
    "reasoning-followed",
    "Reasoning is followed by what came of it: a message of the model, or a call.",
    "'Item 'rs_…' of type 'reasoning' was provided without its required following item', "
    "https://github.com/vercel/ai/issues/7099",
)
def _reasoning_followed(request: Request) -> Iterator[str]:
    open_at = None
    for at, item, kind in items_of(request):
        if open_at and not is_by_model(item, kind):
            yield open_at
        open_at = at if kind == "reasoning" else None
    if open_at:
        yield open_at


@RULES.rule(
    "reasoning-without-status",
    "Reasoning carries no status, which the API hands out and does not take.",
    "'Unknown parameter: 'input[3].status'', https://github.com/1jehuang/jcode/issues/1028",
)
def _reasoning_without_status(request: Request) -> Iterator[str]:
    for at, item, kind in items_of(request):
        if kind == "reasoning" and "status" in item:
            yield f"{at}.status"


@RULES.rule(
    "image-source",
    "An image is a file's id, an http(s) URL, or a data URL with base64 of a PNG, JPEG, GIF or WebP.",
    "'Expected a base64-encoded data URL with an image MIME type'; BMP refused with the list of those admitted, "
    "https://github.com/yuji-hatakeyama/opencode-gpt-imagegen/pull/82",
)
def _image_source(request: Request) -> Iterator[str]:
    for at, part in parts_of(request, "input_image", "computer_screenshot"):
        url = part.get("image_url")
        if not (is_openai_image(url) if url is not None else part.get("file_id")):
            yield at


@RULES.rule(
    "file-source",
    "A file is an id, an http(s) URL, or data with a name.",
    "https://platform.openai.com/docs/guides/pdf-files",
)
def _file_source(request: Request) -> Iterator[str]:
    for at, part in parts_of(request, "input_file"):
        given = {name for name in ("file_id", "file_url", "file_data") if part.get(name)}
        is_whole = len(given) == 1 and ("file_data" not in given or part.get("filename"))
        if not is_whole or ("file_url" in given and not is_url(part["file_url"])):
            yield at
