"""Processes that kill themselves at a step of their work; not a test.

A server reads a line of JSON for each piece of work from standard input, forks, lets
the child do it and prints what became of it. Everything is imported before, so a fork
is quick.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Death", "serve"]

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Death:
    """Counts what changes a folder, and kills this process at a step.

    With ``tear``, files may have so many bytes from this step on, so that the process
    is killed in the middle of a larger one.
    """

    def __init__(self, folder: str, step: int | None, tear: int | None) -> None:
        self.folder, self.step, self.tear, self.steps = folder, step, tear, 0

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            changes = isinstance(args[2], int) and args[2] & _WRITES
        else:
            changes = event in {"os.rename", "os.remove", "os.mkdir", "os.rmdir"}
        if not changes or not str(args[0]).startswith(self.folder):
            return
        if self.steps == self.step:
            if self.tear is None:
                os.kill(os.getpid(), signal.SIGKILL)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.tear, self.tear))
        self.steps += 1


def serve(work: Callable[..., Any]) -> None:
    """Do work in forks; ``work`` takes a folder and more, and returns plain data."""
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_fork(work, json.loads(line))) + "\n")
        sys.stdout.flush()


def _fork(work: Callable[..., Any], job: dict[str, Any]) -> dict[str, Any]:
    """The exit code of a child, below 0 for a signal, and what it says."""
    listen, speak = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            death = Death(job["folder"], job.pop("step"), job.pop("tear"))
            sys.addaudithook(death)
            said = work(**job)
            os.write(speak, json.dumps({"said": said, "steps": death.steps}).encode())
            code = 0
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(speak)
    with os.fdopen(listen, "rb") as pipe:
        said = pipe.read()
    status = os.waitpid(child, 0)[1]
    end = {"code": os.waitstatus_to_exitcode(status)}
    return {**end, **(json.loads(said) if said else {})}
