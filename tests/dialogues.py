"""Dialogues in the messages of three APIs."""

from tests.dialogues_of_chat import CHAT
from tests.dialogues_of_others import ANTHROPIC, GEMINI

DIALOGUES = [*CHAT, *ANTHROPIC, *GEMINI]
