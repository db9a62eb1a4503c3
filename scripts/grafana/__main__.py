"""
Write the dashboards in ops/grafana, each of which a file of its name beside this one describes.
"""

import argparse
import json
import sys
from pathlib import Path

from scripts.grafana.effectiveness import EFFECTIVENESS
from scripts.grafana.health import HEALTH
from scripts.grafana.panels import as_json
from scripts.grafana.performance import PERFORMANCE
from scripts.grafana.spend import SPEND

FOLDER = Path(__file__).parents[2] / "ops" / "grafana"


def files() -> dict[Path, str]:
    """Return what each file has to hold."""
    return {
        FOLDER / f"{board.name}.json": json.dumps(as_json(board), indent=2, ensure_ascii=False) + "\n"
        for board in (EFFECTIVENESS, PERFORMANCE, HEALTH, SPEND)
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.grafana", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 where a file is not as told")
    arguments = parser.parse_args()
    old = [path for path, text in files().items() if not path.is_file() or path.read_text() != text]
    for path in old:
        print(f"{path.relative_to(FOLDER.parents[1])} is {'not up to date' if arguments.check else 'written'}")
        if not arguments.check:
            path.write_text(files()[path])
    return int(arguments.check and bool(old))


if __name__ == "__main__":
    sys.exit(main())
