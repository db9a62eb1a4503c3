"""
The Lua sources in the folders beside this file, ready to send.

A file is known by its name without `.lua`, whatever its folder. The comment at its beginning says, in lines of their
own, what the file is and needs; nothing else decides it:

    -- @keyless          no caller's key has to allow it: who runs it was confirmed before, or is a cron
    -- @reads            it writes nothing, so it need not wait for, and hold, an exclusive lock
    -- @include a, b     the parts whose functions it uses; they come before it, each once
    -- @part             it is no script, but what scripts include

A script without `@keyless` is keyed: KEYS[1] is the tenant's hash and ARGV[1] the SHA-256 of the caller's API key,
behind which stand the roles that will do, and what it asks of the tenant's rate (shared/request/invocation.py). A check
of all three comes before its own code, so that no operation can forget it. A reply is an array whose first element says
what happened: 'ok', or why nothing was done.

Scripts travel as source with every EVAL: on Upstash that costs what EVALSHA costs, and never needs a second request
after the store lost its script cache. A file is read when the first script that needs it is sent, and once.
"""

import os
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent / "scripts"
WORDS = ("include", "keyless", "part", "reads")
READS, WRITES = "#!lua flags=no-writes,allow-key-locking", "#!lua flags=allow-key-locking"
WITHOUT_LOCK = {READS: "#!lua flags=no-writes", WRITES: "#!lua"}
"""The first line of a script, and what Redis and Valkey take in its place."""


class ScriptError(Exception):
    """A Lua file cannot be assembled; the text names it."""


class File:
    """
    One file: what its head says, and its code by line number, without comments, indentation and empty lines.

    Read from *text*; *name* is that of the file, without its folder.
    """

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.code: dict[int, str] = {}
        words: dict[str, list[str]] = {}
        is_head = True
        for number, line in enumerate(text.splitlines(), 1):
            stripped = line.strip()
            if not stripped.startswith("--"):
                is_head = False
                if stripped:
                    self.code[number] = stripped
            elif stripped.startswith("-- @"):
                word, *names = stripped[4:].replace(",", " ").split() or [""]
                at = f"{name}:{number}: @{word}"
                if word not in WORDS:
                    raise ScriptError(f"{at} is unknown; known are {', '.join(WORDS)}.")
                if not is_head or word in words or (word == "include") != bool(names):
                    raise ScriptError(f"{at} stands in the first comment, once, and names go with @include only.")
                words[word] = names
        self.is_part = "part" in words
        self.is_read = "reads" in words
        self.asks_for_key = "keyless" not in words
        self.includes = words.get("include", [])
        if self.is_part and (self.is_read or not self.asks_for_key):
            raise ScriptError(f"{name} is a part: @keyless and @reads are for scripts.")


class Scripts:
    """The scripts of one folder, in folders of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._paths: dict[str, str] = {}
        self._files: dict[str, File] = {}
        self._sources: dict[tuple[str, bool, bool], str] = {}

    def is_read(self, name: str) -> bool:
        """Tell whether the script *name* writes nothing, so that it may be sent twice."""
        return self._script(name).is_read

    def asks_for_key(self, name: str) -> bool:
        """Tell whether the first argument of the script *name* is the hash of a caller's key."""
        return self._script(name).asks_for_key

    def source(self, name: str, *, takes_permits: bool = False, locks_keys: bool = True) -> str:
        """
        Return what to send for the script *name*; with *takes_permits* it replies as admit.lua says. With *locks_keys*
        it has Upstash's own flag, which Redis and Valkey refuse.

        Raises:   ScriptError: a head says what it cannot, or names what is not there.
        """
        source = self._sources.get((name, takes_permits, locks_keys))
        if source is None:
            pieces = [line for file in self.files(name, takes_permits=takes_permits) for line in file.code.values()]
            if not locks_keys:
                pieces[0] = WITHOUT_LOCK[pieces[0]]
            source = self._sources[name, takes_permits, locks_keys] = "\n".join(pieces)
        return source

    def files(self, name: str, *, takes_permits: bool = False) -> list[File]:
        """
        Return what that source is made of, in order. What belongs to no file has no name.

        `allow-key-locking` is Upstash's own flag: the script locks the keys it names instead of the database.
        """
        script, present = self._script(name), set[str]()
        files = [File("", READS if script.is_read and not takes_permits else WRITES)]
        if script.asks_for_key:
            files += self._part("admit" if takes_permits else "authorise", present, ())
        own = self._with_includes(name, script, present, ())
        if takes_permits:
            return [
                *files,
                File("", "local function operate()"),
                *own,
                File("", "end\nreturn {operate(), rate, owner.erasures}"),
            ]
        return [*files, *own]

    def names(self) -> list[str]:
        """Return the names of all scripts."""
        return sorted(name for name in self._find() if not self._file(name).is_part)

    def parts(self) -> list[str]:
        """Return the names of all parts."""
        return sorted(name for name in self._find() if self._file(name).is_part)

    def _with_includes(self, name: str, file: File, present: set[str], above: tuple[str, ...]) -> Iterator[File]:
        for each in file.includes:
            yield from self._part(each, present, (*above, name))
        yield file

    def _part(self, name: str, present: set[str], above: tuple[str, ...]) -> Iterator[File]:
        """Yield a part with its own, if it is not *present* yet; *above*: what includes it, from the script down."""
        if name in above:
            raise ScriptError(f"{' includes '.join([*above, name])}: a circle.")
        if name in present:
            return
        if above and name not in self._find():
            raise ScriptError(f"{above[-1]}.lua includes {name}, and there is no {name}.lua.")
        file = self._file(name)
        if not file.is_part:
            raise ScriptError(f"{above[-1]}.lua includes {name}, which is no part.")
        yield from self._with_includes(name, file, present, above)
        present.add(name)

    def _script(self, name: str) -> File:
        file = self._file(name)
        if file.is_part:
            raise ScriptError(f"{name}.lua is a part, and no script.")
        return file

    def _file(self, name: str) -> File:
        file = self._files.get(name)
        if file is None:
            path = self._find().get(name)
            if path is None:
                raise ScriptError(f"There is no {name}.lua.")
            with open(path, "rb") as opened:
                file = self._files[name] = File(f"{name}.lua", opened.read().decode())
        return file

    def _find(self) -> dict[str, str]:
        """Return where each file is. Reads the names in the folders once, which takes 0.1 ms."""
        if not self._paths:
            for folder in os.listdir(self._folder):
                if "." in folder:
                    continue  # A file that some file manager left.
                within = f"{self._folder}/{folder}"
                for each in os.listdir(within):
                    name, dot, ending = each.rpartition(".")
                    if dot + ending != ".lua":
                        continue
                    if name in self._paths:
                        raise ScriptError(f"{self._paths[name]} and {within}/{each} have one name.")
                    self._paths[name] = f"{within}/{each}"
        return self._paths


scripts = Scripts(FOLDER)
