"""
What a setting is: how it is declared in shared/config.py, and how its value is read.

A value that breaks its rule is never shown: it may be a secret that stands in the wrong place.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

PREFIX = "WARMTHREAD_"
EVERYTHING = "everything"
AREAS: Mapping[str, str] = {
    EVERYTHING: "everything is closed",
    "tenants": "what takes a tenant's key is closed",
    "bodies": "what takes a body is closed",
    "writes": "what takes an `Idempotency-Key` is closed",
    "conversations": "`/v1/conversations` is closed",
    "budgets": "reserving and settling are closed, and contexts by POST",
    "documents": "documents, contexts, change notices and crons are closed",
    "changes": "`/v1/changes` is closed",
    "cron": "crons are closed",
    "warm": "the warming cron is closed",
    "metrics": "`/api/metrics` is closed",
    "receipts": "`DELETE /v1/users` is closed",
}
"""What routes need (shared/routes.py), and what it means that they do not get it."""


class ConfigError(Exception):
    """A variable is missing, or has a value that breaks its rule; the text names both."""


class Wrong(NamedTuple):
    """A *variable* that breaks its *rule*, a sentence that begins with it; *closes*: the area that needs it, or ""."""

    variable: str
    rule: str
    closes: str

    @property
    def sentence(self) -> str:
        then = f"; until then {AREAS[self.closes]}" if self.closes else ""
        return f"{self.variable} {self.rule}{then}."


class Secret(str):
    """A string that does not print itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(***)"


NO_SECRET = Secret("")
SECRET_CHARS_MIN = 16


class Setting(NamedTuple):
    """
    What a setting is when nobody says (None: somebody has to), who needs it, what it may be, and what it means
    (Markdown).

    *closes*: the area of AREAS that is closed while its value is wrong, or "": then it has its default. *variables*:
    its names in the environment, of which the first that is set wins; none: WARMTHREAD_<FIELD>. A number has *low* and
    *high*, a word *choices*, a secret *chars_min*.
    """

    default: Any
    text: str
    closes: str = EVERYTHING
    low: float = 0
    high: float = 0
    choices: tuple[str, ...] = ()
    chars_min: int = 0
    variables: tuple[str, ...] = ()
    read: Callable[[str], str] | None = None
    """Checks a word, and returns it as it is kept. Raises ConfigError with the rule."""

    def names(self, field: str) -> tuple[str, ...]:
        """Return the variables of the setting that is called *field*."""
        return self.variables or (f"{PREFIX}{field.upper()}",)


def number[N: (int, float)](
    default: N, low: float, high: float, text: str, closes: str = EVERYTHING, *variables: str
) -> N:
    """Declare a number; one that is written with a point by default may have a fraction."""
    return cast(N, Setting(default, text, closes, low, high, variables=variables))


def choice(choices: tuple[str, ...], text: str, closes: str, *variables: str) -> str:
    """Declare one of some words, by default the first."""
    return cast(str, Setting(choices[0], text, closes, choices=choices, variables=variables))


def words(default: str, text: str, closes: str, *variables: str, read: Callable[[str], str] | None = None) -> str:
    """Declare an address or a name."""
    return cast(str, Setting(default, text, closes, variables=variables, read=read))


def secret(text: str, closes: str, variable: str, *, chars_min: int = SECRET_CHARS_MIN) -> Secret:
    """Declare a secret; what is shorter than *chars_min* is refused, since it may be guessed."""
    return cast(Secret, Setting(NO_SECRET, text, closes, chars_min=chars_min, variables=(variable,)))


def required(text: str, variables: tuple[str, ...]) -> Any:
    """Declare what has no default."""
    return Setting(None, text, variables=variables)


ADDRESS = re.compile(r"https?://([A-Za-z0-9_.-]+|\[::1\])(?::([0-9]{1,5}))?(?:/[!$-;=@-~]*)?")
"""With no user, query or fragment, in ASCII; of addresses of IPv6 that of this machine."""

RESP_VARIABLE = "WARMTHREAD_STORE_URL"
RESP_SCHEMES = ("redis://", "rediss://")
RESP_ADDRESS = re.compile(
    r"(?P<scheme>rediss?)://(?:(?P<login>[!-~]*)@)?(?P<host>[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"/?(?P<database>[0-9]{0,5})(?P<cluster>\?cluster)?"
)
"""The address of a store that speaks Redis' own protocol: `redis(s)://[user:password@]host:port[/database][?cluster]`."""

VISIBLE = re.compile(r"[!-~]+")
"""What a header can carry."""


def is_address(value: str) -> bool:
    """Tell whether a client can be made for *value*."""
    match = ADDRESS.fullmatch(value)
    if match is None:
        return False
    host, port = match.groups("0")
    labels = host.split(".")
    is_ipv4 = len(labels) == 4 and all(each.isdigit() and str(int(each)) == each and int(each) < 256 for each in labels)
    # A last label that begins with a digit makes it a number, and one in Punycode may be wrong.
    is_name = all(labels) and not labels[-1][0].isdigit() and "xn--" not in host.lower()
    return (is_ipv4 or is_name) and int(port) < 65_536


def read_folder(value: str) -> str:
    """Read where documents come from. Raises ConfigError."""
    scheme, separator, path = value.partition("://")
    if separator and not (
        scheme == "memory" or (scheme == "file" and path[:1] == "/") or (scheme == "s3" and path.strip("/"))
    ):
        raise ConfigError("must be a folder, file:///folder, s3://bucket/prefix or memory:///")
    return value


def read_address(value: str) -> str:
    """Read an address, which may lack its scheme. Raises ConfigError."""
    address = value.rstrip("/") if "://" in value else f"https://{value}"
    if not is_address(address):
        raise ConfigError("must be an address that begins with https:// or http://")
    return address


PAIR = r"[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+[ \t]*=[ -+\--~]*"
PAIRS = re.compile(rf"{PAIR}(?:,{PAIR})*,?")


def read_pairs(value: str) -> str:
    """Read `name=value,name=value`, percent-encoded, as OpenTelemetry has it. Raises ConfigError."""
    if not PAIRS.fullmatch(value):
        raise ConfigError("must be name=value,name=value, percent-encoded")
    return Secret(value)


def read_digits(value: str) -> str:
    """Read megabytes, which stay text. Raises ConfigError."""
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise ConfigError("must be a whole number of megabytes")
    return value


def read_visible(value: str) -> str:
    """Read what goes into a header. Raises ConfigError."""
    if not VISIBLE.fullmatch(value):
        raise ConfigError("must have visible ASCII characters only")
    return value


def read_value(setting: Setting, raw: str) -> Any:
    """Return what *raw* says. Raises ConfigError with the rule that it breaks."""
    if isinstance(setting.default, int | float):
        return _read_number(setting, raw)
    if setting.choices:
        if raw not in setting.choices:
            raise ConfigError(f"must be {' or '.join(setting.choices)}")
        return raw
    if isinstance(setting.default, Secret):
        if len(raw) < setting.chars_min or not VISIBLE.fullmatch(raw):
            count = f"at least {setting.chars_min} characters, all of them" if setting.chars_min else "only"
            raise ConfigError(f"must have {count} visible ASCII")
        return Secret(raw)
    return setting.read(raw) if setting.read else raw


def _read_number(setting: Setting, raw: str) -> float:
    kind = type(setting.default)
    try:
        value: float = kind(raw)
    except ValueError:
        value = float("nan")
    if not setting.low <= value <= setting.high:
        whole = "a whole number" if kind is int else "a number"
        raise ConfigError(f"must be {whole} from {setting.low:,} to {setting.high:,}")
    return value
