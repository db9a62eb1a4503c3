"""
One instance of the service in a process of its own: every function of api/, or one, on one port of loopback.

    python -m scripts.local.instance     prints its address, serves until SIGTERM or the end of its standard input

The address takes connections as soon as it is printed; they are answered once the functions have started. The
settings come from the environment. Its log goes to stderr, from warnings on unless WARMTHREAD_LOG_LEVEL says else.
Whoever starts it keeps the other end of its standard input: when that process dies, however it dies, so does the
instance.
"""

import argparse
import os
import sys
from pathlib import Path

from scripts.local.functions import Project
from scripts.local.serving import loopback_listener, quiet_server
from scripts.local.signals import when_input_ends

ROOT = Path(__file__).parents[2]
KEEP_ALIVE_S = 60


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.local.instance", description=__doc__.split("\n\n")[0])
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; a free one by default")
    parser.add_argument("--function", help="serve this one only, /api/conversations for instance")
    parser.add_argument("--quiet", action="store_true", help="no log: what goes wrong is wanted")
    arguments = parser.parse_args()
    os.environ.setdefault("WARMTHREAD_LOG_LEVEL", "off" if arguments.quiet else "warning")
    with loopback_listener(arguments.port) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        sys.stdout = sys.stderr  # Where the log goes from now on: who starts it reads no more than the address.
        project = Project(ROOT, arguments.function)
        server = quiet_server(project, lifespan="on", http="h11", keep_alive_s=KEEP_ALIVE_S, at_end=project.tell_end)
        when_input_ends(server.stop)
        server.run(sockets=[listener])
    return int(not server.started)


if __name__ == "__main__":
    sys.exit(main())
