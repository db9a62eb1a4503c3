"""
A client of Warmthread: conversation memory that answers with what matters in at most N tokens.

Adapters are modules of their own, and each imports its framework: openai_agents, langchain, pydantic_ai.
"""

from warmthread.calls import Context, Format, Message, Wanted
from warmthread.errors import (
    CannotBeDone,
    Conflict,
    ContextDoesNotFit,
    InvalidRequest,
    LimitReached,
    NotFound,
    Problem,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unreachable,
    WarmthreadError,
)
from warmthread.memory import AsyncMemory, Memory

__all__ = [
    "AsyncMemory",
    "CannotBeDone",
    "Conflict",
    "Context",
    "ContextDoesNotFit",
    "Format",
    "InvalidRequest",
    "LimitReached",
    "Memory",
    "Message",
    "NotFound",
    "Problem",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
    "Wanted",
    "WarmthreadError",
]
