"""
How a process ends that was started with a pipe as its standard input: it sees that end, and ends in order.
"""

import contextlib
import subprocess

type Process = "subprocess.Popen[bytes] | subprocess.Popen[str]"


def tell_to_end(process: Process) -> None:
    """Close the input of *process*, and do not wait: of several, all are told before one is waited for."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()


def let_go(process: Process, timeout_s: float) -> None:
    """Close the input of *process* and wait until it has ended; kill it where that takes more than *timeout_s*."""
    tell_to_end(process)
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
