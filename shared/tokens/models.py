"""
What is known of models: encoding, window, longest answer.

A model is found by the longest row that its name begins with, so that dated snapshots need no row of their own.
`exact` is true where the provider has published the model's encoding. For all other models o200k_base is the
estimate: Claude, Gemini and the open models have vocabularies of their own, so their counts differ; leave room.

Windows and answers are in tokens, from the providers' model pages and litellm's table, as of November 2026. A
window holds prompt and answer together.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from shared.errors import InvalidValue
from shared.request.parameters import choice, string
from shared.tokens.encodings import ENCODINGS


class Model(NamedTuple):
    """*name* is as the caller gave it; None stands for what is not known."""

    name: str
    encoding: str
    window_tokens: int | None
    output_tokens_max: int | None
    exact: bool

    @property
    def reserve_tokens(self) -> int:
        """
        What a prompt leaves of the window when its caller does not say: the longest answer.

        Some providers refuse prompts beyond that before they have written a word. Where the longest answer is as
        long as the window, half of it.
        """
        if self.window_tokens is None or self.output_tokens_max is None:
            return 0
        return min(self.output_tokens_max, self.window_tokens // 2)


class _Row(NamedTuple):
    window_tokens: int | None
    output_tokens_max: int | None
    encoding: str = "o200k_base"
    exact: bool = True


# A name matches a row of this table if it goes on with "-" or the like: "gpt-4" is not the beginning of "gpt-45".
_OPENAI = {
    # Not among the models whose encoding tiktoken 0.14 names.
    "gpt-6": _Row(1_050_000, 128_000, exact=False),
    "gpt-6.1": _Row(1_050_000, 128_000, exact=False),
    "gpt-5.6": _Row(1_050_000, 128_000),
    "gpt-5.6-cyber": _Row(400_000, 128_000),
    "gpt-5.5": _Row(1_050_000, 128_000),
    "gpt-5.4": _Row(1_050_000, 128_000),
    "gpt-5.4-mini": _Row(400_000, 128_000),
    "gpt-5.4-nano": _Row(400_000, 128_000),
    "gpt-5": _Row(400_000, 128_000),
    "gpt-5-pro": _Row(400_000, 272_000),
    "gpt-5-chat": _Row(128_000, 16_384),
    "gpt-5.1-chat": _Row(128_000, 16_384),
    "gpt-5.2-chat": _Row(128_000, 16_384),
    "gpt-5.3-chat": _Row(128_000, 16_384),
    "gpt-5.3-codex-spark": _Row(128_000, None),
    "gpt-4.5": _Row(128_000, 16_384),
    "gpt-4.1": _Row(1_047_576, 32_768),
    "gpt-4o": _Row(128_000, 16_384),
    "gpt-4o-2024-05-13": _Row(128_000, 4_096),
    "chatgpt-4o": _Row(128_000, 16_384),
    "o1": _Row(200_000, 100_000),
    "o1-mini": _Row(128_000, 65_536),
    "o1-preview": _Row(128_000, 32_768),
    "o3": _Row(200_000, 100_000),
    "o4-mini": _Row(200_000, 100_000),
    # o200k_harmony is o200k_base with more special tokens, which count as plain text here.
    "gpt-oss": _Row(131_072, 131_072),
    "gpt-4": _Row(8_192, 8_192, "cl100k_base"),
    "gpt-4-32k": _Row(32_768, 32_768, "cl100k_base"),
    "gpt-4-turbo": _Row(128_000, 4_096, "cl100k_base"),
    "gpt-4-1106": _Row(128_000, 4_096, "cl100k_base"),
    "gpt-4-0125": _Row(128_000, 4_096, "cl100k_base"),
    "gpt-4-vision": _Row(128_000, 4_096, "cl100k_base"),
    "gpt-3.5-turbo": _Row(16_385, 4_096, "cl100k_base"),
    # Its messages cost 4 tokens, and names one token less.
    "gpt-3.5-turbo-0301": _Row(4_096, 4_096, "cl100k_base", exact=False),
    "gpt-3.5-turbo-0613": _Row(4_096, 4_096, "cl100k_base"),
    "gpt-3.5-turbo-instruct": _Row(4_096, 4_096, "cl100k_base"),
    "gpt-35-turbo": _Row(16_385, 4_096, "cl100k_base"),
    "text-embedding-3": _Row(8_192, None, "cl100k_base"),
    "text-embedding-ada-002": _Row(8_192, None, "cl100k_base"),
}


def _estimate(window_tokens: int | None, output_tokens_max: int | None) -> _Row:
    return _Row(window_tokens, output_tokens_max, exact=False)


# Families of other vendors: any name that begins so, as "llama3" does. Where members differ, the least.
_OTHERS = {
    "claude": _estimate(200_000, None),
    "claude-3-": _estimate(200_000, 4_096),
    "claude-3-5": _estimate(200_000, 8_192),
    "claude-3-7": _estimate(200_000, 64_000),
    "claude-haiku-4": _estimate(200_000, 64_000),
    "claude-sonnet-4": _estimate(200_000, 64_000),
    "claude-sonnet-4-6": _estimate(1_000_000, 128_000),
    "claude-opus-4": _estimate(200_000, 32_000),
    "claude-opus-4-5": _estimate(200_000, 64_000),
    "claude-opus-4-6": _estimate(1_000_000, 128_000),
    "claude-opus-4-7": _estimate(1_000_000, 128_000),
    "claude-opus-4-8": _estimate(1_000_000, 128_000),
    "claude-haiku-5": _estimate(1_000_000, 128_000),
    "claude-sonnet-5": _estimate(1_000_000, 128_000),
    "claude-opus-5": _estimate(1_000_000, 128_000),
    "claude-fable-5": _estimate(1_000_000, 128_000),
    "claude-mythos": _estimate(1_000_000, 128_000),
    "gemini": _estimate(1_048_576, None),
    "gemini-1.5": _estimate(1_048_576, 8_192),
    "gemini-2.0": _estimate(1_048_576, 8_192),
    "gemini-2.5": _estimate(1_048_576, 65_535),
    "gemini-3": _estimate(1_048_576, 65_536),
    "gemma": _estimate(None, None),
    "gemma-3": _estimate(131_072, 8_192),
    "gemma-4": _estimate(262_144, 32_768),
    "llama": _estimate(None, None),
    "llama-3.1": _estimate(131_072, None),
    "llama-3.2": _estimate(131_072, None),
    "llama-3.3": _estimate(131_072, None),
    "meta-llama": _estimate(None, None),
    "mistral": _estimate(32_000, None),
    "mistral-large": _estimate(128_000, None),
    "mistral-medium": _estimate(128_000, None),
    "ministral": _estimate(128_000, None),
    "magistral": _estimate(40_000, None),
    "codestral": _estimate(32_000, None),
    "devstral": _estimate(128_000, None),
    "pixtral": _estimate(128_000, None),
    "mixtral": _estimate(32_000, None),
    "open-mi": _estimate(32_000, None),
    "deepseek": _estimate(65_536, 8_192),
    "deepseek-chat": _estimate(131_072, 8_192),
    "deepseek-reasoner": _estimate(131_072, 65_536),
    "deepseek-v4": _estimate(1_000_000, 393_216),
    "qwen": _estimate(None, None),
    "qwq": _estimate(None, None),
    "grok": _estimate(None, None),
    "grok-3": _estimate(131_072, None),
    "grok-4": _estimate(256_000, None),
    "grok-4.20": _estimate(1_000_000, None),
    "grok-4.3": _estimate(1_000_000, None),
    "grok-4.5": _estimate(500_000, None),
    "grok-4.6": _estimate(500_000, None),
    "grok-4.7": _estimate(500_000, None),
    "grok-code": _estimate(256_000, None),
    "command": _estimate(None, None),
    "command-r": _estimate(128_000, 4_000),
    "command-a": _estimate(128_000, 8_000),
    "c4ai": _estimate(128_000, 4_000),
    "kimi": _estimate(None, None),
    "moonshot": _estimate(None, None),
    "glm": _estimate(None, None),
    "minimax": _estimate(None, None),
    "phi": _estimate(None, None),
    "nova": _estimate(None, None),
    "granite": _estimate(None, None),
    "jamba": _estimate(None, None),
    "nemotron": _estimate(None, None),
    "sonar": _estimate(None, None),
    "yi-": _estimate(None, None),
}

_NAME_CHARS_MAX = 200


def find_model(name: str) -> Model:
    """
    Return the model of *name*, which may have vendors before it ("openai/gpt-4o", "us.anthropic.claude-…").

    Raises: InvalidValue: no row knows it.
    """
    row = None
    if len(name) <= _NAME_CHARS_MAX:
        bare = name.lower().rpartition("/")[2].removeprefix("ft:")
        row = _find_row(bare)
        while row is None and "." in bare:
            bare = bare.partition(".")[2]
            row = _find_row(bare)
    if row is None:
        raise InvalidValue(
            f"The model {name[:_NAME_CHARS_MAX]!r} is not known here; give `encoding` instead.", param="model"
        )
    return Model(name, row.encoding, row.window_tokens, row.output_tokens_max, row.exact)


def _find_row(bare: str) -> _Row | None:
    for end in range(len(bare), 0, -1):
        prefix = bare[:end]
        if prefix in _OPENAI and not bare[end : end + 1].isalnum():
            return _OPENAI[prefix]
        if prefix in _OTHERS:
            return _OTHERS[prefix]
    return None


MODEL = string("model", "whose tokens are counted; or `encoding`", schema="known_model")
ENCODING = choice("encoding", ENCODINGS, "the tokens that are counted, where the model is not known here")


def read_encoding(values: Mapping[str, Any], default: str | None) -> tuple[Model | None, str]:
    """
    Return the model and the encoding that *values* name, of MODEL and ENCODING; only one of the two says it.

    Raises:   InvalidValue: both, an unknown one, or none and there is no *default*.
    """
    name, encoding = values["model"], values["encoding"]
    if name is not None and encoding is not None:
        raise InvalidValue("encoding must be alone, not beside model: a model has one encoding.", param="encoding")
    if encoding is not None:
        return None, encoding
    if name is not None:
        model = find_model(name)
        return model, model.encoding
    if default is None:
        raise InvalidValue("model is required, or encoding.", param="model")
    return None, default
