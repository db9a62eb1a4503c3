"""
Measure whether the service does what it is for, and write a report: a row a criterion, plots, what did not help.

    scripts/validate                       all of it in short, under 15 minutes
    scripts/validate --seconds 60          that it works, in about so long
    scripts/validate --full --trace FILE   long enough to say something for sure
    scripts/validate --from FOLDER         the report anew, of results that are there
    scripts/validate --against FILE        does this run agree with another one's validation.json?
    scripts/validate --metrics URL         the same table of a fleet in use; WARMTHREAD_METRICS_SECRET opens its metrics

Exits with 1 when a promise is broken that no machine excuses, a part fails, or two runs differ; with 130 after Ctrl-C,
which leaves a report of what was measured until then.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from scripts.local.signals import INTERRUPTED, Stop

ROOT = Path(__file__).parents[2]
RESULTS, REPORTS = ROOT / ".warmthread" / "validation", ROOT / "reports"
PAGE, VALUES = "validation.md", "validation.json"
WRONG_ARGUMENTS = 2


def main(argv: list[str] | None = None) -> int:
    arguments, stop = _parser().parse_args(argv), Stop()
    # Imported late: --help has to work on a machine where nothing is installed yet.
    from scripts.validating.results import ResultsError

    try:
        return _carry_out(arguments, stop)
    except (ResultsError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return WRONG_ARGUMENTS
    finally:
        stop.undo()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/validate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--seconds", type=float, default=0.0, metavar="N", help="a brief form of about so long")
    form.add_argument("--full", action="store_true", help="the long form, two and a half hours")
    form.add_argument("--from", dest="results_of", type=Path, metavar="FOLDER", help="run nothing: results are there")
    form.add_argument("--metrics", metavar="URL", help="run nothing: what the metrics of a fleet in use say")
    parser.add_argument("--only", default="", metavar="PARTS", help="of load,cost,soak,… only these; others are kept")
    parser.add_argument("--seed", type=int, default=1, help="what is drawn is drawn from it (1)")
    parser.add_argument("--trace", type=Path, metavar="FILE", help="a recorded trace for the load; the shipped piece")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER", help="where results go")
    parser.add_argument("--out", type=Path, default=REPORTS, metavar="FOLDER", help="where the report goes (reports)")
    parser.add_argument(
        "--against", type=Path, metavar="FILE", help="another validation.json, held beside ours in --out"
    )
    parser.add_argument("--print-schedule", action="store_true", help="print the commands that would run, and end")
    return parser


def _carry_out(arguments: argparse.Namespace, stop: Stop) -> int:
    """Raises ValueError, OSError, ResultsError: an argument is wrong, or what it names cannot be read or written."""
    if not (arguments.against or arguments.metrics or arguments.results_of):
        return _measure(arguments, stop)
    stop.undo()  # A moment's work, that leaves nothing.
    if arguments.against:
        return _compare(arguments.out / VALUES, arguments.against)
    if arguments.metrics:
        return _show_live(arguments.metrics, arguments.out)
    _write(arguments.results_of, arguments.out)
    return 0


def _measure(arguments: argparse.Namespace, stop: Stop) -> int:
    from scripts.validating.parts import Asked, form_of, parts_of

    folder = arguments.results.resolve()
    trace = arguments.trace.resolve() if arguments.trace else None
    asked = Asked(arguments.seed, arguments.seconds, arguments.full, trace, folder)
    only = [each for each in arguments.only.split(",") if each]
    parts = parts_of(asked, only)
    if arguments.print_schedule:
        print("\n".join(f"{each.about_s:>6.0f} s  {each.told()}" for each in parts))
        return 0
    stop.tell(lambda: None)  # A second Ctrl-C changes nothing: what runs is ending.
    from scripts.validating.rows import broken
    from scripts.validating.running import remove_results, run_parts

    if not only:
        remove_results(folder)
    is_whole = run_parts(parts, folder, {"form": form_of(asked), "seed": asked.seed}, stop)
    # Who interrupts wants to have it over: plots take as long as all the rest.
    document = _write(folder, arguments.out, is_drawn=is_whole)
    if not is_whole:
        print(f"scripts/validate --from {arguments.results}   writes it with its plots", file=sys.stderr)
        return INTERRUPTED
    found = broken(document)
    for each in found:
        print(f"broken: {each}", file=sys.stderr)
    return int(bool(found))


def _write(results: Path, out: Path, *, is_drawn: bool = True) -> dict[str, Any]:
    """Write page, values and, if *is_drawn*, plots of *results* into *out*; return the values."""
    from scripts.validating.report import report
    from scripts.validating.results import read_results, write_json
    from scripts.validating.rows import readings_of, validation

    found = read_results(results)
    document = validation(found, readings_of(found))
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / VALUES, document)
    plots = []
    if is_drawn:
        from scripts.validating.plots import write_plots

        plots = write_plots(found, out)
    (out / PAGE).write_text(report(document, plots))
    print(f"{_counts(document)}; see {out / PAGE}")
    return document


def _show_live(url: str, out: Path) -> int:
    from scripts.validating.live import LiveError, fetch, live_validation
    from scripts.validating.report import report
    from scripts.validating.results import write_json

    try:
        document = live_validation(fetch(url, os.environ.get("WARMTHREAD_METRICS_SECRET", "")))
    except LiveError as error:
        print(error, file=sys.stderr)
        return WRONG_ARGUMENTS
    write_json(out / f"live-{VALUES}", document)
    (out / f"live-{PAGE}").write_text(report(document, []))
    print(f"{_counts(document)}; see {out / f'live-{PAGE}'}")
    return 0


def _compare(ours: Path, theirs: Path) -> int:
    import orjson

    from scripts.validating.against import compare, show

    compared = compare(orjson.loads(ours.read_bytes()), orjson.loads(theirs.read_bytes()))
    print(show(compared))
    return int(bool(compared.differ))


def _counts(document: dict[str, Any]) -> str:
    verdicts = [row["verdict"] for row in document["rows"]]
    told = ", ".join(f"{verdicts.count(each)} {each}" for each in ("met", "not met", "not measured"))
    return told if document["is_whole"] else f"PARTIAL: {told}"


if __name__ == "__main__":
    sys.exit(main())
