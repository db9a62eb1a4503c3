"""
What scripts/dev says when it has started: each line that begins with `curl` works as it stands.

Answers travel as they are for every client; the lines printed here indent them, for a person to read.
"""

import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

BODY = '{"items":[{"role":"user","content":"Hello"}]}'
DOCUMENTS = Path(".warmthread", "documents")
EXAMPLE = "hello.md"
JSON_TYPE = '-H "Content-Type: application/json"'

NOT_FIRST = """\
Another scripts/dev runs, and scripts/keys goes on using its store. For the store of this one:
{} scripts/keys …
"""


class Announcement:
    """The lines about one running server at *url*, for the holder of *key*."""

    def __init__(self, url: str, key: str, tenant: str) -> None:
        self._url = url
        self._key = key
        self._tenant = tenant
        python = "python3" if shutil.which("python3") else shlex.quote(sys.executable)
        self._indented = f"| {python} -m json.tool --no-ensure-ascii"

    def start(self) -> str:
        return (
            f"Warmthread runs at {self._url}\nAPI key: {self._key}\nDashboard: {self._url}/dashboard\n\n"
            f"{self._curl('/v1/conversations', self._key)} {JSON_TYPE} -d '{BODY}' {self._indented}\n"
        )

    def documents(self, environ: Mapping[str, str]) -> str:
        """Return where documents are, with an example where that is a folder."""
        location = environ.get("WARMTHREAD_DOCUMENTS_URL") or str(DOCUMENTS.absolute())
        location = location.removeprefix("file://")
        if "://" in location:
            return f"Documents of this key: {location.rstrip('/')}/{self._tenant}/\n"
        folder = Path(location).absolute() / self._tenant
        quoted = shlex.quote(str(folder))
        return (
            f"Documents of this key are the text files in {folder}\n"
            f"mkdir -p {quoted} && echo 'A document says hello.' >{shlex.quote(str(folder / EXAMPLE))}\n"
            f"{self._curl(f'/v1/documents/{EXAMPLE}', self._key)}\n"
        )

    def operations(self, made: Mapping[str, str]) -> str:
        """Return how to try crons, change notices and metrics; *made*: the secrets that were made for this run."""
        change = f'{{"changes":[{{"path":"{self._tenant}/{EXAMPLE}"}}]}}'
        calls = {
            "CRON_SECRET": ("/api/cron/sweep", self._indented),
            "WARMTHREAD_CHANGES_SECRET": ("/v1/changes", f"{JSON_TYPE} -d '{change}' {self._indented}"),
            "WARMTHREAD_METRICS_SECRET": ("/api/metrics", ""),
        }
        lines = ["Crons, change notices and metrics, each with a secret of its own:"]
        for name, (path, rest) in calls.items():
            # A secret that was set is its owner's: it is named, not shown.
            lines.append(f"{name}={made[name]}" if name in made else f"{name}: as it was set")
            lines.append(f"{self._curl(path, made.get(name, f'${name}'))} {rest}".rstrip())
        return "\n".join(lines) + "\n"

    def _curl(self, path: str, bearer: str) -> str:
        return f'curl -s {self._url}{path} -H "Authorization: Bearer {bearer}"'
