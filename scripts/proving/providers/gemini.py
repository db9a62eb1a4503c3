"""
Gemini's generateContent: `{"contents": […], "system_instruction"?: …}`, in camelCase below the top.

Neighbours of one role are no fault, but for calls. A part with a thought signature may have an empty text: the API
hands such parts out. Numbers are a Struct's, so integers of any length pass.
"""

import re
from collections.abc import Iterator
from typing import Any

from scripts.proving.providers.gemini_shapes import GenerateRequest
from scripts.proving.providers.media import is_base64
from scripts.proving.providers.rules import Fault, Request, Rule, Rules
from scripts.proving.providers.shapes import unlike

RULES = Rules()

_API = "https://ai.google.dev/api/caching#{}"
_TYPES = "https://github.com/googleapis/python-genai/blob/main/google/genai/types.py, class {}"
_CLI = "https://github.com/google-gemini/gemini-cli/issues/{}"
_SIGNATURES = "https://ai.google.dev/gemini-api/docs/thought-signatures"

_DATA = ("text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult")
_IMAGES = ("image/png", "image/jpeg", "image/webp", "image/heic", "image/heif")
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}")
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+")

RULES.shape(
    lambda request: unlike(request, GenerateRequest, ""),
    {
        "known-fields": Rule(
            "Parts have no fields but their own; the system instruction is text alone.",
            f"'Invalid JSON payload received. Unknown name'; {_API.format('Part')}; 'Currently, text only', "
            "https://ai.google.dev/api/generate-content",
        ),
        "required-fields": Rule("Parts have all that is required.", _API.format("Part")),
        "no-nulls": Rule("What is absent is left out.", _TYPES.format("Part")),
        "field-types": Rule(
            "Fields have the documented JSON types; arguments and responses are objects.", _API.format("FunctionCall")
        ),
        "known-types": Rule(
            "Roles are user and model.",
            f"'Please use a valid role: user, model.'; 'Must be either 'user' or 'model'', {_API.format('Content')}",
        ),
    },
)


def faults(request: Request) -> list[Fault]:
    """Return what Gemini would refuse of *request*: `contents` and, if wanted, `system_instruction`."""
    return RULES.faults(request)


Located = tuple[str, dict[str, Any]]


def _contents(request: Request) -> list[tuple[str, str, list[Located]]]:
    """Return path, role and located parts of each content."""
    found = []
    for index, content in enumerate(request["contents"]):
        at = f"contents[{index}]"
        parts = [(f"{at}.parts[{number}]", part) for number, part in enumerate(content["parts"])]
        found.append((at, content["role"], parts))
    return found


def _parts(request: Request, *kinds: str) -> Iterator[tuple[str, Any]]:
    """Yield what parts hold of *kinds*, those inside responses too."""
    for _at, _role, parts in _contents(request):
        for at, part in parts:
            inner = part.get("functionResponse", {}).get("parts", [])
            for where, each in [(at, part), *((f"{at}.functionResponse.parts[{n}]", p) for n, p in enumerate(inner))]:
                yield from ((f"{where}.{kind}", each[kind]) for kind in kinds if kind in each)


def _of(parts: list[Located], kind: str) -> list[Any]:
    return [part[kind] for _, part in parts if kind in part]


@RULES.rule(
    "first-user",
    "The first content is the user's.",
    f"'Please ensure that function call turn comes immediately after a user turn', for a history that begins with the "
    f"model's, {_CLI.format(11814)}; 'History must start with a user turn', "
    "https://github.com/googleapis/python-genai/issues/529",
)
def _first_user(request: Request) -> Iterator[str]:
    if request["contents"] and request["contents"][0]["role"] != "user":
        yield "contents[0].role"


@RULES.rule(
    "parts-not-empty",
    "Every content has parts.",
    "'GenerateContentRequest.contents[…].parts: contents.parts must not be empty', https://github.com/vercel/ai/issues/3775",
)
def _parts_not_empty(request: Request) -> Iterator[str]:
    yield from (f"{at}.parts" for at, _role, parts in _contents(request) if not parts)
    for name in ("system_instruction", "systemInstruction"):
        if name in request and not request[name]["parts"]:
            yield f"{name}.parts"


@RULES.rule(
    "one-data-field",
    "A part holds exactly one of the kinds of data.",
    "'required oneof field 'data' must have one initialized field', https://github.com/router-for-me/CLIProxyAPI/issues/1292"
    f"; 'Exactly one field within a Part should be set', {_TYPES.format('Part')}",
)
def _one_data_field(request: Request) -> Iterator[str]:
    for _at, _role, parts in _contents(request):
        yield from (at for at, part in parts if sum(name in part for name in _DATA) != 1)


@RULES.rule(
    "text-not-empty",
    "A text is not empty, but for a part that has a thought signature.",
    "'required oneof field 'data' must have one initialized field' for an empty text, "
    f"https://github.com/router-for-me/CLIProxyAPI/issues/3485; signatures in a part with an empty text: {_SIGNATURES}",
)
def _text_not_empty(request: Request) -> Iterator[str]:
    for _at, _role, parts in _contents(request):
        yield from (f"{at}.text" for at, part in parts if part.get("text") == "" and "thoughtSignature" not in part)
    for name in ("system_instruction", "systemInstruction"):
        texts = request.get(name, {"parts": []})["parts"]
        yield from (f"{name}.parts[{index}].text" for index, part in enumerate(texts) if not part["text"])


@RULES.rule(
    "calls-by-model",
    "Calls and thoughts are the model's, responses the user's.",
    "https://ai.google.dev/gemini-api/docs/function-calling",
)
def _calls_by_model(request: Request) -> Iterator[str]:
    for _at, role, parts in _contents(request):
        for at, part in parts:
            wrong = ("functionResponse",) if role == "model" else ("functionCall", "thought", "thoughtSignature")
            yield from (f"{at}.{name}" for name in wrong if name in part)


@RULES.rule(
    "calls-after-user",
    "Calls come directly after the user's content or after responses.",
    "'Please ensure that function call turn comes immediately after a user turn or after a function response turn', "
    f"{_CLI.format(26486)}",
)
def _calls_after_user(request: Request) -> Iterator[str]:
    before = "user"
    for at, role, parts in _contents(request):
        if role == "model" and before == "model" and _of(parts, "functionCall"):
            yield at
        before = role


@RULES.rule(
    "calls-answered",
    "The next content answers as many calls as there are; those at the end may still be open.",
    "'Please ensure that the number of function response parts is equal to the number of function call parts of the "
    f"function call turn', {_CLI.format(16543)}",
)
def _calls_answered(request: Request) -> Iterator[str]:
    contents = _contents(request)
    for index, (at, role, parts) in enumerate(contents):
        calls = len(_of(parts, "functionCall")) if role == "model" else 0
        behind = [len(_of(next_parts, "functionResponse")) for _, _, next_parts in contents[index + 1 : index + 2]]
        is_at_the_end = index == len(contents) - 1 or (index == len(contents) - 2 and 0 < behind[0] < calls)
        if calls and not is_at_the_end and behind != [calls]:
            yield at


@RULES.rule(
    "responses-follow-calls",
    "Responses come directly after the content with their calls.",
    "'Please ensure that function response turn comes immediately after a function call turn', "
    "https://github.com/langchain-ai/langchain/issues/27799",
)
def _responses_follow_calls(request: Request) -> Iterator[str]:
    calls: list[Any] = []
    for at, role, parts in _contents(request):
        if role == "user" and _of(parts, "functionResponse") and not calls:
            yield at
        calls = _of(parts, "functionCall") if role == "model" else []


@RULES.rule(
    "responses-name-their-calls",
    "Each response has the name of a call that it answers, and its id where one has it.",
    f"'Matches FunctionDeclaration.name and FunctionCall.name', 'to match the corresponding function call `id`', "
    f"{_TYPES.format('FunctionResponse')}",
)
def _responses_name_their_calls(request: Request) -> Iterator[str]:
    calls: list[tuple[str | None, str]] = []
    for _at, role, parts in _contents(request):
        if role == "model":
            calls = [(call.get("id"), call["name"]) for call in _of(parts, "functionCall")]
            continue
        for at, part in parts if calls else []:
            if (response := part.get("functionResponse")) is None:
                continue
            if (key := (response.get("id"), response["name"])) in calls:
                calls.remove(key)
            else:
                yield f"{at}.functionResponse"


@RULES.rule(
    "call-ids-unique",
    "No two calls of a request have the same id.",
    f"'The unique id of the function call', {_TYPES.format('FunctionCall')}",
)
def _call_ids_unique(request: Request) -> Iterator[str]:
    seen: set[str] = set()
    for at, call in _parts(request, "functionCall"):
        if call.get("id") in seen:
            yield f"{at}.id"
        seen |= {call["id"]} if "id" in call else set()


@RULES.rule(
    "call-name-pattern",
    "Names match ^[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}$.",
    "'Invalid function name. Must start with a letter or an underscore. Must be alphameric (a-z, A-Z, 0-9), "
    "underscores (_), dots (.) or dashes (-), with a maximum length of 64', where later words add colons, "
    f"{_CLI.format(2966)}",
)
def _call_name_pattern(request: Request) -> Iterator[str]:
    for at, called in _parts(request, "functionCall", "functionResponse"):
        if not _NAME.fullmatch(called["name"]):
            yield f"{at}.name"


@RULES.rule(
    "inline-data",
    "Inline data is base64 with a media type; of images PNG, JPEG, WebP, HEIC and HEIF.",
    "'Unsupported MIME type: image/jpg', https://github.com/ogkalu2/comic-translate/pull/399; "
    "https://ai.google.dev/gemini-api/docs/image-understanding",
)
def _inline_data(request: Request) -> Iterator[str]:
    for at, blob in _parts(request, "inlineData"):
        if not _is_base64(blob["data"]):
            yield f"{at}.data"
        if not _is_media_type(blob["mimeType"]):
            yield f"{at}.mimeType"


@RULES.rule(
    "file-data",
    "File data is a URI, with a media type that is taken if it has one.",
    f"'Required. URI', {_API.format('FileData')}",
)
def _file_data(request: Request) -> Iterator[str]:
    for at, file in _parts(request, "fileData"):
        if not re.fullmatch(r"(https?|gs)://\S+", file["fileUri"]):
            yield f"{at}.fileUri"
        if not _is_media_type(file.get("mimeType", "text/plain")):
            yield f"{at}.mimeType"


def _is_base64(data: str) -> bool:
    """Whether *data* is base64 as Google's JSON has it: of either alphabet, padded or not."""
    standard = data.replace("-", "+").replace("_", "/").rstrip("=")
    return is_base64(standard + "=" * (-len(standard) % 4))


def _is_media_type(media_type: str) -> bool:
    is_image = media_type.startswith("image/")
    return media_type in _IMAGES if is_image else _MEDIA_TYPE.fullmatch(media_type) is not None


@RULES.rule(
    "signature-form",
    "A thought signature is base64.",
    f"'thoughtSignature: string (bytes format)', {_API.format('Part')}; 'Either standard or URL-safe base64 encoding "
    "with/without paddings are accepted', https://protobuf.dev/programming-guides/json/",
)
def _signature_form(request: Request) -> Iterator[str]:
    yield from (at for at, signature in _parts(request, "thoughtSignature") if not _is_base64(signature))


@RULES.rule(
    "signature-of-each-step",
    "In the current turn the first call of each step has its thought signature, where one of the turn has.",
    f"'Function call is missing a thought_signature in functionCall parts'; {_SIGNATURES}",
)
def _signature_of_each_step(request: Request) -> Iterator[str]:
    steps: list[Located] = []
    for _at, role, parts in reversed(_contents(request)):
        if role == "user" and not _of(parts, "functionResponse"):
            break
        steps += [(at, part) for at, part in parts if "functionCall" in part][:1]
    if any("thoughtSignature" in part for _, part in steps):
        yield from (at for at, part in steps if "thoughtSignature" not in part)
