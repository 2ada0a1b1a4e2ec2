"""A server that speaks as much of the Hugging Face Hub's API as a download needs."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .faults import Answer
from .files import File, FileServer, answer_with_file, content_of
from .local import LocalServer

IN_GIT = {".json", ".md", ".txt"}
"""Files that the Hub keeps in git itself; others lie in the large-file store."""

ROUTE = re.compile(
    r"/api/models/(?P<api>[^/]+/[^/]+)(?:/(?P<kind>revision|tree)/(?P<of>[^/]+)/?.*)?"
    r"|/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)"
)


@dataclass
class Repo:
    """A model's repository: each change of its files is a new commit on ``main``."""

    commits: dict[str, dict[str, File]] = field(default_factory=dict)
    revisions: dict[str, str] = field(default_factory=dict)
    gated: bool = False
    token: str | None = None

    def files(self, revision: str) -> tuple[str, dict[str, File]] | None:
        """Give the commit that a revision means and its files."""
        commit = self.revisions.get(revision, revision)
        return (commit, self.commits[commit]) if commit in self.commits else None


class HubServer(LocalServer):
    """A Hub with models only.

    As on the real one, a large file's address redirects to another host, `blobs`,
    and the redirect carries the file's hash and size. Both share `log` and `faults`.
    """

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        super().__init__()
        self.blobs = FileServer(shared=self)
        self.blobs_endpoint = self.blobs.endpoint
        """Where the redirects point; a test may put a proxy's made-up host here."""

    def stop(self) -> None:
        self.blobs.stop()
        super().stop()

    def add(self, repo: str, filename: str, content: bytes | Path) -> str:
        """Add or change a file, and give the hash of the new commit on ``main``.

        Older commits can still be asked for by their hash.
        """
        file = File(content_of(content))
        entry = self.repos.setdefault(repo, Repo())
        before = entry.files("main")
        files = {**(before[1] if before else {}), filename: file}
        listing = "".join(f"{name} {files[name].sha256}\n" for name in sorted(files))
        commit = hashlib.sha1(f"{repo}\n{listing}".encode()).hexdigest()
        entry.commits[commit] = files
        entry.revisions["main"] = commit
        self.blobs.add(f"blobs/{file.sha256}", file.content)
        return commit

    def tag(self, repo: str, name: str) -> None:
        """Name the present commit of ``main``."""
        self.repos[repo].revisions[name] = self.repos[repo].revisions["main"]

    def blob(self, repo: str, filename: str) -> str:
        """Give the path that a file's address on ``main`` redirects to."""
        repository = self.repos[repo]
        files = repository.commits[repository.revisions["main"]]
        return f"/blobs/{files[filename].sha256}"

    def gate(self, repo: str, token: str | None = None) -> None:
        """Refuse downloads, but to requests with the token."""
        self.repos[repo].gated = True
        self.repos[repo].token = token

    def answer(self, method: str, path: str, headers: dict[str, str]) -> Answer:
        url = urlsplit(path)
        route = ROUTE.fullmatch(unquote(url.path))
        if route is None:
            return Answer(404)
        entry = self.repos.get(route["api"] or route["repo"])
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if entry is None:
            # To a stranger the Hub does not tell a missing repository from a private.
            return _refuse(404 if token else 401, "RepoNotFound")
        found = entry.files(unquote(route["revision"] or route["of"] or "main"))
        if found is None:
            return _refuse(404, "RevisionNotFound")
        commit, files = found
        if route["api"]:
            details = "blobs=true" in url.query.lower()
            if route["kind"] == "tree":
                return _json([_tree_entry(name, files[name]) for name in sorted(files)])
            return _json(_model(route["api"], commit, files, details))
        if entry.gated and (not token or token != entry.token):
            return _refuse(403 if token else 401, "GatedRepo")
        file = files.get(route["file"])
        if file is None:
            return _refuse(404, "EntryNotFound", {"X-Repo-Commit": commit})
        if _in_git(route["file"]):
            answer = answer_with_file(file, method, path, headers, self.faults)
            answer.headers |= {"X-Repo-Commit": commit, "ETag": f'"{_git_hash(file)}"'}
            return answer
        return Answer(
            302,
            {
                "Location": f"{self.blobs_endpoint}/blobs/{file.sha256}",
                "X-Repo-Commit": commit,
                "X-Linked-ETag": file.etag,
                "X-Linked-Size": str(len(file.content)),
                "Accept-Ranges": "bytes",
            },
        )


def _refuse(status: int, code: str, headers: dict[str, str] | None = None) -> Answer:
    """Give an error as the Hub names it in its headers."""
    return Answer(
        status,
        {"X-Error-Code": code, "X-Error-Message": code, **(headers or {})},
        code.encode(),
    )


def _json(content: object) -> Answer:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    return Answer(200, headers, json.dumps(content).encode())


def _in_git(filename: str) -> bool:
    return Path(filename).suffix in IN_GIT


def _git_hash(file: File) -> str:
    header = b"blob %d\0" % len(file.content)
    return hashlib.sha1(header + file.content).hexdigest()


def _model(
    repo: str, commit: str, files: dict[str, File], details: bool
) -> dict[str, object]:
    """Give what the API says about a model, with its files' sizes if asked for."""
    siblings: list[dict[str, object]] = []
    for name in sorted(files):
        sibling: dict[str, object] = {"rfilename": name}
        if details:
            sibling |= {"size": len(files[name].content)}
            sibling |= {"blobId": _git_hash(files[name])}
            if not _in_git(name):
                sibling["lfs"] = _lfs(files[name], "sha256")
        siblings.append(sibling)
    return {
        "_id": "0" * 24,
        "id": repo,
        "modelId": repo,
        "author": repo.partition("/")[0],
        "sha": commit,
        "lastModified": "2024-01-01T00:00:00.000Z",
        "private": False,
        "gated": False,
        "disabled": False,
        "tags": [],
        "downloads": 0,
        "likes": 0,
        "siblings": siblings,
    }


def _tree_entry(name: str, file: File) -> dict[str, object]:
    entry: dict[str, object] = {
        "type": "file",
        "path": name,
        "size": len(file.content),
        "oid": _git_hash(file),
    }
    if not _in_git(name):
        entry["lfs"] = _lfs(file, "oid")
    return entry


def _lfs(file: File, hash_name: str) -> dict[str, object]:
    size = len(file.content)
    return {hash_name: file.sha256, "size": size, "pointerSize": 134}
