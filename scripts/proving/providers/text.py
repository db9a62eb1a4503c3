"""
A transcript: `{"text": "…"}`, for a prompt that takes one text.

No provider's rules hold for it but those of text itself; what is said of its form is what docs/contexts.md promises.
"""

import re
from collections.abc import Iterator
from typing import Required, TypedDict

from scripts.proving.providers.rules import Fault, Request, Rule, Rules
from scripts.proving.providers.shapes import unlike

RULES = Rules()

_JSON = "https://www.rfc-editor.org/rfc/rfc8259#section-8"
_HEAD = re.compile(r"(user|assistant|system|developer|tool)( \([^\n]*\))?:")


class _TextRequest(TypedDict, total=False):
    text: Required[str]


RULES.shape(
    lambda request: unlike(request, _TextRequest, ""),
    {
        "known-fields": Rule("There is nothing but the text.", _JSON),
        "required-fields": Rule("The text is there, if only as an empty string.", _JSON),
        "no-nulls": Rule("The text is not null.", _JSON),
        "field-types": Rule("The text is a string.", _JSON),
    },
)


def faults(request: Request) -> list[Fault]:
    """Return what is wrong with the transcript in *request*."""
    return RULES.faults(request)


@RULES.rule(
    "no-torn-characters",
    "No character is torn: there is no half of a surrogate pair.",
    "https://www.rfc-editor.org/rfc/rfc8259#section-8.2",
)
def _no_torn_characters(request: Request) -> Iterator[str]:
    yield from (f"text[{found.start()}]" for found in re.finditer(r"[\ud800-\udfff]", request["text"]))


@RULES.rule(
    "begins-with-a-speaker",
    "The first block says who speaks.",
    "docs/contexts.md; https://platform.openai.com/docs/guides/text for the roles",
)
def _begins_with_a_speaker(request: Request) -> Iterator[str]:
    if request["text"] and not _HEAD.match(request["text"]):
        yield "text[0]"
