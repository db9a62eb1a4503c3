"""
Vercel's own launcher (`vercel_runtime.vc_init`): what it needs to start a function, and what it says then.

It connects to a unix socket and sends JSON messages, each ended by a zero byte:

    server-started         where it listens                       `payload.httpPort`
    end                    an invocation is over, whatever runs   `payload.context.invocationId`
    log                    what the function printed or logged    `payload.message`, in base64
    unrecoverable-error    it did not start
"""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LAUNCH = "import vercel_runtime.vc_init"
"""What the process of a function runs, started in the project's folder."""

type Message = Mapping[str, Any]


def launcher_variables(project: Path, function: str, address: str, app: str = "app") -> dict[str, str]:
    """Return what the launcher needs to know to serve *app* of *function*, `api/health.py` of *project* for example."""
    return {
        "VERCEL_IPC_PATH": address,
        "__VC_HANDLER_MODULE_NAME": function.removesuffix(".py").replace("/", "."),
        "__VC_HANDLER_ENTRYPOINT": function,
        "__VC_HANDLER_ENTRYPOINT_ABS": str(project / function),
        "__VC_HANDLER_VENDOR_DIR": "_vendor",
        "__VC_HANDLER_VARIABLE_NAME": app,
    }


def invocation(number: str = "1") -> dict[str, str]:
    """Return the headers by which the launcher takes a request for one of the platform's."""
    return {"x-vercel-internal-invocation-id": number, "x-vercel-internal-request-id": "1"}


class Messages:
    """Turns the bytes of its socket into messages, whatever the pieces they arrive in."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Message]:
        """Add *data* and return the messages that it completes."""
        *whole, self._rest = (self._rest + data).split(b"\0")
        return [json.loads(message) for message in whole]


def ended_invocation(message: Message) -> str:
    """Return the id of the invocation that an `end` tells of."""
    return str(message["payload"]["context"]["invocationId"])


def logged_lines(message: Message) -> list[str]:
    """Return what a `log` holds."""
    return base64.b64decode(message["payload"]["message"]).decode(errors="replace").splitlines()
