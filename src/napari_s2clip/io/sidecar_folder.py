"""The folder of the annotations of an image: where it is, and whose."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from filelock import FileLock

from ..store.places import config_folder
from .image_record import is_address
from .sidecar_format import MAX_HEADER, Header

__all__ = [
    "INDEX",
    "SUFFIX",
    "SidecarChanged",
    "SidecarError",
    "check_ours",
    "locked",
    "read_header",
    "sidecar_folders",
    "tidy",
]

SUFFIX: Final = ".s2clip"
INDEX: Final = "annotations.json"
_LOCK: Final = ".lock"
_MAPS: Final = re.compile(r"maps-[0-9a-f]{12}")
_PATIENCE: Final = 30.0  # seconds to wait for another program that saves


class SidecarError(ValueError):
    """Why a sidecar cannot be used, in one line.

    Attributes
    ----------
    elsewhere : bool
        Whether another folder would do.
    """

    def __init__(self, message: str, *, elsewhere: bool = False) -> None:
        super().__init__(message)
        self.elsewhere = elsewhere


class SidecarChanged(SidecarError):
    """There are annotations that the caller has not read, or not in this state."""


def sidecar_folders(image: str | Path) -> tuple[Path, ...]:
    """Where annotations of an image file may lie, the preferred place first.

    Beside it, and in the configuration folder, for images in places that cannot be
    written to.
    """
    text = str(image)
    beside: tuple[Path, ...] = ()
    if not is_address(image):
        path = Path(image).expanduser()
        # Of a link, the annotations lie beside the link, where the user sees them.
        text = str(path.absolute())
        beside = (path.absolute().with_name(path.name + SUFFIX),)
    mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    name = text.rstrip("/\\").replace("\\", "/").rpartition("/")[2]
    shown = re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII)[-40:]
    return (*beside, config_folder() / "annotations" / f"{mark}-{shown}{SUFFIX}")


def read_header(folder: str | Path) -> Header | None:
    """What a sidecar says about itself, without its maps; None if there is none.

    Raises
    ------
    SidecarError
        If it cannot be read, is damaged, or of a newer version.
    """
    path = Path(folder) / INDEX
    try:
        if path.stat().st_size > MAX_HEADER:
            raise ValueError(f"it is larger than {MAX_HEADER} bytes")
        return Header.parse(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # then it was not written either
            return None
        raise SidecarError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise SidecarError(f"{path}: {error}") from None


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make the folder and keep other programs from saving in it."""
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    if not made:
        # Before a lock is put into a folder of something else.
        check_ours(folder, None)
    try:
        with FileLock(folder / _LOCK, timeout=_PATIENCE):
            yield
    except BaseException:
        if made and not (folder / INDEX).exists():
            shutil.rmtree(folder, ignore_errors=True)
        raise


def check_ours(folder: Path, replaces: str | None) -> None:
    """Refuse a folder of something else, and annotations that nobody has read.

    ``replaces`` is as in `save_annotations`.
    """
    header = read_header(folder)
    if header is None:
        for path in folder.iterdir():
            if not _is_ours(path):
                raise SidecarError(
                    f"{folder}: it holds other files ({path.name}); choose another "
                    "folder",
                    elsewhere=True,
                )
    found = "" if header is None else header.folder
    if replaces is not None and found != replaces:
        when = "" if header is None else f" of {header.saved.astimezone():%Y-%m-%d}"
        raise SidecarChanged(
            f"{folder}: there are annotations{when} that this window has not read"
            if found
            else f"{folder}: the annotations that were there are gone"
        )


def _is_ours(path: Path) -> bool:
    leftover = path.name.startswith(".") and path.suffix == ".new"
    return bool(path.name == _LOCK or leftover or _MAPS.fullmatch(path.name))


def tidy(folder: Path, current: str) -> None:
    """Remove the maps of before, and what programs that died left behind."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path.name in {current, _LOCK} or not _is_ours(path):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    path.unlink()
