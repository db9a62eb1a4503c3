"""An instance that never hears of erasures: what the proof has to find (`--plant l1`)."""

import sys

from scripts.local.instance import main
from shared.request.erasures import Erasures


def _deaf(self: Erasures, tenant: str, count: str) -> None:
    self._counts[tenant] = count


if __name__ == "__main__":
    Erasures.learn = _deaf  # type: ignore[method-assign]
    sys.exit(main())
