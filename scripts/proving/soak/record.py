"""
What a soak leaves in its folder, from which it goes on when it was stopped.

    options.json     what was asked for
    samples.jsonl    a line a sample: {"leg", "at_s", "day", "requests", "keys", "bytes", "answers", "unexpected",
                     "left_out", "instances": [{"name", "lasts", "leaks", "requests", "resident_bytes", …}]}

Of instances that live through all of it, those that *leak* were made to, and the others, which *last*, are judged.
A leg is what ran in one go: instances and store of the next one are new. *at_s* and *requests* count over all legs,
*answers*, *unexpected* and *left_out* within one. A line that was torn when a run
was killed is as if it had not been written.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from scripts.proving.soak.plan import Options

OPTIONS, SAMPLES = "options.json", "samples.jsonl"

type Sample = Mapping[str, Any]


class Record:
    """The folder of one soak; `samples` are those of all its legs."""

    def __init__(self, folder: Path, options: Options, samples: list[Sample]) -> None:
        self.folder = folder
        self.options = options
        self.samples = samples
        last = samples[-1] if samples else {"leg": -1, "at_s": 0.0, "requests": 0}
        self.leg = int(last["leg"]) + 1
        self.done_s = float(last["at_s"])
        self.requests = int(last["requests"])

    @classmethod
    def begin(cls, folder: Path, options: Options) -> "Record":
        """Raises ValueError: a soak is there already; OSError: it cannot be written there."""
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / OPTIONS).exists():
            raise ValueError(f"{folder} holds a soak already: --resume {folder} goes on with it")
        (folder / OPTIONS).write_bytes(orjson.dumps(asdict(options)) + b"\n")
        return cls(folder, options, [])

    @classmethod
    def resume(cls, folder: Path) -> "Record":
        """Raises ValueError, OSError: there is no soak that was stopped."""
        try:
            options = Options(**orjson.loads((folder / OPTIONS).read_bytes()))
        except FileNotFoundError:
            raise ValueError(f"{folder} holds no soak") from None
        path = folder / SAMPLES
        whole = path.read_bytes().rpartition(b"\n")[0] if path.exists() else b""
        path.write_bytes(whole + b"\n" if whole else b"")
        return cls(folder, options, [orjson.loads(line) for line in whole.splitlines()])

    @property
    def is_whole(self) -> bool:
        return self.done_s >= self.options.seconds - 2 * self.options.sample_s

    def add(self, sample: Sample) -> None:
        self.samples.append(sample)
        self.done_s, self.requests = sample["at_s"], sample["requests"]
        with (self.folder / SAMPLES).open("ab") as file:
            file.write(orjson.dumps(sample) + b"\n")
