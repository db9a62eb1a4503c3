"""
What the bodies of model calls have beside messages, items and tools: counted, ignored, or refused by name.

Both of OpenAI's requests count as they stand, Chat Completions and Responses: what changes no count is listed here, and
what would put text before the model that stands elsewhere is refused.
"""

from shared.errors import missing_value, one_of, shown, wrong_kind, wrong_value
from shared.request.parameters import Field, ignored, json, refused, string
from shared.tokens.rule import Parts, written

INSTRUCTIONS = string("instructions", "counted as a system message, as the Responses API puts them before the input")
FORMATS = ("text", "json_object", "json_schema")
"""What an answer may have to be; only a schema is told to the model."""

TOLD = ("name", "description", "schema")
"""What of it."""

COUNTED: tuple[Field, ...] = (
    INSTRUCTIONS,
    json("functions", "functions", "what Chat Completions had before `tools`; counted like these"),
    json("response_format", "response_format", "of Chat Completions: a `json_schema` is counted as its JSON"),
    json("text", "text_format", "of Responses: a `json_schema` in its `format` is counted as its JSON"),
)

_ELSEWHERE = {
    "previous_response_id": "what was said before is not in the request; send it as `input`",
    "conversation": "its items are not in the request; `GET /v1/conversations/{id}/context` counts them",
    "prompt": "the template's text is not in the request; send it as `instructions` or `input`",
    "image": "what the provider makes smaller has no published count",
}
_OF_SAMPLING = (
    *("frequency_penalty", "logit_bias", "logprobs", "presence_penalty", "seed", "stop", "temperature", "top_logprobs"),
    *("top_p",),
)
_OF_ANSWERS = (
    *("audio", "include", "max_completion_tokens", "max_output_tokens", "max_tokens", "modalities", "n", "prediction"),
    *("reasoning", "reasoning_effort", "stream", "stream_options", "verbosity"),
)
_OF_TOOLS = ("function_call", "max_tool_calls", "parallel_tool_calls", "tool_choice", "web_search_options")
_OF_SERVICE = (
    *("access_programs", "background", "background_options", "context_management", "metadata", "moderation"),
    *("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "safety_identifier", "service_tier"),
    *("store", "truncation", "user"),
)
IGNORED: tuple[Field, ...] = tuple(
    ignored(name, f"{what}: changes no count")
    for names, what in (
        (_OF_SAMPLING, "how tokens are drawn"),
        (_OF_ANSWERS, "what the answer is like"),
        (_OF_TOOLS, "how tools are used"),
        (_OF_SERVICE, "how the request is served"),
    )
    for name in names
)
REFUSED: tuple[Field, ...] = tuple(refused(name, why) for name, why in _ELSEWHERE.items())

OTHERS = (*COUNTED, *IGNORED, *REFUSED)
"""What a body may have besides model, input, messages and tools."""


OURS = frozenset({"response_format", "text"})
"""No rule is published for their schemas, so what is ours for nested ones holds: they count as their compact JSON."""


def answer_schema(name: str, value: object) -> Parts | None:
    """
    Return what the schema in `response_format` or in `text`, *name*, counts; None without one.

    Raises: InvalidValue: names the field that is no part of a format.
    """
    if value is None:
        return None
    form, at = value, name
    if name == "text":
        if not isinstance(value, dict):
            raise wrong_kind(name, "an object", value)
        form, at = value.get("format"), "text.format"
        if form is None:
            return None
    if not isinstance(form, dict):
        raise wrong_kind(at, "an object", form)
    kind = form.get("type")
    if not isinstance(kind, str) or kind not in FORMATS:
        raise (
            wrong_value(f"{at}.type", one_of(FORMATS), shown(kind)) if kind is not None else missing_value(f"{at}.type")
        )
    if kind != "json_schema":
        return None
    if name == "response_format":
        form, at = form.get("json_schema"), f"{at}.json_schema"
        if not isinstance(form, dict):
            raise wrong_kind(at, "an object", form)
    if form.get("schema") is None:
        raise missing_value(f"{at}.schema")
    return Parts([written({part: form[part] for part in TOLD if form.get(part) is not None}, at)], 0)
