"""
Cause what each alert of ops/alerts.yml is for, and see that a real Prometheus tells of it, and did not before. A minute
is two seconds there. All queries of the dashboards and of docs/operating.md are asked as well. Exits with 1 when an
alert does not fire, or fires before its cause, or a query is wrong or finds nothing; 0 where Prometheus is not here.
"""

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from scripts.local.signals import INTERRUPTED, Stop
from scripts.proving.alerts import ordinary
from scripts.proving.alerts.causes import CAUSES, OF_NO_DEPLOYMENT, Cause, Scene
from scripts.proving.alerts.prometheus import MISSING, Alert, Prometheus, QueryFailed, find, running_prometheus
from scripts.proving.alerts.queries import Query, queries
from scripts.proving.alerts.rules import RULES, scaled
from scripts.proving.alerts.site import METRICS_SECRET, Deployment, Site, running_site
from scripts.proving.progress import Interrupted

WITHIN_S = 90.0
"""In which an alert has to fire, a deployment has to be seen, and queries have to find something."""

LOOK_S = 0.25
WATCHED = "watched"
LAST = "outage"
"""The cause after which nothing is seen."""

OF_THE_MACHINE = frozenset({"WarmthreadSlow", "WarmthreadLoopLag"})
"""On a machine with other work these may fire for a deployment that is used a little, and be right."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="scripts/check-alerts", description=" ".join((__doc__ or "").split()))
    parser.add_argument("--only", nargs="+", metavar="CAUSE", choices=CAUSES, help=f"of {', '.join(CAUSES)}")
    arguments = parser.parse_args(argv)
    if find("prometheus") is None:
        print(f"scripts/check-alerts: skipped. {MISSING}.")
        return 0
    begun_at_s = time.monotonic()
    chosen = {name: cause for name, cause in CAUSES.items() if not arguments.only or name in arguments.only}
    try:
        with _rehearsing() as rehearsal:
            wrong = rehearsal.carry_out(chosen)
    except Interrupted:
        print("interrupted; nothing more was checked", file=sys.stderr)
        return INTERRUPTED
    for line in wrong:
        print(f"- {line}")
    alerts = sum(len(cause.alerts) for cause in chosen.values())
    print(f"{alerts} alerts, {len(queries())} queries, {len(wrong)} wrong, {time.monotonic() - begun_at_s:.0f} s")
    return int(bool(wrong))


class _Rehearsal:
    def __init__(self, site: Site, watched: Deployment, prometheus: Prometheus, stop: Stop) -> None:
        self._site = site
        self._watched = watched
        self._prometheus = prometheus
        self._stop = stop

    def carry_out(self, causes: Mapping[str, Cause]) -> list[str]:
        """Return what was not as it should be, in words."""
        self._use_watched()
        print(f"{'alert':<26}{'cause':<14}{'before':<10}{'fires after':>12}  what it says", flush=True)
        wrong = [line for name, cause in causes.items() if name != LAST for line in self._cause(name, cause)]
        self._use_watched()
        wrong += self._ask(queries())
        for alert in self._of({"deployment": WATCHED}):
            if alert.is_firing and alert.name not in OF_THE_MACHINE:
                wrong.append(f"{alert.name} fires, though the deployment is used a little: {alert.annotations}")
        print(self._scrapes(), flush=True)
        if LAST in causes:
            wrong += self._cause(LAST, causes[LAST])
        return wrong

    def _use_watched(self) -> None:
        with self._until_seen(self._watched):
            ordinary.use_all(self._site, self._watched)

    def _cause(self, name: str, cause: Cause) -> Iterator[str]:
        with self._site.deployment(name, cause.settings) as deployment:
            scene = Scene(self._site, self._watched, deployment)
            labels = {} if OF_NO_DEPLOYMENT & {*cause.alerts} else {"deployment": name}
            with self._until_seen(deployment):
                ordinary.use(deployment)
            early = {each.name for each in self._of(labels)} & {*cause.alerts}
            begun_at_s = time.monotonic()
            fired = self._until_fired(cause, scene, labels | dict(cause.labels), begun_at_s)
        for alert in cause.alerts:
            after = f"{fired[alert][0]:.0f} s" if alert in fired else "never"
            says = fired[alert][1].annotations["summary"] if alert in fired else ""
            print(f"{alert:<26}{name:<14}{'fired' if alert in early else 'silent':<10}{after:>12}  {says}", flush=True)
            if alert in early:
                yield f"{alert} fired before {name}"
            if alert not in fired:
                yield f"{alert} did not fire within {WITHIN_S:.0f} s of {name}"
            elif "<" in says:  # A template that could not be filled.
                yield f"{alert} says {says}"

    def _until_fired(
        self, cause: Cause, scene: Scene, labels: Mapping[str, str], begun_at_s: float
    ) -> dict[str, tuple[float, Alert]]:
        """Carry *cause* out until its alerts fire, or for too long; return after how many seconds each did."""
        fired: dict[str, tuple[float, Alert]] = {}
        while time.monotonic() < begun_at_s + WITHIN_S and fired.keys() < {*cause.alerts}:
            cause.carry_out(scene)
            look_until_s = time.monotonic() + cause.lasts_s
            while time.monotonic() < look_until_s and fired.keys() < {*cause.alerts}:
                self._pause()
                for alert in self._of(labels):
                    if alert.is_firing and alert.name in cause.alerts:
                        fired.setdefault(alert.name, (time.monotonic() - begun_at_s, alert))
        return fired

    def _of(self, labels: Mapping[str, str]) -> list[Alert]:
        """Return the alerts that fire, or are pending, with *labels*."""
        return [each for each in self._prometheus.alerts() if labels.items() <= each.labels.items()]

    @contextlib.contextmanager
    def _until_seen(self, deployment: Deployment) -> Iterator[None]:
        """Wait behind the block until Prometheus knows what it had counted. Raises RuntimeError: not in time."""
        counted = f'sum(warmthread_requests_total{{deployment="{deployment.name}"}})'
        before = self._value(counted)
        yield
        give_up_at_s = time.monotonic() + WITHIN_S
        while self._value(counted) < before + ordinary.LEAST:
            if time.monotonic() > give_up_at_s:
                raise RuntimeError(f"Prometheus saw nothing of {deployment.name} in {WITHIN_S:.0f} s")
            self._pause()

    def _scrapes(self) -> str:
        took_s = self._value(f"max_over_time(scrape_duration_seconds[{WITHIN_S:.0f}s])")
        samples = self._value("max(scrape_samples_scraped)")
        return f"a scrape took {took_s:.2f} s at most, for {samples:,.0f} samples"

    def _value(self, expression: str) -> float:
        samples = self._prometheus.query(expression)
        return float(samples[0]["value"][1]) if samples else 0.0

    def _ask(self, asked: Iterable[Query]) -> list[str]:
        """Ask until each query finds something; return those that do not, and those that are wrong."""
        wrong, open_ = [], list(asked)
        give_up_at_s = time.monotonic() + WITHIN_S / 2
        while open_ and time.monotonic() < give_up_at_s:
            unanswered = []
            for query in open_:
                try:
                    if not self._prometheus.query(query.expression):
                        unanswered.append(query)
                except QueryFailed as error:
                    wrong.append(f"{query.where}: {error}: {query.expression}")
            open_ = unanswered
            self._pause()
        return wrong + [f"{query.where} finds nothing: {query.expression}" for query in open_]

    def _pause(self) -> None:
        if self._stop.requested:
            raise Interrupted
        time.sleep(LOOK_S)  # Prometheus evaluates rules by its own clock, and pushes nothing to who asks.


@contextlib.contextmanager
def _rehearsing() -> Iterator[_Rehearsal]:
    with contextlib.ExitStack() as stack:
        stop = Stop()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="warmthread-")))
        (folder / "documents").mkdir()
        (folder / "prometheus").mkdir()
        site = stack.enter_context(running_site(folder / "documents"))
        watched = stack.enter_context(site.deployment(WATCHED))
        rules = scaled(RULES.read_text())
        prometheus = stack.enter_context(
            running_prometheus(watched.instance.url, METRICS_SECRET, rules, folder / "prometheus")
        )
        yield _Rehearsal(site, watched, prometheus, stop)


if __name__ == "__main__":
    sys.exit(main())
