"""Annotations of an image in a folder beside it, ``photo.tif.s2clip``.

``annotations.json`` names the folder that holds the maps and is replaced last, in one
step: whenever a program dies, the annotations are the old ones or the new ones.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import math
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from filelock import FileLock, Timeout

from ..store.places import config_folder
from .annotations import Annotations, LabelsCopy
from .atomic import replace_text
from .image_record import is_address
from .label_files import MakeMap, read_labels, write_labels
from .sidecar_format import (
    MAX_HEADER,
    Header,
    LabelFile,
    describe,
    read_table,
    table_text,
)

__all__ = [
    "SUFFIX",
    "SidecarChanged",
    "SidecarError",
    "load_annotations",
    "read_header",
    "save_annotations",
    "sidecar_folders",
]

SUFFIX: Final = ".s2clip"
_INDEX: Final = "annotations.json"
_TABLE: Final = "regions.json"
_LOCK: Final = ".lock"
_MAPS: Final = re.compile(r"maps-[0-9a-f]{12}")
_PATIENCE: Final = 30.0  # seconds to wait for another program that saves

_REASONS: Final = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "your share of the disk is full; free some of it",
    errno.ENAMETOOLONG: "its name is too long here; choose another folder",
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM, errno.EROFS),
        "it may not be written to; choose another folder",
    ),
}


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


def save_annotations(
    annotations: Annotations,
    folder: str | Path,
    *,
    replaces: str | None = None,
) -> str:
    """Save annotations in a folder of their own.

    What was there before stays until everything new is on the disk. Other files in the
    folder are never touched.

    Parameters
    ----------
    annotations : Annotations
        With `Annotations.image`.
    folder : str or Path
        One of `sidecar_folders`, or any other that is empty or a sidecar.
    replaces : str, optional
        What was last read or saved there, as this function returned it, or empty for
        nothing; by default whatever is there.

    Returns
    -------
    str
        Stands for what was saved.

    Raises
    ------
    SidecarChanged
        If something else than ``replaces`` is there.
    SidecarError
        If the folder holds anything but a sidecar, or one of a newer version, or it
        cannot be written.
    ValueError
        If the annotations are not as described.
    """
    folder = Path(folder)
    name = f"maps-{uuid.uuid4().hex[:12]}"
    header = describe(annotations, name)
    text = header.model_dump_json(indent=1)
    if len(text) > MAX_HEADER // 4:
        raise ValueError(f"annotations: they take {len(text)} characters, too many")
    table = annotations.region_table
    table_json = None if table is None else table_text(table)
    try:
        with _locked(folder):
            _check_ours(folder, replaces)
            maps = folder / name
            maps.mkdir()
            try:
                for key, file in header.maps.items():
                    write_labels(maps / f"{key}{file.suffix}", annotations.maps[key])
                for key, file in header.written.items():
                    data = annotations.written[key]
                    write_labels(maps / f"written-{key}{file.suffix}", data)
                for number, file in enumerate(header.copies):
                    data = annotations.copies[number].data
                    write_labels(maps / f"copy-{number}{file.suffix}", data)
                if table_json is not None:
                    replace_text(maps / _TABLE, table_json)
                replace_text(folder / _INDEX, text)
            except BaseException:
                shutil.rmtree(maps, ignore_errors=True)
                raise
            _tidy(folder, name)
    except Timeout:
        raise SidecarError(
            f"{folder}: another program saves it at this moment; try again"
        ) from None
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, f"{error.strerror or error}")
        raise SidecarError(
            f"{folder}: the annotations were not saved: {reason}", elsewhere=True
        ) from error
    return name


def read_header(folder: str | Path) -> Header | None:
    """What a sidecar says about itself, without its maps; None if there is none.

    Raises
    ------
    SidecarError
        If it cannot be read, is damaged, or of a newer version.
    """
    path = Path(folder) / _INDEX
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


def load_annotations(
    folder: str | Path, *, pixels: int | None = None, make: MakeMap = np.zeros
) -> Annotations:
    """Read annotations. The arrays are copies: changing them changes no file.

    Parameters
    ----------
    folder : str or Path
    pixels : int, optional
        Of the image that they shall belong to. Larger maps are refused; by default
        those larger than the image that the sidecar names.
    make : callable, optional
        Makes the arrays, ``make(shape, dtype)``; for large ones on disk, say.

    Raises
    ------
    SidecarError
        If there is none, it is damaged, or does not hold what it says.
    """
    folder = Path(folder)
    for _ in range(3):
        header = read_header(folder)
        if header is None:
            raise SidecarError(f"{folder}: there are no annotations")
        try:
            return _load(folder, header, pixels, make)
        except FileNotFoundError as error:
            # Another window may have saved meanwhile.
            missing = error
    raise SidecarError(f"{missing.filename or folder}: the file is missing")


def _load(
    folder: Path, header: Header, pixels: int | None, make: MakeMap
) -> Annotations:
    limit = math.prod(header.image.shape) if pixels is None else pixels
    maps = folder / header.folder

    def read(file: LabelFile, key: str, field: str) -> Any:
        if math.prod(file.shape) > limit:
            raise SidecarError(
                f"{folder / _INDEX}: {field}.shape: {list(file.shape)} is more than "
                f"the {limit} pixels of the image"
            )
        path = maps / f"{key}{file.suffix}"
        try:
            return read_labels(path, file.shape, np.dtype(file.dtype), make)
        except FileNotFoundError:
            raise
        except (OSError, ValueError) as error:
            raise SidecarError(f"{path}: {error}") from error

    table = None
    if header.regions is not None:
        try:
            table = read_table(maps / _TABLE, header.regions)
        except FileNotFoundError:
            raise
        except (OSError, ValueError) as error:
            raise SidecarError(f"{maps / _TABLE}: {error}") from error
    return Annotations(
        classes=header.class_set(),
        maps={key: read(f, key, f"maps.{key}") for key, f in header.maps.items()},
        region_table=table,
        names={key: f.name for key, f in header.maps.items() if f.name},
        edited=tuple(key for key, f in header.maps.items() if f.edited),
        written={
            key: read(f, f"written-{key}", f"written.{key}")
            for key, f in header.written.items()
        },
        details={key: f.details for key, f in header.maps.items() if f.details},
        copies=tuple(
            LabelsCopy(f.name, read(f, f"copy-{i}", f"copies[{i}]"), f.placement)
            for i, f in enumerate(header.copies)
        ),
        placement=header.placement,
        position=tuple(header.position),
        level=header.level,
        settings=header.settings,
        provenance=header.provenance,
        review=header.review,
        image=header.image,
        saved=header.saved,
        software=header.software,
        state=header.folder,
    )


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Make the folder and keep other programs from saving in it."""
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    if not made:
        # Before a lock is put into a folder of something else.
        _check_ours(folder, None)
    try:
        with FileLock(folder / _LOCK, timeout=_PATIENCE):
            yield
    except BaseException:
        if made and not (folder / _INDEX).exists():
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _check_ours(folder: Path, replaces: str | None) -> None:
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


def _tidy(folder: Path, current: str) -> None:
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
