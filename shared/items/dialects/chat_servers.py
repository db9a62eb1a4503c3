"""
What servers that speak Chat Completions add to a reply, and OpenAI's API does not know.

A reply that is put back has to be taken, and some servers refuse the next request of a tool loop without what they
added: DeepSeek and Kimi without `reasoning_content`, Gemini without the signature in `extra_content`. So it is kept
beside the items (extras.py) and comes back in chat, where it stood.

    IN_MESSAGE, IN_CALL    members that are kept, with their JSON types
    DROPPED                members that are of one request, or that a client made of the others
"""

from collections.abc import Mapping
from typing import Any, Final

from shared.errors import kind_of, wrong_value
from shared.items.dialects.extras import Json
from shared.items.dialects.reading import without_cache_marks

IN_MESSAGE: Final[Mapping[str, type]] = {
    "reasoning_content": str,  # DeepSeek, Kimi, Qwen, xAI, vLLM, SGLang, llama.cpp, LiteLLM
    "reasoning": str,  # OpenRouter, Groq, Ollama, vLLM from 0.12 on
    "reasoning_details": list,  # OpenRouter, MiniMax
    "thinking_blocks": list,  # LiteLLM, of Claude
    "images": list,  # OpenRouter, LiteLLM
    "executed_tools": list,  # Groq's compound systems
    "extra_content": dict,  # Gemini's OpenAI endpoint
    "provider_specific_fields": dict,  # LiteLLM
}
IN_CALL: Final[Mapping[str, type]] = {"extra_content": dict, "provider_specific_fields": dict}
IN_FUNCTION: Final[Mapping[str, type]] = {"provider_specific_fields": dict}

DROPPED_OF_MESSAGE = frozenset({"parsed", "prefix"})
"""`parsed` is of the OpenAI client's parse(), `prefix` of Mistral's and DeepSeek's requests to go on with a text."""

DROPPED_OF_CALL = frozenset({"index"})
"""The place in a stream, which Mistral, Ollama and clients that joined one leave there."""

DROPPED_OF_FUNCTION = frozenset({"parsed_arguments"})
"""Of the OpenAI client's parse()."""

_EXPECTED: Mapping[type, str] = {str: "a string", list: "a list", dict: "an object"}


def read_additions(fields: Json, at: str, known: Mapping[str, type]) -> Json:
    """Return those of *fields* that are *known*, but for lists and objects that say nothing. Raises InvalidValue."""
    found: Json = {}
    for name, kind in known.items():
        if name not in fields:
            continue
        value = fields[name]
        if not isinstance(value, kind):
            raise wrong_value(f"{at}.{name}", _EXPECTED[kind], kind_of(value))
        if isinstance(value, str) or _says_something(value):
            found[name] = value
    return without_cache_marks(found)


def _says_something(value: Any) -> bool:
    members = value.values() if isinstance(value, dict) else value
    return any(each not in (None, "", [], {}) for each in members)
