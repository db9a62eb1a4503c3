"""
Carries a plan out: each stretch on each design in turns, the joined dialogues, then how much each design can take.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from scripts.platform.fleet import Fleet
from scripts.proving.contexts.dialogues import Dialogue
from scripts.proving.load.ceiling import Ceiling, ceiling, turns_of
from scripts.proving.load.figures import Late, Measured, Spent, figures
from scripts.proving.load.joined import joined_schedule
from scripts.proving.load.measuring import measure
from scripts.proving.load.openloop import OpenLoop
from scripts.proving.load.plan import (
    DESIGNS,
    NAIVE,
    OURS,
    STEADY_DESIGNS,
    Options,
    Piece,
    deployment,
    fleet_settings,
    flush_s,
    order,
    pieces,
)
from scripts.proving.load.saturation import Found, search
from scripts.proving.load.schedule import Mix, Step, digest
from scripts.proving.load.texts import Corpus
from scripts.proving.load.traces import Arrival
from scripts.proving.load.wire import Wire
from shared.request.caller import read_key

DOCUMENT_TOKENS = 1_200
JOINED_SPEED = 6.0
STEADY_FROM_S, WARM_UP_S = 8.0, 5.0
"""Shorter runs of joined dialogues are not repeated on instances that stay, which first get so much of other ones."""

LONG_DIALOGUES, LONG_BEGUN = 24, 400
"""Long conversations: of so many dialogues, and so many messages, some 40,000 tokens, come ahead of the first turn."""

type Tell = Callable[[str, int, int], None]
"""Hears what is run, how many requests of it were sent, of how many."""


class Experiment:
    """One run. What it measured until now is its `result`, also where it was interrupted."""

    def __init__(self, trace: list[Arrival], corpus: Corpus, options: Options, tell: Tell) -> None:
        self._trace = trace
        self._corpus = corpus
        self._options = options
        self._tell = tell
        self._wire = Wire(corpus, options.budget)
        self._stretches: list[dict[str, Any]] = []
        self._measured: dict[float, dict[str, Measured]] = {}
        self._ceilings: dict[float, dict[str, Ceiling]] = {}
        self._joined: dict[str, Any] | None = None
        self._saturation: dict[str, Found] = {}
        self._under_way: list[tuple[float, str, OpenLoop]] = []

    async def run(self, dialogues: Sequence[Dialogue], *, is_searched: bool) -> None:
        for number, each in enumerate(pieces(self._trace, self._options)):
            self._note_ceiling(each)
            for design in order(number):
                await self._run_piece(each, design)
        if dialogues:
            await self._run_joined(dialogues)
        for design in DESIGNS if is_searched else ():
            async with self._fleet(design, 1.0, lives=False) as fleet:
                self._saturation[design] = Found([])
                await search(
                    fleet, self._trace, self._wire, self._options, design, self._saturation[design], self._tell
                )

    async def _run_piece(self, each: Piece, design: str) -> None:
        loops: list[OpenLoop] = []
        name = f"{each.name}, {design}"
        try:
            async with self._fleet(design, each.speed) as fleet:
                measured = await measure(
                    fleet, each.steps, self._wire, is_naive=design == NAIVE, flush_s=flush_s(each.speed), loops=loops,
                    tell=lambda sent: self._tell(name, sent, len(each.steps)),
                )  # fmt: skip
        except asyncio.CancelledError:
            for loop in loops:
                measured = Measured(loop.answers, max(loop.ended_s, 1e-9), Spent(), Late(), Late(), loop.skipped)
                self._note(each, design, measured, is_whole=False)
            raise
        self._note(each, design, measured, is_whole=True)

    def _note(self, each: Piece, design: str, measured: Measured, *, is_whole: bool) -> None:
        by_design = self._measured.setdefault(each.speed, {})
        by_design[design] = by_design[design].plus(measured) if design in by_design else measured
        said = {"name": each.name, "speed": each.speed, "design": design, "is_whole": is_whole}
        self._stretches.append({**said, "schedule": digest(each.steps), "figures": figures(measured)})

    def _note_ceiling(self, each: Piece) -> None:
        turns, options = turns_of(each.steps, self._options.budget), self._options
        self._ceilings[each.speed] = {
            str(count): ceiling(turns, count, options.life_s / each.speed, (options.seed, each.speed))
            for count in sorted({1, options.instances_max})
        }

    async def _run_joined(self, dialogues: Sequence[Dialogue]) -> None:
        options = self._options
        steps = joined_schedule(dialogues, options.joined_s * JOINED_SPEED, JOINED_SPEED, options.seed)
        self._joined = {
            "instances": options.instances_max, "speed": JOINED_SPEED, "schedule": digest(steps), "designs": {},
            "steady": {}, "long": {},
        }  # fmt: skip
        for design in DESIGNS:
            async with self._fleet(design, JOINED_SPEED, is_spread=True) as fleet:
                self._joined["designs"][design] = await self._joined_figures(fleet, design, steps, "joined dialogues")
        if options.joined_s < STEADY_FROM_S:
            return
        seconds = options.joined_s * JOINED_SPEED
        warm_up = joined_schedule(dialogues, WARM_UP_S * JOINED_SPEED, JOINED_SPEED, ("warm-up", options.seed))
        long = joined_schedule(
            dialogues, seconds, JOINED_SPEED, ("long", options.seed), length=LONG_DIALOGUES, begun=LONG_BEGUN
        )
        for design in STEADY_DESIGNS:
            async with self._fleet(design, JOINED_SPEED, is_spread=True, lives=False) as fleet:
                await self._joined_figures(fleet, design, warm_up, "warming up")
                for name, each in (("steady", steps), ("long", long)):
                    found = await self._joined_figures(fleet, design, each, f"joined dialogues, {name}")
                    self._joined[name][design] = found

    async def _joined_figures(self, fleet: Fleet, design: str, steps: list[Step], name: str) -> dict[str, Any]:
        measured = await measure(
            fleet, steps, self._wire, is_naive=design != OURS, flush_s=flush_s(JOINED_SPEED),
            tell=lambda sent: self._tell(f"{name}, {design}", sent, len(steps)),
        )  # fmt: skip
        return figures(measured)

    @asynccontextmanager
    async def _fleet(
        self, design: str, speed: float, *, is_spread: bool = False, lives: bool = True
    ) -> AsyncIterator[Fleet]:
        """Run a fleet of *design*, with documents beside it, and end it however the block ends."""
        with tempfile.TemporaryDirectory() as folder:
            settings = fleet_settings(self._options, speed, is_spread=is_spread, lives=lives)
            fleet = Fleet(deployment(design, speed, Path(folder)), settings)
            self._write_documents(Path(folder) / read_key(fleet.key).tenant)
            async with fleet:
                yield fleet

    def _write_documents(self, folder: Path) -> None:
        folder.mkdir()
        for number in range(Mix().documents):
            (folder / f"{number}.md").write_text(self._corpus.text(number, DOCUMENT_TOKENS))

    def result(self) -> dict[str, Any]:
        """Return what was measured until now."""
        return {
            "options": {**vars(self._options), "slices": {str(k): v for k, v in (self._options.slices or {}).items()}},
            "speeds": {
                f"{speed:g}": {
                    "ceilings": {count: found._asdict() for count, found in self._ceilings[speed].items()},
                    "designs": {design: figures(measured) for design, measured in by_design.items()},
                }
                for speed, by_design in self._measured.items()
            },
            "stretches": self._stretches,
            "joined": self._joined,
            "saturation": {design: found.as_json() for design, found in self._saturation.items()},
        }
