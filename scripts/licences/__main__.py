"""
Say whose code a deployment carries, and under which licences; 1 where one is not known to allow that.

    python -m scripts.licences             the packages of requirements.lock, as in docs/licences.md
    python -m scripts.licences --crates    what was compiled into them, by the bills of materials that they bring
"""

import argparse
import sys
from collections import Counter
from importlib.metadata import PackageNotFoundError

from scripts.licences.packages import ALSO_OF_CRATES, ASKS, UnknownLicence, allows, crates, shipped


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.licences", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--crates", action="store_true", help="what was compiled into packages, by licence")
    arguments = parser.parse_args(argv)
    try:
        packages = shipped()
    except UnknownLicence as error:
        print(error, file=sys.stderr)
        return 1
    except PackageNotFoundError as error:
        print(f"{error.name} is not installed: scripts/setup.sh installs what is shipped", file=sys.stderr)
        return 1
    if not arguments.crates:
        for each in packages:
            print(f"{each.name} {each.version}: {each.licence}; {', '.join(each.texts) or 'no text'}")
        return 0 if all(allows(each.licence) for each in packages) else 1
    known = ALSO_OF_CRATES | {*ASKS}
    wrong = False
    for package in packages:
        found = list(crates(package.name))
        for licence, count in sorted(Counter(each.licence for each in found).items()):
            print(f"{package.name}: {count} under {licence}")
        unknown = [crate for crate in found if not allows(crate.licence, known)]
        wrong |= bool(unknown)
        for crate in unknown:
            print(f"{package.name}: nobody has read the licence of {crate.name}: {crate.licence}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
