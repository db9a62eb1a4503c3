"""
What became of the conversations that were drawn or recorded: how many, and what each broke.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from scripts.proving.borders.conversation import Conversation, log_of
from scripts.proving.borders.drawing import Drawn, draw
from scripts.proving.borders.law import ROOM, Dialogue, batches, outcome
from scripts.proving.borders.naive import rules_reached
from scripts.proving.borders.promise import Broken, CountText, broken

LAW = "not equal to what was appended"


@dataclass
class Report:
    """
    *logs* and *dialogues* held against promise (h) and the law. *broken* counts logs by what they break, and *smallest*
    has one of each as JSON, with the parameters. *reached*: how many logs broke a rule of a format if they were sent as
    they are.
    """

    logs: int = 0
    dialogues: int = 0
    broken: Counter[Broken] = field(default_factory=Counter)
    smallest: dict[Broken, str] = field(default_factory=dict)
    reached: Counter[tuple[str, str]] = field(default_factory=Counter)

    def merge(self, other: "Report") -> None:
        self.logs += other.logs
        self.dialogues += other.dialogues
        self.broken += other.broken
        self.reached += other.reached
        for each, shown in other.smallest.items():
            self._keep(each, shown)

    def hold(self, drawn: Drawn, count: CountText) -> None:
        """Hold a conversation against the promise, and against the law where it is one dialogue."""
        self.logs += 1
        try:
            log = log_of(drawn.conversation, count)
        except Exception as exc:  # noqa: BLE001  # A conversation that cannot be appended is a finding, and not the last one.
            self._add(Broken("append", "not appended", repr(exc)[:80]), drawn)
            return
        found = set(broken(log, drawn.budget, count, stable_prefix=drawn.stable_prefix))
        self.reached.update(rules_reached(drawn.conversation, log))
        if drawn.dialogue is not None:
            self.dialogues += 1
            try:
                come_back, appended = outcome(drawn.dialogue, drawn.cuts)
                is_equal = come_back == appended
            except Exception as exc:  # noqa: BLE001  # A conversation that cannot be appended is a finding, and not the last one.
                found.add(Broken(drawn.dialogue.context_format, "not rendered", repr(exc)[:80]))
            else:
                found |= set() if is_equal else {Broken(drawn.dialogue.context_format, LAW, "")}
        for each in found:
            self._add(each, drawn)

    def _add(self, each: Broken, drawn: Drawn) -> None:
        self.broken[each] += 1
        self._keep(each, _shown(drawn))

    def _keep(self, each: Broken, shown: str) -> None:
        if each not in self.smallest or len(shown) < len(self.smallest[each]):
            self.smallest[each] = shown

    @property
    def violations(self) -> list[str]:
        return [
            f"{each.context_format}: {each.kind}{each.what and f': {each.what}'} ({times:,} logs), e.g. "
            f"{self.smallest[each]}"
            for each, times in sorted(self.broken.items())
        ]


def _shown(drawn: Drawn) -> str:
    conversation = drawn.conversation
    asked = {"budget": drawn.budget, "stable_prefix": drawn.stable_prefix}
    others = {"deleted": sorted(conversation.deleted), "summary": conversation.summary, "through": conversation.through}
    return json.dumps({"batches": list(conversation.batches), **others, **asked}, ensure_ascii=False)


def of_drawn(source: str, from_seed: int, examples: int, count: CountText) -> Report:
    """Draw *examples* conversations and hold each."""
    report = Report()
    draw(source, from_seed, examples, lambda drawn: report.hold(drawn, count))
    return report


def of_recorded(dialogues: Sequence[Dialogue], count: CountText) -> Report:
    """Hold each of *dialogues*, appended at once, and message by message."""
    report = Report()
    for dialogue in dialogues:
        for cuts in ((), tuple(range(1, len(dialogue.messages)))):
            conversation = Conversation(batches(dialogue, cuts))
            report.hold(Drawn(conversation, ROOM, dialogue=dialogue, cuts=cuts), count)
    return report
