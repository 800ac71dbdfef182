"""How the Hub of the tests answers: the part of its protocol that the client needs to publish and to fetch."""

from __future__ import annotations

import base64
import json
import re
import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from tests.unit.hub.server import Blob, Commit, Hub, Repository, User

NAME = r"(?P<repo>[^/]+/[^/]+)"
MODEL = rf"/api/models/{NAME}"
LICENSES = ["apache-2.0", "mit", "cc-by-4.0"]  # of the many that the Hub knows
SHOWN_WHOLE = 10 << 20  # bytes beyond which a file goes to LFS whatever its name


class Refused(Exception):
    """An answer that says no: a status, and what the headers say of it."""

    def __init__(self, status: int, message: str, code: str | None = None):
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


class Answers(BaseHTTPRequestHandler):
    """Answers one request after the other on a connection."""

    protocol_version = "HTTP/1.1"
    server: Hub  # type: ignore[assignment]

    def do_GET(self) -> None:
        request = f"{self.command} {unquote(self.path)}"
        self.server.requests.append(request)
        early = self.server.fault_of(request, late=False)
        self.body = self._read(half=early is not None and early.status == 0)
        self.server.let_others_act(request)
        if early is not None:
            self._fail(early.status)
            return
        try:
            with self.server.lock:
                status, headers, content = self._answer()
        except Refused as refused:
            told = {"X-Error-Message": refused.message, **({"X-Error-Code": refused.code} if refused.code else {})}
            status, headers, content = refused.status, told, json.dumps({"error": refused.message}).encode()
        late = self.server.fault_of(request, late=True)
        if late is not None:
            self._fail(late.status)
            return
        self._send(status, headers, content)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the screen."""

    def _read(self, half: bool) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
                if half:
                    break
            else:
                self.rfile.readline()
            return b"".join(parts)
        length = int(self.headers.get("Content-Length", 0))
        return self.rfile.read(length // 2 if half else length)

    def _fail(self, status: int) -> None:
        if status:
            self._send(status, {}, b"")
            return
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _answer(self) -> tuple[int, dict[str, str], bytes]:
        url = urlsplit(self.path)
        self.query = parse_qs(url.query)
        for method, pattern, answer in ROUTES:
            found = re.fullmatch(pattern, url.path)
            if found and self.command in method:
                given = {name: unquote(value) for name, value in found.groupdict().items() if value is not None}
                made = answer(self, **given)
                return made if isinstance(made, tuple) else (200, {}, json.dumps(made).encode())
        raise Refused(404, "no such page")

    @property
    def user(self) -> User | None:
        """Who asks; None for nobody."""
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token not in self.server.users:
            raise Refused(401, "Invalid credentials in Authorization header")
        return self.server.users.get(token)

    def writer(self, owner: str) -> None:
        """Refuses who may not write to what belongs to an owner."""
        user = self.user
        if user is None:
            raise Refused(401, "Invalid username or password.")
        if user.role == "read" or owner not in (user.name, *user.groups):
            raise Refused(403, f"You don't have the rights to write to {owner}.")

    def repository(self, repo: str, write: bool = False) -> Repository:
        """A repository that the user may read, or write to."""
        owner, user = repo.partition("/")[0], self.user
        found = self.server.repositories.get(repo)
        if found is None or (found.private and (user is None or owner not in (user.name, *user.groups))):
            raise Refused(404 if user else 401, "Repository not found", "RepoNotFound")
        if write:
            self.writer(owner)
        return found

    def at(self, repo: str, revision: str) -> Commit:
        """A commit of a repository."""
        commit = self.repository(repo).find(revision)
        if commit is None:
            raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return commit

    @property
    def json(self) -> Any:
        """The body of the request."""
        return json.loads(self.body or b"{}")


def alive(asked: Answers) -> Any:
    return {}


def who(asked: Answers) -> Any:
    user = asked.user
    if user is None:
        raise Refused(401, "Invalid username or password.")
    groups = [{"type": "org", "name": name} for name in user.groups]
    return {"type": "user", "name": user.name, "orgs": groups, "auth": {"accessToken": {"role": user.role}}}


def validate(asked: Answers) -> Any:
    told = yaml.safe_load(asked.json["content"].split("---")[1]) or {}
    if told.get("license", LICENSES[0]) not in LICENSES:
        fault = f'"license" must be one of {LICENSES}'
        return 400, {}, json.dumps({"error": fault, "errors": [{"message": fault}]}).encode()
    return {"errors": [], "warnings": []}


def create(asked: Answers) -> Any:
    wanted = asked.json
    user = asked.user
    repo = f"{wanted['organization'] or (user.name if user else '')}/{wanted['name']}"
    asked.writer(repo.partition("/")[0])
    url = f"{asked.server.endpoint}/{repo}"
    if repo in asked.server.repositories:
        return 409, {}, json.dumps({"error": "You already created this model repo", "url": url}).encode()
    made = asked.server.repositories[repo] = Repository(private=wanted.get("visibility") == "private")
    first = {".gitattributes": asked.server.store(b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n", lfs=False)}
    asked.server.commit(made, "main", "initial commit", first)
    return {"url": url, "name": repo}


def info(asked: Answers, repo: str, revision: str = "main") -> Any:
    commit = asked.at(repo, revision)
    files = [{"rfilename": name} for name in sorted(commit.files)]
    private = asked.repository(repo).private
    return {"id": repo, "modelId": repo, "sha": commit.oid, "private": private, "tags": [], "siblings": files}


def may(asked: Answers, repo: str, write: str | None = None) -> Any:
    asked.repository(repo, write=write is not None)
    return {}


def tree(asked: Answers, repo: str, revision: str, path: str = "") -> Any:
    files = asked.at(repo, revision).files
    listed = [_entry(name, blob) for name, blob in sorted(files.items()) if name.startswith(f"{path}/" if path else "")]
    if path and not listed:
        raise Refused(404, f"{path} does not exist", "EntryNotFound")
    return listed


def paths(asked: Answers, repo: str, revision: str) -> Any:
    files = asked.at(repo, revision).files
    return [_entry(name, files[name]) for name in asked.json["paths"] if name in files]


def _entry(name: str, blob: Blob) -> dict[str, Any]:
    lfs = {"lfs": {"oid": blob.sha256, "size": blob.size, "pointerSize": 130}} if blob.lfs else {}
    return {"type": "file", "path": name, "size": blob.size, "oid": blob.git, **lfs}


def preupload(asked: Answers, repo: str, revision: str) -> Any:
    found = asked.repository(repo, write=True).find(revision)
    known = found.files if found else {}
    told = []
    for file in asked.json["files"]:
        lfs = file["path"].endswith(".safetensors") or file["size"] > SHOWN_WHOLE
        blob = known.get(file["path"])
        oid = None if blob is None else blob.sha256 if blob.lfs else blob.git
        mode = "lfs" if lfs else "regular"
        told.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
    return {"files": told}


def batch(asked: Answers, repo: str) -> Any:
    asked.repository(repo, write=True)
    told = []
    for wanted in asked.json["objects"]:
        upload = {"upload": {"href": f"{asked.server.endpoint}/storage/{wanted['oid']}"}}
        there = (asked.server.blobs / wanted["oid"]).is_file()
        told.append({**wanted, **({} if there else {"actions": upload})})
    return {"transfer": "basic", "objects": told}


def upload(asked: Answers, oid: str) -> Any:
    if asked.server.store(asked.body, lfs=True).sha256 != oid:
        raise Refused(400, "what came is not what was announced")
    return {}


def commit(asked: Answers, repo: str, revision: str) -> Any:
    repository = asked.repository(repo, write=True)
    before = asked.at(repo, revision)
    rows = [json.loads(line) for line in asked.body.splitlines()]
    header = next(row["value"] for row in rows if row["key"] == "header")
    if header.get("parentCommit", before.oid) != before.oid:
        raise Refused(412, "A commit has happened since. Please refresh and try again.")
    files = dict(before.files)
    for row in rows:
        value = row["value"]
        if row["key"] == "file":
            files[value["path"]] = asked.server.store(base64.b64decode(value["content"]), lfs=False)
        elif row["key"] == "lfsFile":
            stored = asked.server.blobs / value["oid"]
            if not stored.is_file():
                raise Refused(400, f"{value['path']} was never uploaded")
            files[value["path"]] = asked.server.store(stored.read_bytes(), lfs=True)
        elif row["key"] == "deletedFile":
            del files[value["path"]]
    made = asked.server.commit(repository, revision, header["summary"], files)
    return {"commitUrl": f"{asked.server.endpoint}/{repo}/commit/{made.oid}", "commitOid": made.oid}


def branch(asked: Answers, repo: str, branch: str) -> Any:
    branches = asked.repository(repo, write=True).branches
    if branch in branches:
        raise Refused(409, "Reference already exists")
    else:
        branches[branch] = [asked.at(repo, asked.json.get("startingPoint", "main"))]
    return {}


def resolve(asked: Answers, repo: str, revision: str, path: str) -> Any:
    found = asked.at(repo, revision)
    blob = found.files.get(path)
    told = {"X-Repo-Commit": found.oid}
    if blob is None:
        raise Refused(404, "Entry not found", "EntryNotFound")
    content = asked.server.read(blob)
    told |= {"ETag": f'"{blob.sha256 if blob.lfs else blob.git}"', "Accept-Ranges": "bytes"}
    told |= {"Content-Type": "application/octet-stream"}
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", asked.headers.get("Range", ""))
    if wanted is None:
        return 200, told, content
    first, last = int(wanted[1]), int(wanted[2] or len(content) - 1)
    return 206, {**told, "Content-Range": f"bytes {first}-{last}/{len(content)}"}, content[first : last + 1]


ROUTES: list[tuple[str, str, Callable[..., Any]]] = [
    ("HEAD", "/?", alive),
    ("GET", "/api/whoami-v2", who),
    ("POST", "/api/validate-yaml", validate),
    ("POST", "/api/repos/create", create),
    ("GET", MODEL, info),
    ("GET", rf"{MODEL}/revision/(?P<revision>[^/]+)", info),
    ("GET", rf"{MODEL}/auth-check(?P<write>/write)?", may),
    ("GET", rf"{MODEL}/tree/(?P<revision>[^/]+)(?:/(?P<path>.+))?", tree),
    ("POST", rf"{MODEL}/paths-info/(?P<revision>[^/]+)", paths),
    ("POST", rf"{MODEL}/preupload/(?P<revision>[^/]+)", preupload),
    ("POST", rf"{MODEL}/commit/(?P<revision>[^/]+)", commit),
    ("POST", rf"{MODEL}/branch/(?P<branch>[^/]+)", branch),
    ("POST", rf"/{NAME}\.git/info/lfs/objects/batch", batch),
    ("PUT", r"/storage/(?P<oid>[0-9a-f]{64})", upload),
    ("HEAD GET", rf"/{NAME}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", resolve),
]
"""Methods, the path, and the function that answers."""
