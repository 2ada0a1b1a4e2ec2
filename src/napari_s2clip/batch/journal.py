"""What a job has done, a line an image, so that it goes on where it stopped.

``begin`` is written before anything of an image, ``done`` after all of it is on the
disk. A line that was cut off counts for nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Self

from filelock import FileLock, Timeout

from ..closing import Closing
from ..io.atomic import replace_text
from .inputs import OWN_FOLDER, Input

if TYPE_CHECKING:
    from ..classes import ClassSet
    from .job import Job

__all__ = ["Journal", "JournalError", "named", "read_entries", "state_of"]

_JOURNAL: Final = "journal.jsonl"
_JOB: Final = "job.json"


class JournalError(ValueError):
    """The folder cannot be used for this job; one sentence."""


def state_of(path: Path) -> dict[str, int]:
    """What tells that an image was changed: its size and when it was written.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file")
    if path.is_dir():
        names = ("zarr.json", ".zattrs", ".zarray", ".zgroup")
        path = next(path / name for name in names if (path / name).exists())
    about = path.stat()
    return {"size": about.st_size, "mtime_ns": about.st_mtime_ns}


def named(classes: ClassSet) -> dict[str, str]:
    """What label values mean, as an entry says it: names by ids."""
    return {str(entry.id): entry.name for entry in classes}


def read_entries(out: Path) -> dict[str, dict[str, Any]]:
    """The last line of each image in the journal of a folder.

    Raises
    ------
    OSError
    """
    path = out / OWN_FOLDER / _JOURNAL
    entries: dict[str, dict[str, Any]] = {}
    if not path.exists():
        return entries
    with path.open("rb") as stream:
        for line in stream:
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # cut off
            if isinstance(entry, dict) and isinstance(entry.get("name"), str):
                entries[entry["name"]] = entry
    return entries


class Journal(Closing):
    """The journal of a folder of results, open in one program at a time.

    It can be looked at before it is opened. As a context it is open; ``changed`` is
    whether another program has worked on the folder in between.

    Parameters
    ----------
    out : Path
    job : Job

    Raises
    ------
    OSError
        If it cannot be read.
    """

    def __init__(self, out: Path, job: Job) -> None:
        self.out, self.job = out, job
        self.fingerprint = job.fingerprint
        self.entries = read_entries(out)
        self.changed = False
        self._read = self._size()
        self._lock = FileLock(out / OWN_FOLDER / "lock")
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def open(self) -> None:
        """Take the folder, which is made; `changed` tells of other programs.

        Raises
        ------
        JournalError
            If another program works on it.
        OSError
            If it cannot be written.
        """
        own = self.out / OWN_FOLDER
        own.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise JournalError(
                f"{self.out}: another program writes into it at this moment; wait for "
                "it, or choose another folder"
            ) from None
        try:
            self.changed = self._size() != self._read
            if self.changed:
                self.entries = read_entries(self.out)
            replace_text(own / _JOB, json.dumps(self.job.to_dict(), indent=1) + "\n")
            self._file = (own / _JOURNAL).open("ab")
            if self._file.tell():
                self._append(b"\n")  # ends a line that was cut off
        except BaseException:
            self._lock.release()
            raise

    def _size(self) -> int:
        path = self.out / OWN_FOLDER / _JOURNAL
        return path.stat().st_size if path.exists() else 0

    def close(self) -> None:
        """Let another program have the folder."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self._lock.release()

    def is_done(self, item: Input) -> bool:
        """Whether an image was finished by an equal job and has not changed since."""
        entry = self.entries.get(item.name)
        if entry is None or entry.get("event") != "done":
            return False
        if entry.get("job") != self.fingerprint:
            return False
        try:
            if entry.get("state") != state_of(item.path):
                return False
        except OSError:
            return False
        return all((self.out / file).exists() for file in entry.get("files", ()))

    def is_ours(self, item: Input) -> bool:
        """Whether files under its name are from jobs, finished or not."""
        return bool(self.entries.get(item.name, {}).get("ours"))

    def is_of_this_job(self, item: Input) -> bool:
        """Whether what is there is from a job like this one."""
        last = self._finished(item)
        return last is None or last.get("job") == self.fingerprint

    def is_finished(self, item: Input) -> bool:
        """Whether a job has noted all of what is there."""
        return self.entries.get(item.name, {}).get("event") == "done"

    def known_maps(self, item: Input) -> tuple[dict[str, str], ...]:
        """What its maps were known by when jobs wrote them."""
        entry = self.entries.get(item.name, {})
        found = (entry.get("maps"), entry.get("before", {}).get("maps"))
        return tuple(dict(maps) for maps in found if maps)

    def _finished(self, item: Input) -> dict[str, Any] | None:
        """What was noted when it was finished last."""
        entry = self.entries.get(item.name, {})
        return entry if entry.get("event") == "done" else entry.get("before")

    def begin(self, item: Input) -> None:
        """Note that an image is about to be written."""
        self._unfinished(item, {"event": "begin"})

    def _unfinished(self, item: Input, facts: Mapping[str, Any]) -> None:
        entry = self.entries.get(item.name, {})
        kept: dict[str, Any] = {k: entry[k] for k in ("ours", "maps") if k in entry}
        if facts["event"] == "begin":
            kept["ours"] = True
        last = self._finished(item)
        if last is not None and not any(
            (self.out / file).exists() for file in last.get("files", ())
        ):
            last = None  # somebody has removed them
        before = {} if last is None else {"before": last}
        self._note({**facts, "name": item.name, **kept, **before})

    def placed(self, name: str, maps: Mapping[str, str]) -> None:
        """Note maps that were placed, by a program that came no further.

        Parameters
        ----------
        name : str
        maps : mapping of str to str
            What they are known by.
        """
        entry = self.entries[name]
        if entry.get("event") == "done":
            known = entry.get("maps", {})
            if all(known.get(stage) == digest for stage, digest in maps.items()):
                return
            entry = {"event": "begin", "name": name, "ours": True, "before": entry}
        self._note({**entry, "maps": {**entry.get("maps", {}), **maps}})

    def done(
        self, item: Input, state: Mapping[str, int], told: Mapping[str, Any]
    ) -> None:
        """Note that all files of an image are on the disk.

        Parameters
        ----------
        item : Input
        state : mapping
            `state_of` the image before it was read.
        told : mapping
            What `napari_s2clip.batch.one.write` told.
        """
        home = self.out.absolute()  # workers know this one
        files = [Path(f).absolute().relative_to(home).as_posix() for f in told["files"]]
        self._note(
            {
                "event": "done",
                "name": item.name,
                "ours": True,
                "path": str(item.path.absolute()),
                "state": dict(state),
                "job": self.fingerprint,
                "classes": named(self.job.classes),
                **told,
                "files": files,
            }
        )

    def kept(self, item: Input) -> None:
        """Note that the results that an image had are there as before."""
        last = self._finished(item)
        if last is not None and last is not self.entries.get(item.name):
            self._note(last)

    def failed(self, item: Input, reason: str) -> None:
        """Note why there is nothing new of an image."""
        self._unfinished(item, {"event": "failed", "error": reason})

    def _note(self, entry: dict[str, Any]) -> None:
        self._append(json.dumps(entry).encode() + b"\n")
        self.entries[entry["name"]] = entry

    def _append(self, line: bytes) -> None:
        assert self._file is not None
        self._file.write(line)
        self._file.flush()
        os.fsync(self._file.fileno())
