"""Entry of scripts/export: notes signals before anything else is imported (scripts/local/signals.py)."""

import sys

from scripts.local.signals import Stop


def main() -> int:
    stop = Stop()
    try:
        from scripts.exporting.command import run

        return run(sys.argv[1:], stop)
    finally:
        stop.undo()


if __name__ == "__main__":
    sys.exit(main())
