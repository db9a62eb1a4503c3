"""
The rewrites of vercel.json, as far as a function bundle needs them: plain and named sources, `$1` and `:name`.

    /v1/conversations/(.*)  ->  /api/conversations              the path as a whole
    /v1/files/:name*        ->  /api/files                      ?name=a/b is added: it was not used
    /ext/(.*)               ->  /api/ext?captured=$1

A source matches the whole path, case and trailing slash included. A key that is not understood (`has`,
`missing`…) is an error and not ignored: a rewrite that works here must work there.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import quote, urlencode

TOKEN = re.compile(
    r"(?P<slash>/)?:(?P<name>[A-Za-z_]\w*)(?P<pattern>\((?:[^()\\]|\\.)+\))?(?P<repeat>[*+?])?"
    r"|(?P<group>\((?:[^()\\]|\\.)+\))(?P<optional>[*+?])?"
)
SPECIAL = re.compile(r"[(){}*+?\\]")
REFERENCE = re.compile(r"\$(?P<number>\d+)|:(?P<name>[A-Za-z_]\w*)[*+?]?")


class Rewrite(NamedTuple):
    """One rule; `names` are the groups of `pattern` in order, unnamed ones by their number."""

    pattern: re.Pattern[str]
    names: tuple[str, ...]
    destination: str

    @classmethod
    def of(cls, rule: Mapping[str, object]) -> "Rewrite":
        """Raises ValueError for a rule that is not understood."""
        source, destination = rule.get("source"), rule.get("destination")
        unknown = sorted(rule.keys() - {"source", "destination"})
        if unknown or not isinstance(source, str) or not isinstance(destination, str):
            raise ValueError(f"could not read a rewrite: {', '.join(unknown) or 'no source or destination'}")
        if not (source.startswith("/") and destination.startswith("/")):
            raise ValueError(f"could not read the rewrite of {source}: only paths are served here")
        pattern, names = compiled_source(source)
        return cls(pattern, names, destination)

    def apply(self, path: str) -> tuple[str, str] | None:
        """Return the destination's path and the query it adds, None when *path* is not meant."""
        match = self.pattern.fullmatch(path)
        if match is None:
            return None
        values = {name: value or "" for name, value in zip(self.names, match.groups(), strict=True)}
        target, _, query = self.destination.partition("?")
        used: set[str] = set()
        target = _filled(target, values, used, safe="/")
        query = _filled(query, values, used, safe="")
        # Vercel hands the named parts that the destination does not use to the function as parameters.
        unused = {name: value for name, value in values.items() if not name.isdigit() and name not in used}
        return target, "&".join(part for part in (query, urlencode(unused, quote_via=quote, safe="")) if part)


def _filled(template: str, values: Mapping[str, str], used: set[str], *, safe: str) -> str:
    def value(reference: re.Match[str]) -> str:
        name = reference["name"] or str(int(reference["number"]) - 1)
        if name not in values:
            return reference[0]
        used.add(name)
        return quote(values[name], safe=safe)

    return REFERENCE.sub(value, template)


def compiled_source(source: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    """Return what a whole path has to match, and the names of its groups. Raises ValueError: it is not understood."""
    names: list[str] = []
    regex, position = "", 0
    for token in TOKEN.finditer(source):
        regex += _literal(source[position : token.start()])
        position = token.end()
        if token["group"]:
            names.append(str(sum(name.isdigit() for name in names)))
            regex += token["group"] + (token["optional"] or "")
        else:
            names.append(token["name"])
            regex += _named(token)
    # Vercel matches a path as it came, where the end of a line is %0A; here it is decoded already.
    pattern = re.compile(regex + _literal(source[position:]), re.DOTALL)
    return pattern, tuple(names)


def _literal(text: str) -> str:
    if SPECIAL.search(text):
        raise ValueError(f"could not read a rewrite: {text} is not understood in its source")
    return re.escape(text)


def _named(token: re.Match[str]) -> str:
    slash, segment = token["slash"] or "", (token["pattern"] or "([^/]+?)")[1:-1]
    if token["repeat"] in ("*", "+"):
        several = f"{slash}({segment}(?:/{segment})*)"
        return f"(?:{several})?" if token["repeat"] == "*" else several
    return f"(?:{slash}({segment}))?" if token["repeat"] == "?" else f"{slash}({segment})"


def destination(rewrites: Iterable[Rewrite], path: str) -> tuple[str, str] | None:
    """Return what the first rewrite that matches makes of *path*, None when none does."""
    return next((found for rewrite in rewrites if (found := rewrite.apply(path)) is not None), None)
