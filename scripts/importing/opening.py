"""
Which source is meant by --from and --source.

    openai-agents          redis://…, or a file of SQLiteSession
    langchain              redis://…
    agent-memory-server    redis://…
    assistants             https://api.openai.com/v1 with the ids of --threads or --only, or a file or folder
    warmthread             https://…, another Warmthread; a folder of scripts/export is not opened here (restoring.py)
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.importing.api import Api
from scripts.importing.source import Source, SourceError
from scripts.local.signals import Stop

KINDS = ("openai-agents", "langchain", "agent-memory-server", "assistants", "warmthread")
OPENAI_URL = "https://api.openai.com/v1"


class Wanted(NamedTuple):
    """What is asked for. *where* is the address or the path, *key* opens it, *prefix* begins its keys."""

    kind: str
    where: str
    key: str
    prefix: str
    threads: str
    only: Sequence[str]
    patience_s: float


def opened(wanted: Wanted, stop: Stop) -> Source:
    """Return the source. Raises SourceError."""
    if wanted.prefix and (wanted.kind in ("assistants", "warmthread") or not _is_address(wanted.where)):
        raise SourceError("--prefix is for keys of Redis")
    if wanted.threads and wanted.kind != "assistants":
        raise SourceError("--threads is for assistants")
    return OPENERS[wanted.kind](wanted, stop)


def _openai_agents(wanted: Wanted, _stop: Stop) -> Source:
    from scripts.importing.openai_agents import RedisSessions, SQLiteSessions

    where = _required(wanted, "redis://… or a file")
    return RedisSessions(where, wanted.prefix) if _is_address(where) else SQLiteSessions(Path(where))


def _langchain(wanted: Wanted, _stop: Stop) -> Source:
    from scripts.importing.langchain import Histories

    return Histories(_required(wanted, "redis://…"), wanted.prefix)


def _agent_memory_server(wanted: Wanted, _stop: Stop) -> Source:
    from scripts.importing.agent_memory_server import WorkingMemories

    return WorkingMemories(_required(wanted, "redis://…"), wanted.prefix)


def _assistants(wanted: Wanted, stop: Stop) -> Source:
    from scripts.importing.assistants import BETA, ThreadFiles, Threads, read_ids

    where = wanted.where or OPENAI_URL
    if not _is_address(where):
        if wanted.threads:
            raise SourceError("--threads is for the API: files name their threads themselves")
        return ThreadFiles(Path(where))
    ids = read_ids(Path(wanted.threads)) if wanted.threads else list(wanted.only)
    if not ids:
        raise SourceError("the API lists no threads: name their ids by --threads FILE, one a line, or by --only")
    return Threads(_api(wanted, where, stop, BETA), ids)


def _warmthread(wanted: Wanted, stop: Stop) -> Source:
    from scripts.importing.warmthread import Conversations

    return Conversations(_api(wanted, _required(wanted, "https://…"), stop, {}))


def _api(wanted: Wanted, url: str, stop: Stop, headers: Mapping[str, str]) -> Api:
    if not wanted.key:
        raise SourceError("the source needs a key: --source-key, or the variable that --help names")
    try:
        return Api(url, wanted.key, stop=stop, patience_s=wanted.patience_s, headers=headers)
    except ValueError as error:
        raise SourceError(str(error)) from None


def _required(wanted: Wanted, form: str) -> str:
    if not wanted.where:
        raise SourceError(f"--source is needed: {form}")
    return wanted.where


def _is_address(where: str) -> bool:
    return "://" in where


OPENERS: Mapping[str, Callable[[Wanted, Stop], Source]] = {
    "openai-agents": _openai_agents,
    "langchain": _langchain,
    "agent-memory-server": _agent_memory_server,
    "assistants": _assistants,
    "warmthread": _warmthread,
}
