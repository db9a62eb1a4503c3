"""A model's name says its encoding and window, and whether counts for it are exact."""

import pytest

from shared.errors import InvalidValue
from shared.tokens.encodings import ENCODINGS
from shared.tokens.models import _OPENAI, _OTHERS, find_model


@pytest.mark.parametrize(
    ("name", "encoding", "window_tokens", "output_tokens_max"),
    [
        ("gpt-4o", "o200k_base", 128_000, 16_384),
        ("gpt-4o-mini-2024-07-18", "o200k_base", 128_000, 16_384),
        ("gpt-4o-2024-05-13", "o200k_base", 128_000, 4_096),
        ("openai/gpt-4o", "o200k_base", 128_000, 16_384),
        ("openrouter/openai/GPT-4o", "o200k_base", 128_000, 16_384),
        ("ft:gpt-4o-mini-2024-07-18:acme:support:Ab12", "o200k_base", 128_000, 16_384),
        ("ft:gpt-3.5-turbo-0125:acme::Ab12", "cl100k_base", 16_385, 4_096),
        ("chatgpt-4o-latest", "o200k_base", 128_000, 16_384),
        ("gpt-4.1-nano", "o200k_base", 1_047_576, 32_768),
        ("gpt-5-mini-2025-08-07", "o200k_base", 400_000, 128_000),
        ("gpt-5.2", "o200k_base", 400_000, 128_000),
        ("gpt-5.2-chat-latest", "o200k_base", 128_000, 16_384),
        ("gpt-5.4-pro", "o200k_base", 1_050_000, 128_000),
        ("gpt-5.4-nano", "o200k_base", 400_000, 128_000),
        ("o1", "o200k_base", 200_000, 100_000),
        ("o3-mini", "o200k_base", 200_000, 100_000),
        ("o4-mini-2025-04-16", "o200k_base", 200_000, 100_000),
        ("gpt-4", "cl100k_base", 8_192, 8_192),
        ("gpt-4-0613", "cl100k_base", 8_192, 8_192),
        ("gpt-4-turbo-2024-04-09", "cl100k_base", 128_000, 4_096),
        ("gpt-3.5-turbo", "cl100k_base", 16_385, 4_096),
        ("gpt-oss-120b", "o200k_base", 131_072, 131_072),
    ],
)
def test_an_openai_model_is_exact(name: str, encoding: str, window_tokens: int, output_tokens_max: int) -> None:
    model = find_model(name)

    assert (model.name, model.exact) == (name, True)
    assert (model.encoding, model.window_tokens) == (encoding, window_tokens)
    assert model.output_tokens_max == output_tokens_max


@pytest.mark.parametrize(
    ("name", "window_tokens"),
    [
        ("claude-sonnet-4-5", 200_000),
        ("anthropic/claude-sonnet-4-6", 1_000_000),
        ("us.anthropic.claude-3-7-sonnet-20250219-v1:0", 200_000),
        ("gemini-2.5-pro", 1_048_576),
        ("meta-llama/Llama-3.3-70B-Instruct", 131_072),
        ("meta.llama3-70b-instruct-v1:0", None),
        ("mistral-large-latest", 128_000),
        ("deepseek-chat", 131_072),
        ("qwen2.5-coder", None),
        ("xai/grok-4", 256_000),
        ("command-r-plus", 128_000),
        ("gpt-6-sol", 1_050_000),
    ],
)
def test_another_model_is_an_estimate_in_o200k_base(name: str, window_tokens: int | None) -> None:
    model = find_model(name)

    assert (model.encoding, model.window_tokens, model.exact) == ("o200k_base", window_tokens, False)


@pytest.mark.parametrize("name", ["", "no-such-model", "gpt-45", "o11", "gpt", "x" * 10_000, "a.b.c/", "/"])
def test_an_unknown_model_is_refused_with_a_way_out(name: str) -> None:
    with pytest.raises(InvalidValue, match="encoding") as refusal:
        find_model(name)

    assert refusal.value.param == "model"
    assert len(refusal.value.detail) < 400


def test_every_row_is_sound() -> None:
    for prefix, row in (_OPENAI | _OTHERS).items():
        assert prefix == prefix.lower()
        assert row.encoding in ENCODINGS
        assert (row.output_tokens_max or 0) <= (row.window_tokens or 0)
