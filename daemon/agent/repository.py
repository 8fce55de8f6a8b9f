"""The throw-away clone in which an agent works, and git's word on what it did. Runs git, and nothing else.

Git's own directory of what is compared and committed lies where the agent never is: whatever it writes into the
clone's `.git` (hooks, filters, settings that name programs) is moved away unread. Of the developer's repository only
the new branch and its objects are written.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tocsin.daemon.agent.acceptance import LARGEST, LINK, REPOSITORY, ChangedFile
from tocsin.daemon.failure import Failed

TIMEOUT = 300.0
"""Seconds for one answer of git."""
HISTORY = 100
"""Commits that the agent can look at."""
FILES = 5000
"""Changed files that are looked at."""
TRAILER = "Tocsin-Try"
_PLAIN = (
    "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.quotepath=false",
    "-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "log.showSignature=false", "-c", "commit.gpgSign=false",
    "-c", "protocol.allow=never", "-c", "protocol.file.allow=always", "-c", "core.excludesFile=/dev/null",
    "-c", "core.attributesFile=/dev/null", "-c", "core.logAllRefUpdates=false",
)  # fmt: skip


class RepositoryError(Failed):
    """Git cannot do it; the text says why."""


class Made(NamedTuple):
    """A commit and its diff against the revision, paths relative to the project."""

    revision: str
    diff: bytes


class Repository:
    """A developer's repository, at one revision. Raises RepositoryError, as every method does."""

    def __init__(self, project: Path, revision: str) -> None:
        if not project.is_dir():
            raise RepositoryError(f"{project} is no directory; name the project's (--project)")
        try:
            inside = _git(project, "rev-parse", "--show-toplevel", "--show-prefix") or b""
        except RepositoryError as error:
            raise RepositoryError(
                f"{project.resolve()} is no git repository that can be used, and the agent works on a branch of one "
                f"(--project): {error}"
            ) from None
        top, prefix = inside.decode("utf-8", "surrogateescape").split("\n")[:2]
        self.project = project
        self.top = Path(top)
        self.prefix = prefix.rstrip("/")
        """The project's directory within the repository, "" for all of it."""
        found = _git(
            project, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", quiet=True
        )  # fmt: skip
        if not found:
            raise RepositoryError(f"there is no commit {revision!r} in {self.top} (--revision)")
        self.base = found.decode("ascii").strip()

    def branches(self) -> dict[str, str]:
        """The branches below `tocsin/`, each with the number of the try that made it, '' for another's."""
        form = f"%(refname:lstrip=2)%00%(contents:trailers:key={TRAILER},valueonly)%00"
        found = _git(self.top, "for-each-ref", f"--format={form}", "refs/heads/tocsin/") or b""
        parts = found.decode("utf-8", "surrogateescape").split("\0")
        return {parts[at].strip(): parts[at + 1].strip() for at in range(0, len(parts) - 1, 2)}

    def fetch(self, clone: Clone, branch: str, *, replace: bool = False) -> None:
        """Brings the clone's commit into the repository, as that branch."""
        spec = f"{'+' if replace else ''}{Clone.REF}:refs/heads/{branch}"
        _git(
            self.top, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance",
            "--no-recurse-submodules", str(clone.directory), spec,
        )  # fmt: skip

    def drop(self, branch: str, revision: str) -> None:
        """Deletes a branch that is still at that commit."""
        _git(self.top, "update-ref", "-d", f"refs/heads/{branch}", revision)

    def push(self, remote: str, branch: str) -> None:
        """Pushes the branch as its user would, with the user's own settings."""
        spec = f"refs/heads/{branch}:refs/heads/{branch}"
        _git(self.top, "push", "--quiet", remote, spec, plain=False)


class Clone:
    """One throw-away clone below `scratch`, which the caller removes."""

    REF = "refs/heads/correction"

    def __init__(self, repository: Repository, scratch: Path) -> None:
        self._repository = repository
        self.directory = scratch / "git"
        """Git's own directory: never where the agent is."""
        self.desk = scratch / "agent"
        """All that the agent is shown."""
        self.tree = self.desk / "project"
        self._aside = scratch / "aside"
        self._made = scratch / "made"

    @property
    def project(self) -> Path:
        """The project's directory, as the agent edits it."""
        return self.tree / self._repository.prefix

    def prepare(self) -> None:
        """Makes the clone at the revision, with some of its history."""
        own, base = self._repository, self._repository.base
        self.desk.mkdir(parents=True)
        _git(self.desk, "init", "--quiet", "--bare", "--template=", str(self.directory))
        objects = _git(own.top, "rev-parse", "--path-format=absolute", "--git-path", "objects") or b""
        (self.directory / "objects" / "info").mkdir(parents=True, exist_ok=True)
        (self.directory / "objects" / "info" / "alternates").write_bytes(objects)
        shallow = _git(own.top, "rev-parse", "--path-format=absolute", "--git-path", "shallow") or b""
        if (known := Path(os.fsdecode(shallow.rstrip(b"\n")))).is_file():
            shutil.copyfile(known, self.directory / "shallow")
        self._own("update-ref", self.REF, base)
        # By the file:// transport: a hard link would let the agent write into the developer's own objects.
        _git(
            self.desk, "clone", "--quiet", "--template=", "--no-tags", "--single-branch", f"--depth={HISTORY}",
            "--branch", self.REF.rpartition("/")[2], f"file://{self.directory}", str(self.tree),
        )  # fmt: skip
        for words in (("remote", "remove", "origin"), ("config", "core.hooksPath", "/dev/null")):
            _git(self.tree, *words)
        if not self.project.is_dir():
            raise RepositoryError(f"revision {base[:12]} has no directory {self._repository.prefix!r}")

    def changed(self) -> list[ChangedFile]:
        """What is different now; a link in the clone's place or a repository in it is said as such a file."""
        if (odd := self._odd()) is not None:
            return [odd]
        (self.tree / ".git").rename(self._aside)
        base = self._repository.base
        self._own("read-tree", base)
        self._own("add", "--all", "--", ".")
        raw = self._own("diff-index", "--cached", "--raw", "-z", "--no-renames", "--no-abbrev", base)
        fields = raw.decode("utf-8", "surrogateescape").split("\0")
        pairs = list(zip(fields[::2], fields[1::2], strict=False))
        return [self._file(about, path) for about, path in pairs[:FILES]]

    def commit(self, message: str, author: str) -> Made:
        """Commits what `changed` saw, and writes it into `made`."""
        base = self._repository.base
        tree = self._own("write-tree").decode("ascii").strip()
        name = " ".join(author.replace("<", "").replace(">", "").split()) or "agent"
        who = {
            f"GIT_{role}_{key}": value
            for role in ("AUTHOR", "COMMITTER")
            for key, value in (("NAME", name), ("EMAIL", "agent@tocsin.invalid"))
        }
        made = self._own(
            "commit-tree", tree, "-p", base, "-F", "-", given=message.encode("utf-8", "replace"), more=who
        )
        revision = made.decode("ascii").strip()
        self._own("update-ref", self.REF, revision)
        relative = f"--relative={self._repository.prefix}" if self._repository.prefix else "--no-relative"
        diff = self._own(
            "diff-tree", "-p", "-M", "--no-commit-id", relative, "--no-ext-diff", "--no-textconv", "--no-color",
            "--src-prefix=a/", "--dst-prefix=b/", base, revision,
        )  # fmt: skip
        return Made(revision, diff)

    def export(self) -> Path:
        """A directory with the project as it was committed, without what the agent left besides."""
        self._made.mkdir()
        self._own("checkout-index", "--all", "--force", f"--prefix={self._made}/")
        return self._made / self._repository.prefix

    def _odd(self) -> ChangedFile | None:
        """A link where the clone should be, or a repository within it: git would follow either."""
        if self.tree.is_symlink() or not self.tree.is_dir() or not (self.tree / ".git").is_dir():
            return ChangedFile(".git", LINK, 0, None, None)
        for directory, names, files in os.walk(self.tree):
            here = Path(directory)
            if here == self.tree:
                names[:] = [name for name in names if name != ".git"]
                files = [name for name in files if name != ".git"]
            if any(name.lower() == ".git" for name in (*names, *files)):
                return ChangedFile(str(here.relative_to(self.tree)), REPOSITORY, 0, None, None)
        return None

    def _file(self, about: str, path: str) -> ChangedFile:
        _, mode, old, new, _ = about.split(" ")
        sizes = [self._size(one) for one in (old, new)]
        known = max(sizes) <= LARGEST and mode not in (LINK, REPOSITORY)
        before, after = (self._blob(one) if known else None for one in (old, new))
        return ChangedFile(path, mode, max(sizes), before, after)

    def _size(self, blob: str) -> int:
        if not blob.strip("0"):
            return 0
        return int(self._own("cat-file", "-s", blob, quiet=True) or 0)

    def _blob(self, blob: str) -> bytes | None:
        return self._own("cat-file", "blob", blob) if blob.strip("0") else None

    def _own(
        self, *words: str, given: bytes = b"", more: Mapping[str, str] | None = None, quiet: bool = False
    ) -> bytes:
        where = (f"--git-dir={self.directory}", f"--work-tree={self.tree}")
        return _git(self.desk, *where, *words, given=given, more=more, quiet=quiet) or b""


def _git(
    directory: Path,
    *words: str,
    given: bytes = b"",
    more: Mapping[str, str] | None = None,
    quiet: bool = False,
    plain: bool = True,
) -> bytes | None:
    """Git's answer; None where it refuses and that is an answer (`quiet`). `plain`: no setting names a program."""
    program = shutil.which("git")
    if program is None:
        raise RepositoryError("git is not installed, and the agent works on a branch of a git repository")
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "TOCSIN_", "SMTP_"))
    }
    if plain:
        environ |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_ATTR_NOSYSTEM": "1"}
    environ |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8", **(more or {})}
    settings = _PLAIN if plain else ()
    try:
        done = subprocess.run(  # noqa: S603
            (program, "-C", str(directory), "--no-pager", *settings, *words),
            capture_output=True, input=given, timeout=TIMEOUT, check=False, env=environ,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise RepositoryError(f"git does not answer within {TIMEOUT:.0f} s") from None
    if done.returncode == 0:
        return done.stdout
    if quiet:
        return None
    said = " ".join(done.stderr.decode("utf-8", "replace").split())
    raise RepositoryError(f"git {words[0]}: {said[:500] or f'exit code {done.returncode}'}")
