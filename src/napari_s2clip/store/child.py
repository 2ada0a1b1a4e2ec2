"""A download in a process of its own, which its parent may end at any moment.

Reads one job as JSON from its standard input and writes events, one JSON object a line,
to its standard output. It ends when its parent does.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from .errors import StoreError
from .https import fetch
from .hub import fetch_from_hub

__all__ = ["main"]


def main() -> int:
    """Run one job; returns the exit code."""
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _run(job)
    except StoreError as error:
        _say(
            "error",
            kind=type(error).__name__,
            file=error.file,
            reason=error.reason,
            remedy=error.remedy,
            address=error.address,
        )
        return 1
    return 0


def _run(job: dict[str, Any]) -> None:
    target, pause = Path(job["target"]), float(job.get("pause", 1.0))
    if job["kind"] == "https":
        part = fetch(
            job["url"], target, on_event=_say, size=int(job["size"]), pause=pause
        )
        _say("done", path=str(part), sha256="")
        return
    path, checksum = fetch_from_hub(
        job["repository"],
        job["filename"],
        target,
        on_event=_say,
        companions=tuple(job["companions"]),
        pause=pause,
    )
    _say("done", path=str(path), sha256=checksum)


def _say(event: str, **facts: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    # The other end of the pipe closes when the parent is gone, however it ended.
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
