"""
The repository, as git has it: what is asked of it, and the one step that changes it.

A release is a commit that is made beside the work tree, and an annotated tag on it. Until `publish` nothing that
anybody sees has changed; `publish` moves the branch and makes the tag in one transaction, and then brings the work tree
along.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

GIT_TIMEOUT_S = 60
UNDER_WAY = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "BISECT_LOG", "rebase-merge", "rebase-apply")
"""What git keeps while somebody merges, picks, reverts, bisects or rebases."""

FOREIGN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE", "GIT_PREFIX")
"""What a hook, or another git around this one, would lead to another repository by."""


class GitFailed(Exception):
    """git refused; the text is what it was asked and what it said."""


class Repository:
    """The repository whose work tree is *root*."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def git(self, *arguments: str, given: str | None = None, environ: Mapping[str, str] | None = None) -> str:
        """Return what git prints, without the last line's end. Raises GitFailed."""
        return self._run(*arguments, given=given, environ=environ).removesuffix("\n")

    def _run(self, *arguments: str, given: str | None, environ: Mapping[str, str] | None) -> str:
        environment = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        # Messages are shown to a person, and never asked for in an editor or a terminal.
        environment |= {"LC_ALL": "C", "GIT_EDITOR": "false", "GIT_TERMINAL_PROMPT": "0", **(environ or {})}
        try:
            done = subprocess.run(
                ["git", *arguments], cwd=self.root, env=environment, input=given, capture_output=True,
                encoding="utf-8", timeout=GIT_TIMEOUT_S, check=False,
            )  # fmt: skip
        except FileNotFoundError as error:
            raise GitFailed("git is not installed") from error
        except subprocess.TimeoutExpired as error:
            raise GitFailed(f"git {arguments[0]} took over {GIT_TIMEOUT_S} s") from error
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip() or f"it ended with {done.returncode}"
            raise GitFailed(f"git {arguments[0]}: {said}")
        return done.stdout

    def tells(self, *arguments: str) -> bool:
        """Return whether git ends well: for questions that it answers by its status."""
        try:
            self.git(*arguments)
        except GitFailed:
            return False
        return True

    def head(self) -> str:
        return self.git("rev-parse", "--verify", "HEAD^{commit}")

    def branch(self) -> str | None:
        """Return the branch that is checked out, None for a commit without one."""
        name = self.git("rev-parse", "--abbrev-ref", "HEAD")
        return None if name == "HEAD" else name

    def resolved(self, name: str) -> str | None:
        """Return the commit that *name* leads to, None where there is none."""
        try:
            return self.git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        except GitFailed:
            return None

    def changes(self) -> list[str]:
        """Return what differs from HEAD or is in no commit, as `git status --short` prints it."""
        return self.git("status", "--porcelain", "--untracked-files=all").splitlines()

    def under_way(self) -> list[str]:
        """Return what of UNDER_WAY somebody has begun."""
        paths = self.git("rev-parse", *(part for name in UNDER_WAY for part in ("--git-path", name))).splitlines()
        return [name for name, path in zip(UNDER_WAY, paths, strict=True) if (self.root / path).exists()]

    def commits_behind(self) -> int:
        """Return how many commits of the branch's upstream, as it was fetched last, are not in HEAD; 0 without one."""
        if not self.tells("rev-parse", "--verify", "--quiet", "@{upstream}"):
            return 0
        return int(self.git("rev-list", "--count", "HEAD..@{upstream}"))

    def texts(self, commit: str, paths: Iterable[str]) -> dict[str, str]:
        """Return path -> text of *paths* as *commit* has them, "" for one that it has not."""
        found, names = {}, list(paths)
        given = "".join(f"{commit}:{path}\n" for path in names)
        replies = self._run("cat-file", "--batch", given=given, environ=None).encode()
        for path in names:
            # `<id> blob <bytes>`, then the text and a line's end; or `<what was asked> missing`.
            head, _, replies = replies.partition(b"\n")
            if head.endswith(b" missing"):
                found[path] = ""
                continue
            size_bytes = int(head.rpartition(b" ")[2])
            found[path], replies = replies[:size_bytes].decode(), replies[size_bytes + 1 :]
        return found

    def subject(self, commit: str) -> str:
        return self.git("log", "-1", "--format=%s", commit)

    def commit(self, parent: str, files: Mapping[str, str], message: str) -> str:
        """Return a commit on *parent* with *files*, path -> text, changed. No branch has it, nor the work tree."""
        with _index() as index:
            own = {"GIT_INDEX_FILE": index}
            self.git("read-tree", parent, environ=own)
            blobs = {path: self.git("hash-object", "-w", "--stdin", given=text) for path, text in files.items()}
            # `<mode> blob <id>\t<path>`; what is executable stays that.
            listed = self.git("ls-tree", "--full-tree", parent, "--", *files).splitlines()
            modes = {line.partition("\t")[2]: line.partition(" ")[0] for line in listed}
            lines = "".join(f"{modes[path]} {blob}\t{path}\n" for path, blob in blobs.items())
            self.git("update-index", "--index-info", given=lines, environ=own)
            tree = self.git("write-tree", environ=own)
        return self.git("commit-tree", tree, "-p", parent, "-F", "-", given=message)

    def tag(self, commit: str, name: str, message: str) -> str:
        """Return an annotated tag of *commit*, an object that nothing names yet."""
        tagger = self.git("var", "GIT_COMMITTER_IDENT")
        return self.git("mktag", given=f"object {commit}\ntype commit\ntag {name}\ntagger {tagger}\n\n{message}\n")

    def publish(self, branch: str, old: str, new: str, tag: str, tagged: str) -> None:
        """
        Move *branch* from *old* to *new* and let *tag* name the object *tagged*: both or neither. Then bring the work
        tree along, which held *old*.

        Raises:   GitFailed: the branch is not at *old* any more, or the tag is there; nothing has changed.
        """
        steps = ["start", f"update refs/heads/{branch} {new} {old}", f"create refs/tags/{tag} {tagged}"]
        self.git("update-ref", "-m", f"release: {tag}", "--stdin", given="\n".join([*steps, "prepare", "commit", ""]))
        self.follow(old, new)

    def move(self, branch: str, old: str, new: str) -> None:
        """Move *branch* from *old* to *new*, and bring the work tree along. Raises GitFailed: it is not at *old*."""
        self.git("update-ref", "-m", "release: finished", f"refs/heads/{branch}", new, old)
        self.follow(old, new)

    def follow(self, old: str, new: str) -> None:
        """Bring index and work tree, which hold *old*, to *new*. Raises GitFailed: somebody changed a file."""
        self.git("read-tree", "-m", "-u", old, new)

    def holds(self, commit: str) -> bool:
        """Return whether index and work tree are those of *commit*, whatever HEAD is."""
        self.tells("update-index", "-q", "--refresh")
        return self.tells("diff-index", "--quiet", "--cached", commit) and self.tells("diff-files", "--quiet")


@contextmanager
def _index() -> Iterator[str]:
    """The path of an index of its own, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="wt-release-") as folder:
        yield str(Path(folder, "index"))
