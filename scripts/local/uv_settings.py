"""
What pip would obey, in the variables that uv obeys: uv reads none of pip's settings.

Indexes, links, constraints, certificates, proxies and time limits are handed on. They may hold passwords, so they
travel in the environment and not in arguments, which every user of a machine can read. Standard library only.
"""

import ast
import re
from collections.abc import Mapping

VARIABLES = {
    "index-url": ("UV_DEFAULT_INDEX", ""),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "no-index": ("UV_NO_INDEX", ""),
    "constraint": ("UV_CONSTRAINT", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "timeout": ("UV_HTTP_TIMEOUT", ""),
    "default-timeout": ("UV_HTTP_TIMEOUT", ""),
    "cert": ("SSL_CERT_FILE", ""),
    "client-cert": ("SSL_CLIENT_CERT", ""),
    "proxy": ("ALL_PROXY", ""),
}
"""pip's name of a setting -> the variable, and what separates several values in it ("": there is only one)."""

SECTIONS = ("global", "install", ":env:")
"""Where pip takes a setting from; a later one wins."""

TRUE = ("1", "t", "true", "y", "yes", "on")
"""What pip takes for true."""

SETTING = re.compile(r"(:env:|[a-z]+)\.([a-z-]+)=(.*)")


def uv_environ(listing: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return *environ* and the settings of *listing*, which `pip config list` wrote. What uv was told already stays."""
    settings: dict[str, str] = {}
    lines = [match.groups() for match in map(SETTING.fullmatch, listing.splitlines()) if match is not None]
    for section in SECTIONS:
        settings |= {name: str(ast.literal_eval(value)) for at, name, value in lines if at == section}
    # pip takes the best version of all its indexes, uv the first index that knows the name.
    told = {"UV_INDEX_STRATEGY": "unsafe-best-match"}
    for name, (variable, separator) in VARIABLES.items():
        if name in settings:
            told[variable] = separator.join(settings[name].split()) if separator else settings[name]
    return {**told, **environ}


def uv_options(environ: Mapping[str, str]) -> list[str]:
    """Return what of *environ* `uv pip install` takes as an option only."""
    return ["--no-index"] if environ.get("UV_NO_INDEX", "").lower() in TRUE else []


def list_of_environ(environ: Mapping[str, str]) -> str:
    """Return what `pip config list` would say of *environ*, for where there is no pip to ask."""
    pairs = [(name[4:].lower().replace("_", "-"), value) for name, value in environ.items() if name[:4] == "PIP_"]
    return "\n".join(f":env:.{name}={value!r}" for name, value in pairs)
