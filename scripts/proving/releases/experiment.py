"""
One run of two releases on one store, under load, and all that was recorded, checked.

    the old release serves alone -> half of all requests go to the new one, drawn for each -> both sweep
    -> each lists every conversation, the books are settled -> check

So each reads what the other writes, and is told to repeat what the other did. `plant` damages something past the
service when the load has ended; it has to be found.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from scripts.platform.settings import Deployment, FleetSettings
from scripts.proving.chaos import plants
from scripts.proving.chaos.answers import DEPLOYMENT_HEADER
from scripts.proving.chaos.client import Client
from scripts.proving.chaos.site import Site, running_site
from scripts.proving.chaos.stores import DELAY_S
from scripts.proving.chaos.tables import Sitting
from scripts.proving.progress import Interrupted
from scripts.proving.releases.handover import Handover
from scripts.proving.releases.pair import Pair
from scripts.proving.releases.release import Release
from scripts.proving.releases.traffic import PATIENT, QUEUE_S, Traffic
from shared.store import keys

OLD, NEW = "dpl_old", "dpl_new"
NAMES = (OLD, NEW)
SHARE, ALONE_SHARE = 0.5, 0.15
"""Of requests, once both serve; of the time that the old release serves alone."""

START_MAX_S, TICK_S = 120.0, 0.05
ANSWERS_MIN = 20
SWEPT = "documents done, conversations done"


class Options(NamedTuple):
    seed: int = 1
    seconds: float = 60.0
    plant: str = ""


class Report(NamedTuple):
    is_whole: bool
    checked: dict[str, Any]
    broken: list[str]


def experiment(release: Release, options: Options, pulse: Callable[[int], None]) -> Report:
    """
    Carry out one run of *release* beside this one; *pulse* hears the seconds.

    Raises Interrupted: the end was wished before it began; FleetError, OSError: something did not start; RuntimeError:
    a caller could not go on, which is none of the service's answers.
    """
    settings = FleetSettings(
        seed=options.seed, concurrency=4, instances_max=2, delay_s=DELAY_S, queue_s=QUEUE_S, keep_alive_s=0.0
    )
    with running_site(options.seed, lambda: pulse(0), release.deployment(OLD, PATIENT), settings) as site:
        run = _Run(site, options)
        try:
            run.carry_out(pulse)
        except Interrupted:
            return Report(False, run.checked(), run.traffic.broken_answers())
        return Report(True, broken=run.broken(), checked=run.checked())


class _Run:
    def __init__(self, site: Site, options: Options) -> None:
        self.pair = Pair(NAMES, options.seed)
        self.handover = Handover(site, NAMES, options.seed)
        self.traffic = Traffic(site, options.seed, (self._hand_over,))
        self.sweeps: dict[str, str] = {}
        self._site = site
        self._options = options
        self._serve_both = threading.Event()
        self._client = Client(site, site.key, "crons")
        site.recorder.choose, site.recorder.hear = self.pair.choose, self.pair.hear

    def carry_out(self, pulse: Callable[[int], None]) -> None:
        """Raises Interrupted."""
        options, site = self._options, self._site
        self.pair.always = OLD
        with self.traffic.working():
            self.traffic.wait_until(
                lambda: self.pair.answered[OLD] >= ANSWERS_MIN,
                lambda: pulse(0),
                START_MAX_S,
                "the old release did not answer",
            )
            began_s = time.monotonic()
            self._go_on(pulse, began_s, ALONE_SHARE * options.seconds)
            site.fleet.control.roll(Deployment(NEW, environment=site.first.environment), SHARE)
            self.pair.always = ""
            self._serve_both.set()
            self._go_on(pulse, began_s, options.seconds)
            for name in NAMES:
                self._sweep(name)

    def _go_on(self, pulse: Callable[[int], None], began_s: float, until_s: float) -> None:
        while (now_s := time.monotonic() - began_s) < until_s:
            pulse(int(now_s))
            self.traffic.look_after()
            time.sleep(TICK_S)  # It is time under load that proves something.

    def _hand_over(self) -> None:
        while not self._serve_both.is_set():
            self._site.recorder.rest(TICK_S)
        self.handover.work()

    def _sweep(self, name: str) -> None:
        """Have *name* go through everything that both have written."""
        headers = {"authorization": f"Bearer {self._site.fleet.secrets['CRON_SECRET']}", DEPLOYMENT_HEADER: name}
        answer = self._client.ask("GET", "/api/cron/sweep", headers=headers)
        told = answer.json() if answer is not None and answer.is_success else {}
        outcomes = [each.get("outcome", "unanswered") for each in (told, told.get("conversations", {}))]
        self.sweeps[name] = f"documents {outcomes[0]}, conversations {outcomes[1]}"

    def broken(self) -> list[str]:
        found = self.traffic.broken({number: self._turn_to(name) for number, name in enumerate(NAMES)}, self._plant)
        found += [f"sweep: that of {name} says {said}" for name, said in self.sweeps.items() if said != SWEPT]
        return [*found, *self.handover.wrong, *self.pair.missing(), *self._unproved()]

    def _turn_to(self, name: str) -> Callable[[], None]:
        def turn() -> None:
            self.pair.always = name

        return turn

    def _unproved(self) -> Iterator[str]:
        for what in ("rounds", "replays", "answers alike", "settlements"):
            if not self.handover.done[what]:
                yield f"unproved: there were no {what} of one release and the other"

    def _plant(self, sittings: list[Sitting]) -> None:
        plant = {"lost": plants.lose, "doubled": plants.double}.get(self._options.plant)
        if plant is not None:
            sitting = sittings[0]
            item_id = plants.acknowledged(sitting.operations, sitting.stored)
            plant(self._site.run, keys.conversation_key(self._site.tenant, sitting.id), item_id)

    def checked(self) -> dict[str, Any]:
        handed = sorted(self.pair.handed.items())
        return self.traffic.checked() | {
            "answered_by": dict(sorted(self.pair.answered.items())),
            "went_on_with": {f"{kind}, {writer} to {reader}": count for (kind, writer, reader), count in handed},
            "handed_over": dict(sorted(self.handover.done.items())),
            "sweeps": self.sweeps,
        }
