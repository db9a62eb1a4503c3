"""
What the dashboard is told of the code's declarations: ES modules below `public/`, each made as a whole.
"""

import json
from collections.abc import Callable, Mapping

from shared.context.explained import REASONS

HEAD = "/**\n * {}, made by scripts/tables.\n */\n"


def reasons_module() -> str:
    """Return reason -> what it means."""
    lines = [f"  {json.dumps(name)}: {json.dumps(text.replace('`', ''))},\n" for name, (_, text) in REASONS.items()]
    return HEAD.format("Why a unit is sent or not") + "\nexport const REASONS = {\n" + "".join(lines) + "};\n"


MODULES: Mapping[str, Callable[[], str]] = {"public/dashboard/reasons.js": reasons_module}
"""Path -> what it holds."""
