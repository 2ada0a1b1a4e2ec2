"""What a server can be told to do wrong."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

ALWAYS = math.inf


@dataclass
class Pause:
    """A place where the server waits until the test lets it go on."""

    reached: threading.Event = field(default_factory=threading.Event)
    """Set once the server waits."""
    go: threading.Event = field(default_factory=threading.Event)

    def resume(self) -> None:
        """Let the server go on."""
        self.go.set()


@dataclass
class Answer:
    """A response before it is sent; a fault may change it."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_file: bool = False
    """Whether the body is a file's, not a redirect's or an error's."""
    cut: int | None = None
    """Close the connection after so many bytes of the body."""
    pace: float | None = None
    """Bytes per second."""
    pauses: list[tuple[int, Pause]] = field(default_factory=list)
    """After how many bytes of the body to wait; before the headers if negative."""


@dataclass
class Fault:
    """A change to the answers of some requests."""

    change: Callable[[Answer], Answer | None]
    method: str | None
    path: str
    times: float
    files_only: bool = True

    def concerns(self, method: str, path: str, answer: Answer) -> bool:
        return (
            self.times > 0
            and self.method in {None, method}
            and self.path in path
            and (answer.is_file or not self.files_only)
        )


class Faults:
    """Faults of a server, one for a request, in the order in which they were added.

    Every fault takes ``times`` (how many requests it changes, or ``ALWAYS``) and
    ``path`` (a part of the requests' path). Faults on files change what a GET of a file
    answers; ``status`` and ``hang`` change any request, or those of one ``method``.
    """

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def cut_after(self, size: int, *, times: float = 1, path: str = "") -> None:
        """Close the connection after ``size`` bytes of the body."""

        def change(answer: Answer) -> None:
            answer.cut = size

        self._add_for_files(change, times, path)

    def corrupt(self, at: int = 0, *, times: float = 1, path: str = "") -> None:
        """Flip the bits of one byte of the body."""

        def change(answer: Answer) -> None:
            body = bytearray(answer.body)
            body[at] ^= 0xFF
            answer.body = bytes(body)

        self._add_for_files(change, times, path)

    def truncate(self, size: int, *, times: float = 1, path: str = "") -> None:
        """Send the first ``size`` bytes, with a Content-Length that agrees."""

        def change(answer: Answer) -> None:
            answer.body = answer.body[:size]

        self._add_for_files(change, times, path)

    def slow(
        self, bytes_per_second: float, *, times: float = ALWAYS, path: str = ""
    ) -> None:
        """Send files slowly, until the server stops."""

        def change(answer: Answer) -> None:
            answer.pace = bytes_per_second

        self._add_for_files(change, times, path)

    def pause_after(self, size: int, *, path: str = "") -> Pause:
        """Wait after ``size`` bytes of the next file, until the test resumes it."""
        pause = Pause()

        def change(answer: Answer) -> None:
            answer.pauses.append((size, pause))

        self._add_for_files(change, 1, path)
        return pause

    def no_ranges(self, *, times: float = ALWAYS, path: str = "") -> None:
        """Answer a Range request with 200 and the whole file."""

        # The server asks for this one by name, before it cuts the range out.
        def change(answer: Answer) -> None:
            answer.headers.pop("Accept-Ranges", None)

        self._add_for_files(change, times, path, method="RANGE")

    def status(
        self,
        code: int,
        times: float = 1,
        retry_after: int | None = None,
        *,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        method: str | None = None,
        path: str = "",
    ) -> None:
        """Answer with a status and nothing else of what was asked for."""
        extra = {} if retry_after is None else {"Retry-After": str(retry_after)}

        def change(answer: Answer) -> Answer:
            return Answer(code, {**extra, **(headers or {})}, body)

        with self._lock:
            self._faults.append(Fault(change, method, path, times, files_only=False))

    def hang(
        self, times: float = 1, *, method: str | None = None, path: str = ""
    ) -> Pause:
        """Accept the request and answer nothing until the test resumes or ends."""
        pause = Pause()

        def change(answer: Answer) -> None:
            answer.pauses.append((-1, pause))

        with self._lock:
            self._faults.append(Fault(change, method, path, times, files_only=False))
        return pause

    def clear(self) -> None:
        """Forget all faults that have not happened yet."""
        with self._lock:
            self._faults.clear()

    def apply(self, method: str, path: str, answer: Answer) -> Answer:
        """Give what to send instead of ``answer``: the next fault that concerns it."""
        with self._lock:
            due = (f for f in self._faults if f.concerns(method, path, answer))
            fault = next(due, None)
            if fault is None:
                return answer
            fault.times -= 1
        return fault.change(answer) or answer

    def _add_for_files(
        self,
        change: Callable[[Answer], None],
        times: float,
        path: str,
        method: str = "GET",
    ) -> None:
        with self._lock:
            self._faults.append(Fault(change, method, path, times))
