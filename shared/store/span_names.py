"""
What spans say of a call to the store, by OpenTelemetry's conventions for databases and for Redis.
"""

from shared.request.tracing import Value

type Said = tuple[str, dict[str, Value]]
"""The name of a span, and its attributes."""


PORTS = {"https": "443", "http": "80"}


class SpanNames(dict[tuple[str, str], Said]):
    """By command, and the name of that or of its script, what is said of it. Both are words of our code, and few."""

    def __init__(self, url: str) -> None:
        super().__init__()
        scheme, _, rest = url.partition("://")
        address = rest.partition("/")[0].partition("?")[0]
        host, _, port = address.rpartition(":")
        if not (host and port.isdigit()):
            host, port = address, PORTS.get(scheme, "6379")
        self._address: dict[str, Value] = {"server.address": host, "server.port": int(port)}

    def __missing__(self, call: tuple[str, str]) -> Said:
        operation, name = call
        said: dict[str, Value] = {"db.system.name": "redis", "db.operation.name": operation, **self._address}
        if operation == "EVAL":
            said["db.stored_procedure.name"] = name
        self[call] = found = (f"{operation} {name}" if operation == "EVAL" else operation, said)
        return found
