"""Memory that was given back does not stay with the process."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_http_library_finds_how_its_allocator_is_to_behave() -> None:
    program = "import os; os.putenv('MIMALLOC_VERBOSE', '1'); import api.conversations, shared.store.transport"
    command = [sys.executable, "-c", program]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stderr

    assert "option 'arena_eager_commit': 0" in said
    assert "option 'purge_delay': 0" in said
