"""scripts/keys, as tests call it: in this process, for each of its own would import what this one has."""

import contextlib
import io

from scripts.local import keys


def run_keys(*arguments: str, status: int = 0) -> str:
    """Run it, which has to end with *status*; return what it printed."""
    printed, complaint = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(complaint):
        try:
            ended = keys.main(list(arguments))
        except SystemExit as end:  # So does argparse.
            ended = int(end.code or 0)
    assert ended == status, complaint.getvalue()
    return printed.getvalue().strip() or complaint.getvalue().strip()
