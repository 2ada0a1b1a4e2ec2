"""Annotations of an image in a folder beside it, ``photo.tif.s2clip``.

``annotations.json`` names the folder that holds the maps and is replaced last, in one
step: whenever a program dies, the annotations are the old ones or the new ones.
"""

from __future__ import annotations

import math
import shutil
import uuid
from pathlib import Path
from typing import Any, Final

import numpy as np
from filelock import Timeout

from ..errors import reason
from .annotations import Annotations, LabelsCopy
from .atomic import replace_text
from .label_files import MakeMap, read_labels, write_labels
from .sidecar_folder import (
    INDEX,
    SUFFIX,
    SidecarChanged,
    SidecarError,
    check_ours,
    locked,
    read_header,
    sidecar_folders,
    tidy,
)
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

_TABLE: Final = "regions.json"


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
        with locked(folder):
            check_ours(folder, replaces)
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
                replace_text(folder / INDEX, text)
            except BaseException:
                shutil.rmtree(maps, ignore_errors=True)
                raise
            tidy(folder, name)
    except Timeout:
        raise SidecarError(
            f"{folder}: another program saves it at this moment; try again"
        ) from None
    except OSError as error:
        raise SidecarError(
            f"{folder}: the annotations were not saved: {reason(error)}", elsewhere=True
        ) from error
    return name


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
                f"{folder / INDEX}: {field}.shape: {list(file.shape)} is more than "
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
            LabelsCopy(
                f.name, read(f, f"copy-{i}", f"copies[{i}]"), f.placement, f.visible
            )
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
