"""A Hub on loopback that speaks to the real client: users, repositories, branches, commits, LFS, downloads, faults.

    with hub(folder) as server:
        subprocess.run(["hfft", "push", run, "me/model"], env={**os.environ, **server.environment})
        server.files("me/model")["config.json"]

What the client asks for and this does not know is answered with 404. Xet is switched off in `environment`: its storage
speaks a protocol of its own, while LFS is plain HTTP.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path

TOKEN = "hf_aTokenThatOpensNothing"


@dataclass(frozen=True)
class User:
    """Who a token belongs to, and whether it may write."""

    name: str
    role: str = "write"
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Blob:
    """A file as it is stored: by the SHA-256 of what it holds."""

    sha256: str
    size: int
    lfs: bool

    git: str
    """What git calls it; of a file in LFS that is the name of a pointer, which only has to be the same each time."""


@dataclass(frozen=True)
class Commit:
    """A commit: its name, its title, and all files of the repository."""

    oid: str
    title: str
    files: dict[str, Blob]


@dataclass
class Repository:
    """The commits of each branch, oldest first."""

    private: bool = False
    branches: dict[str, list[Commit]] = field(default_factory=dict)

    def find(self, revision: str) -> Commit | None:
        """The commit that a branch or the name of a commit stands for."""
        if revision in self.branches:
            return self.branches[revision][-1]
        return next((c for commits in self.branches.values() for c in commits if c.oid == revision), None)


@dataclass
class Fault:
    """What goes wrong with requests whose `METHOD path` is found by a pattern.

    Attributes:
        pattern: A regular expression.
        status: The answer instead; 0 cuts the connection: in the middle of what is sent, if `late` is False.
        late: The request is carried out, and only its answer is lost.
        times: How often.
        seen: How often it has struck.
    """

    pattern: str
    status: int = 0
    late: bool = False
    times: int = 1000
    seen: int = 0


@dataclass
class Meanwhile:
    """What somebody else does once, just before a request whose `METHOD path` is found by a pattern is answered."""

    pattern: str
    act: Callable[[], None]


class Hub(ThreadingHTTPServer):
    """The server, and all that it holds. Files lie in a folder."""

    daemon_threads = True

    def __init__(self, folder: Path):
        from tests.unit.hub.answers import Answers

        super().__init__(("127.0.0.1", 0), Answers)
        self.folder = folder
        self.blobs = folder / "blobs"
        self.blobs.mkdir(parents=True)
        self.users = {TOKEN: User("me")}
        self.repositories: dict[str, Repository] = {}
        self.faults: list[Fault] = []
        self.meanwhile: list[Meanwhile] = []
        self.requests: list[str] = []
        self.lock = threading.RLock()

    def forget(self) -> None:
        """Lets go of all repositories, faults and requests; `me` may write, and nobody else."""
        for each in (self.faults, self.meanwhile, self.requests, self.repositories):
            each.clear()
        self.users = {TOKEN: User("me")}

    @property
    def endpoint(self) -> str:
        """The address, for HF_ENDPOINT."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which a process takes this for the Hub, logged in as `me`."""
        return {
            "HF_ENDPOINT": self.endpoint,
            "HF_HOME": str(self.folder / "home"),
            "HF_TOKEN": TOKEN,
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }

    def put(self, repo: str, files: dict[str, bytes], title: str = "initial commit", branch: str = "main") -> None:
        """Makes a commit of files, which are then all that the branch has; the repository is made where it is not."""
        with self.lock:
            kept = {name: self.store(content, lfs=name.endswith(".safetensors")) for name, content in files.items()}
            self.commit(self.repositories.setdefault(repo, Repository()), branch, title, kept)

    def files(self, repo: str, revision: str = "main") -> dict[str, bytes]:
        """What a repository holds, by name."""
        commit = self.repositories[repo].find(revision)
        assert commit is not None
        return {name: self.read(blob) for name, blob in commit.files.items()}

    def titles(self, repo: str, branch: str = "main") -> list[str]:
        """The titles of a branch's commits, oldest first."""
        return [commit.title for commit in self.repositories[repo].branches[branch]]

    def read(self, blob: Blob) -> bytes:
        """What a file holds."""
        return (self.blobs / blob.sha256).read_bytes()

    def store(self, content: bytes, lfs: bool) -> Blob:
        """Keeps what a file holds."""
        sha256 = hashlib.sha256(content).hexdigest()
        (self.blobs / sha256).write_bytes(content)
        told = sha256.encode() if lfs else content
        git = hashlib.sha1(b"blob %d\0" % len(told) + told).hexdigest()
        return Blob(sha256, len(content), lfs, git)

    def commit(self, repository: Repository, branch: str, title: str, files: dict[str, Blob]) -> Commit:
        """Adds a commit to a branch."""
        before = repository.branches.setdefault(branch, [])
        told = [len(before), branch, title, before[-1].oid if before else "", sorted(files.items())]
        made = Commit(hashlib.sha1(repr(told).encode()).hexdigest(), title, files)
        before.append(made)
        return made

    def let_others_act(self, request: str) -> None:
        """Lets happen what others do before a request."""
        with self.lock:
            for other in [other for other in self.meanwhile if re.search(other.pattern, request)]:
                self.meanwhile.remove(other)
                other.act()

    def fault_of(self, request: str, late: bool) -> Fault | None:
        """What goes wrong with a request, if anything does."""
        with self.lock:
            for fault in self.faults:
                if fault.late == late and fault.seen < fault.times and re.search(fault.pattern, request):
                    fault.seen += 1
                    return fault
        return None

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that was cut is no error here."""


@contextmanager
def hub(folder: Path) -> Iterator[Hub]:
    """Runs a Hub that keeps its files in a folder."""
    with Hub(folder) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
