"""A server of plain files, such as SAM's checkpoints."""

from __future__ import annotations

import hashlib
import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

from .faults import Answer, Faults
from .local import LocalServer

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class File:
    """A file as it is served."""

    content: bytes
    modified: datetime = EPOCH

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def etag(self) -> str:
        return f'"{self.sha256}"'

    @property
    def last_modified(self) -> str:
        return format_datetime(self.modified, usegmt=True)


def content_of(content: bytes | Path) -> bytes:
    return content.read_bytes() if isinstance(content, Path) else content


def answer_with_file(
    file: File, method: str, path: str, headers: dict[str, str], faults: Faults
) -> Answer:
    """Answer with a file or the range of it that was asked for."""
    size = len(file.content)
    answer = Answer(
        200,
        {
            "ETag": file.etag,
            "Last-Modified": file.last_modified,
            "Accept-Ranges": "bytes",
            "Content-Type": "application/octet-stream",
        },
        file.content,
        is_file=True,
    )
    wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", headers.get("range", ""))
    if method != "GET" or wanted is None or wanted.groups() == ("", ""):
        return answer
    # A part of another version would be of no use: the client gets the new file.
    if headers.get("if-range", file.etag) not in {file.etag, file.last_modified}:
        return answer
    answer = faults.apply("RANGE", path, answer)
    if "Accept-Ranges" not in answer.headers:
        return answer
    first, last = wanted.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1, size) if first and last else size
    if start >= end:
        return Answer(416, {"Content-Range": f"bytes */{size}"})
    answer.status = 206
    answer.headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    answer.body = file.content[start:end]
    return answer


class FileServer(LocalServer):
    """Serve files below `endpoint`, with ETag, Last-Modified, Range and If-Range."""

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, shared: LocalServer | None = None
    ) -> None:
        self.files: dict[str, File] = {}
        super().__init__(tls=tls, shared=shared)

    def add(self, path: str, content: bytes | Path) -> str:
        """Serve a file and give its URL."""
        self.files["/" + path.lstrip("/")] = File(content_of(content))
        return self.url(path)

    def replace(self, path: str, content: bytes | Path) -> None:
        """Serve another version, an hour newer, from the next request on."""
        old = self.files["/" + path.lstrip("/")]
        newer = old.modified + timedelta(hours=1)
        self.files["/" + path.lstrip("/")] = File(content_of(content), newer)

    def url(self, path: str) -> str:
        return f"{self.endpoint}/{path.lstrip('/')}"

    def answer(self, method: str, path: str, headers: dict[str, str]) -> Answer:
        file = self.files.get(path.partition("?")[0])
        if file is None:
            return Answer(404, {"Content-Type": "text/plain"}, b"not found")
        return answer_with_file(file, method, path, headers, self.faults)
