"""
The token rule: what a prompt of chat messages and tools counts.

    messages   3 for the whole, and for each message 3 + role + text parts + images, for each tool call its name
               and arguments, for a tool result its tool_call_id, and for a name its tokens + 1
    tools      per function 7 (10 in cl100k_base), its "name:description", its properties; 12 for the whole

These are the rules of the OpenAI cookbook, "How to count tokens with tiktoken", which are exact for messages of
text and simple functions. It says nothing about tool calls, for which the above is ours, nor about nested schemas:
what a tool has beside name, description and simple properties counts as its compact JSON. Audio and files count
nothing, since no rule for them is published.

Messages are counted as items (shared/items/counts.py). Of tools the functions here give the texts to count and the
fixed tokens, so that one call of the counter does for all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from shared.errors import InvalidValue, wrong_kind
from shared.jsonbytes.write import dumps
from shared.tokens.counter import Counter

MESSAGE_TOKENS = 3
NAME_TOKENS = 1
REPLY_TOKENS = 3

_FUNCTION_TOKENS = {"o200k_base": 7}
_FUNCTION_TOKENS_BEFORE = 10  # In all older encodings.
_PROPERTIES_TOKENS = 3
_PROPERTY_TOKENS = 3
_ENUM_TOKENS = -3
_ENUM_ITEM_TOKENS = 3
_TOOLS_TOKENS = 12

CALL_ARGUMENTS = {"function": "arguments", "custom": "input"}
"""Where what a call was given stands, by its type."""

# Flags of the API that the formula ignores, as it does `required`; no word of them is known to reach the model.
_UNCOUNTED_FUNCTION_FIELDS = {"name", "description", "parameters", "strict", "type"}
_UNCOUNTED_SCHEMA_FIELDS = {"type", "properties", "required"}


class Parts(NamedTuple):
    """What something counts: the tokens of *texts*, and *fixed_tokens*."""

    texts: list[str]
    fixed_tokens: int


async def count_tools(counter: Counter, encoding: str, tools: Sequence[Mapping[str, Any]]) -> int:
    """Return what *tools* count. Raises: as `tools_parts`, TextNotCountable."""
    return await count_parts(counter, encoding, [tools_parts(tools, encoding)])


async def count_parts(counter: Counter, encoding: str, counted: Sequence[Parts]) -> int:
    """Return the tokens of all that is *counted*. Raises: TextNotCountable."""
    texts = [text for parts in counted for text in parts.texts]
    return sum(parts.fixed_tokens for parts in counted) + sum(await counter.count(encoding, texts))


def tools_parts(tools: Sequence[Mapping[str, Any]], encoding: str, *, path: str = "tools") -> Parts:
    """
    Return what *tools* count in the models of *encoding*; tools are as in the Chat or in the Responses API.

    Raises: InvalidValue: names the field that is no part of a tool.
    """
    texts: list[str] = []
    fixed_tokens = _TOOLS_TOKENS if _list(tools, path) else 0
    for index, each in enumerate(tools):
        param = f"{path}[{index}]"
        tool = _mapping(each, param)
        if tool.get("type") != "function":
            texts.append(written(tool, param))
            continue
        function = _mapping(tool["function"], f"{param}.function") if "function" in tool else tool
        function_texts, tokens = _function_parts(function, param)
        texts += function_texts
        fixed_tokens += _FUNCTION_TOKENS.get(encoding, _FUNCTION_TOKENS_BEFORE) + tokens
    return Parts(texts, fixed_tokens)


def _function_parts(function: Mapping[str, Any], param: str) -> Parts:
    description = _text(function, "description", param) if function.get("description") is not None else ""
    texts = [f"{_text(function, 'name', param)}:{description.removesuffix('.')}"]
    texts += _rest(function, _UNCOUNTED_FUNCTION_FIELDS, param)
    schema = _mapping(_or_none(function.get("parameters"), {}), f"{param}.parameters")
    # `false` for additionalProperties is what strict functions must say; only a schema there says anything.
    ignored = {"additionalProperties"} if isinstance(schema.get("additionalProperties"), bool) else set()
    texts += _rest(schema, _UNCOUNTED_SCHEMA_FIELDS | ignored, f"{param}.parameters")
    properties = _mapping(_or_none(schema.get("properties"), {}), f"{param}.parameters.properties")
    fixed_tokens = _PROPERTIES_TOKENS if properties else 0
    for name, property_schema in properties.items():
        property_texts, tokens = _property_parts(name, property_schema, f"{param}.parameters.properties")
        texts += property_texts
        fixed_tokens += _PROPERTY_TOKENS + tokens
    return Parts(texts, fixed_tokens)


def _property_parts(name: str, schema: object, param: str) -> Parts:
    """Return what a property counts; its schema may also be `true` or `false`, or anything that JSON can say."""
    if not isinstance(schema, Mapping):
        return Parts([f"{name}::", written(schema, param)], 0)
    simple = {field: schema[field] for field in ("type", "description") if isinstance(schema.get(field), str)}
    texts = [f"{name}:{simple.get('type', '')}:{simple.get('description', '').removesuffix('.')}"]
    fixed_tokens = 0
    counted = set(simple)
    if isinstance(schema.get("enum"), list):
        counted.add("enum")
        items = [item if isinstance(item, str) else written(item, param) for item in schema["enum"]]
        texts += items
        fixed_tokens = _ENUM_TOKENS + _ENUM_ITEM_TOKENS * len(items)
    return Parts(texts + _rest(schema, counted, param), fixed_tokens)


def _rest(fields: Mapping[str, Any], counted: set[str], param: str) -> list[str]:
    rest = {field: value for field, value in fields.items() if field not in counted}
    return [written(rest, param)] if rest else []


def written(value: object, param: str) -> str:
    """Return *value* as the compact JSON that is counted of it. Raises InvalidValue: *param* nests too deeply."""
    try:
        return dumps(value).decode()
    except orjson.JSONEncodeError as error:  # JSON that was read can be written again, unless it nests too deeply.
        raise InvalidValue(f"{param} cannot be counted: {error}.", param=param) from error


def _or_none(value: object, absent: object) -> object:
    """Return *value*, *absent* for null; 0 and false are wrong values and not absent ones."""
    return absent if value is None else value


def _mapping(value: object, param: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise wrong_kind(param, "an object", value)
    return value


def _list(value: object, param: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise wrong_kind(param, "a list", value)
    return value


def _text(fields: Mapping[str, Any], field: str, param: str) -> str:
    value = fields.get(field)
    if not isinstance(value, str):
        raise wrong_kind(f"{param}.{field}", "a string", value)
    return value
