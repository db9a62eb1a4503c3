"""
The shapes of messages, their parts, function calls, reasoning and the provider's own calls, for pydantic.

A shape says what the official client's types say about the fields that are present: their JSON types, and
which are required. It is open where OpenAI adds things between releases: unknown fields pass, and a nested
object that comes in variants (a search action, an annotation) is one shape with the fields of all variants,
known and unknown. `status` and `role` are closed, since callers act on them. Optional means "absent or null".

Marked with `@shape` are those that an entry of ITEM_TYPES or PART_TYPES names; the others are their fields'.

Not in here, because normalize.py sees to it for all types alike: `id`, `type`, the field that holds parts.
"""

from typing import Annotated, Any, Literal, Required, TypedDict

from pydantic import FailFast

SHAPES: dict[str, Any] = {}
"""The shapes of items and parts, by the names of their classes."""


def shape[T](made: type[T]) -> type[T]:
    """Hold *made* as the shape of an item or part."""
    SHAPES[made.__name__] = made
    return made


# One wrong element is enough to refuse; pydantic would otherwise build an error for each of 100,000.
type Rows[T] = Annotated[list[T], FailFast()]

Status = Literal["in_progress", "completed", "incomplete"] | None


class Variant(TypedDict, total=False):
    type: Required[str]


class Caller(Variant, total=False):
    caller_id: str | None


# `async` is a keyword, hence the functional form.
Call = TypedDict("Call", {"async": bool | None, "caller": Caller | None, "namespace": str | None}, total=False)


@shape
class Text(TypedDict):
    text: str


@shape
class InputText(Text, total=False):
    prompt_cache_breakpoint: dict[str, Any] | None


@shape
class InputImage(TypedDict, total=False):
    detail: str | None
    file_id: str | None
    image_url: str | None
    prompt_cache_breakpoint: dict[str, Any] | None


@shape
class InputFile(TypedDict, total=False):
    detail: str | None
    file_data: str | None
    file_id: str | None
    file_url: str | None
    filename: str | None
    prompt_cache_breakpoint: dict[str, Any] | None


class Annotation(Variant, total=False):
    container_id: str | None
    end_index: int | None
    file_id: str | None
    filename: str | None
    index: int | None
    start_index: int | None
    title: str | None
    url: str | None


class TopLogprob(TypedDict, total=False):
    token: Required[str]
    logprob: Required[float]
    bytes: Rows[int] | None


class Logprob(TopLogprob, total=False):
    top_logprobs: Rows[TopLogprob] | None


@shape
class OutputText(Text, total=False):
    annotations: Rows[Annotation] | None
    logprobs: Rows[Logprob] | None


@shape
class Refusal(TypedDict):
    refusal: str


@shape
class Message(TypedDict, total=False):
    role: Required[Literal["user", "assistant", "system", "developer"]]
    status: Status
    phase: Literal["commentary", "final_answer"] | None


@shape
class FunctionCall(Call, total=False):
    call_id: Required[str]
    name: Required[str]
    arguments: Required[str]
    status: Status


@shape
class FunctionCallOutput(TypedDict, total=False):
    call_id: str | None
    name: str | None
    namespace: str | None
    caller: Caller | None
    status: Status


@shape
class CustomToolCall(Call, total=False):
    call_id: Required[str]
    name: Required[str]
    input: Required[str]


@shape
class CustomToolCallOutput(TypedDict, total=False):
    call_id: Required[str]
    caller: Caller | None


class ReasoningText(Text):
    type: Literal["reasoning_text"]


@shape
class Reasoning(TypedDict, total=False):
    content: Rows[ReasoningText] | None
    encrypted_content: str | None
    status: Status


class SearchResult(TypedDict, total=False):
    attributes: dict[str, Any] | None
    file_id: str | None
    filename: str | None
    score: float | None
    text: str | None


@shape
class FileSearchCall(TypedDict, total=False):
    queries: Required[Rows[str]]
    results: Rows[SearchResult] | None
    status: Literal["in_progress", "searching", "completed", "incomplete", "failed"] | None


class SearchSource(Variant, total=False):
    url: str | None


class WebSearchAction(Variant, total=False):
    query: str | None
    queries: Rows[str] | None
    sources: Rows[SearchSource] | None
    url: str | None
    pattern: str | None


@shape
class WebSearchCall(TypedDict, total=False):
    action: Required[WebSearchAction]
    status: Literal["in_progress", "searching", "completed", "incomplete", "failed"] | None


@shape
class ImageGenerationCall(TypedDict, total=False):
    result: str | None
    status: Literal["in_progress", "completed", "generating", "failed"] | None
    action: str | None
    background: str | None
    error: dict[str, Any] | None
    output_format: str | None
    quality: str | None
    revised_prompt: str | None
    size: str | None
    svg_usage: dict[str, Any] | None


class CodeOutput(Variant, total=False):
    logs: str | None
    url: str | None


@shape
class CodeInterpreterCall(TypedDict, total=False):
    container_id: Required[str]
    code: str | None
    outputs: Rows[CodeOutput] | None
    status: Literal["in_progress", "completed", "incomplete", "interpreting", "failed"] | None
