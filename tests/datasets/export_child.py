"""Exports that kill themselves, for test_killed.py; not a test.

Reads a line of JSON for each export from standard input, forks, lets the child export
and prints what became of it. Everything is imported before, so a fork is quick.
"""

import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

from napari_s2clip import ClassSet
from napari_s2clip.classes import ClassEntry
from napari_s2clip.datasets import FORMATS, DatasetWriter, Item

IMAGES = 12
SHAPE = (40, 56)
CLASSES = ClassSet([ClassEntry("cat", id=3), "große Katze", "sky"])
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def items(version: int) -> list[Item]:
    """Images, and labels in stripes that differ in each version."""
    random = np.random.default_rng(version)
    found = []
    for number in range(IMAGES):
        image = random.integers(0, 256, (*SHAPE, 3), np.uint8)
        cells = np.indices(SHAPE).sum(0) // (5 + number % 7 + 9 * version) % 4
        labels = np.array([0, *CLASSES.ids])[cells]
        name = f"{number % 10} Größe {number}"
        found.append(Item(name, labels, CLASSES, image, source=f"{name}.tif"))
    return found


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


def export(
    folder: str, name: str, version: int, *, overwrite: bool, only_finish: bool
) -> list[str]:
    """Add what is missing, or everything; the names of what was added."""
    writer = DatasetWriter(
        folder, FORMATS[name](), CLASSES, val=0.3, overwrite=overwrite
    )
    added = []
    for item in [] if only_finish else ITEMS[version]:
        if overwrite or item.name not in writer:
            writer.add(item)
            added.append(item.name)
    writer.finish()
    return added


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Fork and export; the signal that ended it, and what the child says."""
    listen, speak = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            # Here, because zarr writes in threads, which may set no signals.
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            death = Death(job["folder"], job.pop("step"), job.pop("tear"))
            sys.addaudithook(death)
            added = export(**job)
            said = json.dumps({"added": added, "steps": death.steps})
            os.write(speak, said.encode())
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(speak)
    with os.fdopen(listen, "rb") as pipe:
        said = pipe.read()
    status = os.waitpid(child, 0)[1]
    end = {"signal": os.WTERMSIG(status), "code": os.waitstatus_to_exitcode(status)}
    return {**end, **(json.loads(said) if said else {})}


if __name__ == "__main__":
    ITEMS = [items(0), items(1)]
    for name, form in FORMATS.items():  # imports what is imported late
        warm = Path(sys.argv[1], f"warm {name}")
        writer = DatasetWriter(warm, form(), CLASSES)
        writer.add(ITEMS[0][0])
        writer.finish()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(json.loads(line))) + "\n")
        sys.stdout.flush()
