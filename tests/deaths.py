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
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Death", "Work", "serve", "server"]

ROOT = Path(__file__).parents[1]

Work = Callable[..., dict[str, Any]]
"""Takes a folder and more, ``step`` and ``tear`` among it; see `Death`."""

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
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.tear, self.tear))
        self.steps += 1


@contextmanager
def server(module: str, folder: Path) -> Iterator[Work]:
    """Work in children of a module that calls `serve`; it may use a folder before."""
    with subprocess.Popen(
        [sys.executable, "-m", module, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:

        def work(folder: Path, **options: Any) -> dict[str, Any]:
            job = {"step": None, "tear": None, "folder": str(folder)} | options
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield work
        process.stdin.close()
        assert process.wait() == 0


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
            # Here, because threads may set no signals.
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
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
