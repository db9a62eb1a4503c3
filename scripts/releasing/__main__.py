"""
Releases a deployment to all traffic by stages of a Vercel Rolling Release, judged at each by the fleet's own metrics,
or rolls it back. docs/canary.md says what is compared, and what becomes of a release that is interrupted.
"""

import sys

from scripts.measuring.subcommands import run

SUBCOMMANDS = {
    "run": "scripts.releasing.running",
    "status": "scripts.releasing.reporting",
    "abort": "scripts.releasing.aborting",
    "fake": "scripts.releasing.fake.command",
    "simulate": "scripts.releasing.simulation.command",
}
COULD_NOT, WRONG_ARGUMENTS = 3, 2


def main() -> int:
    try:
        return run("scripts/canary", __doc__, SUBCOMMANDS)
    except SystemExit as ended:
        # What argparse ends with is, of a release, "held".
        if ended.code == WRONG_ARGUMENTS:
            return COULD_NOT
        raise


if __name__ == "__main__":
    sys.exit(main())
