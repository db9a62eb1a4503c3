"""scripts/keys, as tests call it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run_keys(*arguments: str, status: int = 0) -> str:
    """Run it, which has to end with *status*; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.local.keys", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=dict(os.environ),
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done.stdout.strip() or done.stderr.strip()
