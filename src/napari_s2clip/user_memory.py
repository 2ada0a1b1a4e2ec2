"""What the user last used: classes, model, settings and panels, by project.

A project is the folder of an image file. All of it lies in the configuration folder
(`napari_s2clip.store.places.config_folder`), nothing beside the images.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from .io.atomic import replace_text
from .remembered import Remembered
from .store.places import config_folder

__all__ = ["MAX_PROJECTS", "Remembered", "UserMemory", "is_remembering", "project_of"]

log = logging.getLogger(__name__)

VERSION: Final = 1
MAX_PROJECTS: Final = 200
"""Projects that are remembered; those not used for longest make room."""

_MAX_FILE: Final = 32 * 1024**2  # bytes; 65,534 classes take a quarter of it
_PATIENCE: Final = 5.0  # seconds to wait for another window that is writing
_OFF: Final = frozenset({"0", "off", "no", "false"})


def is_remembering(preference: bool = True) -> bool:
    """Whether anything is remembered.

    Parameters
    ----------
    preference : bool
        What the user chose; ``NAPARI_S2CLIP_REMEMBER=0`` switches it off in any case.
    """
    given = os.environ.get("NAPARI_S2CLIP_REMEMBER", "").strip().casefold()
    return preference and given not in _OFF


def project_of(image: str | Path | None) -> str:
    """The folder of an image file or address; empty for an image without one."""
    if not image:
        return ""
    if "://" in str(image):
        return str(image).rstrip("/").rpartition("/")[0]
    return str(Path(image).expanduser().resolve().parent)


class UserMemory:
    """A folder with a file for each project, and one for what was used last anywhere.

    Several windows may use it at once: of two that write, the later one wins. Nothing
    here raises `OSError`; what went wrong is told in one line.

    Parameters
    ----------
    folder : Path, optional
        The user's configuration folder if not given.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = config_folder() if folder is None else folder

    def recall(self, image: str | Path | None = None) -> tuple[Remembered | None, str]:
        """What was used last in the project of an image, else anywhere.

        Parameters
        ----------
        image : str or Path, optional
            File of the image.

        Returns
        -------
        remembered : Remembered or None
            None where nothing is known.
        note : str
            One line about what could not be used; else empty.
        """
        notes: list[str] = []
        project = project_of(image)
        places = [self._file(project)] if project else []
        for path in (*places, self._file("")):
            content = self._read(path, notes)
            if content is not None:
                found, dropped = Remembered.from_dict(content)
                if dropped:
                    notes.append(f"{path}: not used: {'; '.join(dropped)}")
                return found, "; ".join(notes)
        return None, "; ".join(notes)

    def remember(self, image: str | Path | None, used: Remembered) -> str:
        """Write down what is used in the project of an image, and anywhere.

        Returns
        -------
        str
            Empty, or one line that says why it could not be written.

        Raises
        ------
        ValueError
            If ``used.panel`` is not plain data, or too large.
        """
        content = {"version": VERSION, **used.to_dict()}
        project = project_of(image)
        notes: list[str] = []
        try:
            self._projects.mkdir(parents=True, exist_ok=True)
            with self._lock():
                for name in {project, ""}:
                    path = self._file(name)
                    # Whatever is there and not ours to replace moves aside.
                    self._read(path, notes, locked=True)
                    text = json.dumps(
                        {**content, "folder": name}, indent=1, ensure_ascii=False
                    )
                    replace_text(path, _storable(text))
                self._make_room()
        except Timeout:
            return f"{self.folder}: another window keeps it busy; try again"
        except OSError as error:
            return (
                f"{self.folder}: what was used cannot be remembered "
                f"({error.strerror or error}); make it writable, or set "
                "NAPARI_S2CLIP_CONFIG to another folder"
            )
        return "; ".join(notes)

    def forget(self) -> str:
        """Remove everything that is remembered; one line if that fails."""
        if not self.folder.is_dir():
            return ""
        try:
            with self._lock():
                for path in (*self._projects.glob("*.json"), self._file("")):
                    path.unlink(missing_ok=True)
        except OSError as error:  # a lock that another window holds, too
            return f"{self.folder}: it cannot be emptied ({error.strerror or error})"
        return ""

    @property
    def _projects(self) -> Path:
        return self.folder / "projects"

    def _lock(self) -> FileLock:
        return FileLock(self.folder / "memory.lock", timeout=_PATIENCE)

    def _file(self, project: str) -> Path:
        if not project:
            return self.folder / "last.json"
        name = hashlib.sha256(project.encode("utf-8", "surrogatepass")).hexdigest()
        return self._projects / f"{name[:32]}.json"

    def _read(
        self, path: Path, notes: list[str], *, locked: bool = False
    ) -> dict[str, Any] | None:
        """Content of a file; None if there is none, or it had to be put aside."""
        try:
            return _parse(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            notes.append(f"{path}: it cannot be read ({error.strerror or error})")
            return None
        except ValueError as error:
            problem = str(error)
        try:
            with contextlib.nullcontext() if locked else self._lock():
                aside = _aside(path)
        except OSError:  # a lock that another window holds, too
            notes.append(f"{path}: {problem}; it is not used")
            return None
        if aside is not None:
            notes.append(f"{path}: {problem}; it is now {aside.name}")
        return None

    def _make_room(self) -> None:
        files = sorted(
            (path.stat().st_mtime_ns, path) for path in self._projects.glob("*.json")
        )
        for _, path in files[: max(0, len(files) - MAX_PROJECTS)]:
            path.unlink(missing_ok=True)


def _parse(path: Path) -> dict[str, Any]:
    if path.stat().st_size > _MAX_FILE:
        raise ValueError(f"it is larger than {_MAX_FILE} bytes")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):  # also what is no UTF-8
        raise ValueError("it is damaged") from None
    if not isinstance(content, dict):
        raise ValueError("it is damaged")
    if content.get("version") != VERSION:
        raise ValueError(
            f"version {content.get('version')!r} is not {VERSION}, which is read here"
        )
    return content


def _aside(path: Path) -> Path | None:
    """Give a file another name, one that is free; None if it is sound by now."""
    try:
        _parse(path)
    except FileNotFoundError:
        return None
    except ValueError:
        pass
    else:  # another window was faster
        return None
    number = 1
    while True:
        ending = ".damaged" if number == 1 else f".damaged-{number}"
        aside = path.with_name(path.name + ending)
        if not aside.exists():
            path.rename(aside)
            return aside
        number += 1


def _storable(text: str) -> str:
    """Folders may have names that are no Unicode; they are only for people here."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
