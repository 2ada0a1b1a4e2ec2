"""Which images a job is about: files, folders, patterns and lists of them."""

from __future__ import annotations

import glob
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

from ..io.open_image import is_folder_of_pixels
from ..progress import CancelToken

__all__ = ["IMAGE_SUFFIXES", "OWN_FOLDER", "Input", "find_inputs", "read_list"]

OWN_FOLDER: Final = ".s2clip"
"""Where a job keeps its journal, in the folder of its results."""

IMAGE_SUFFIXES: Final = (
    *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".gif", ".jp2"),
    *(".pgm", ".ppm", ".npy", ".lsm"),
)
"""Endings of the files that are taken from a folder."""

_DOUBLE: Final = (".ome.tif", ".ome.tiff", ".ome.zarr")


@dataclass(frozen=True)
class Input:
    """An image of a job.

    Attributes
    ----------
    path : Path
    name : str
        Of its results: their stem, after the folder with slashes that they lie in.
    """

    path: Path
    name: str

    @property
    def folder(self) -> str:
        """The folder of its results in that of the job; empty for that itself."""
        return str(PurePosixPath(self.name).parent).removeprefix(".")

    @property
    def stem(self) -> str:
        """First part of the names of its results."""
        return self.name.rpartition("/")[2]


def read_list(path: Path) -> list[Path]:
    """Paths in a text file, one a line, relative to the file.

    Raises
    ------
    OSError
    ValueError
        If it is no text; the message names the file.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError(
            f"{path}: it is no text in UTF-8; write one path a line"
        ) from None
    return [
        path.parent / line.strip()
        for line in lines
        if line.strip() and not line.lstrip().startswith("#")
    ]


def find_inputs(
    given: Sequence[str | Path],
    *,
    without: Path | None = None,
    cancel: CancelToken | None = None,
) -> list[Input]:
    """The images that are meant, each once, in order.

    Parameters
    ----------
    given : sequence of str or Path
        Files; folders, of which all images in all of their folders are taken; patterns
        such as ``photos/**/*.tif``.
    without : Path, optional
        A folder that is left out, that of the results.
    cancel : CancelToken, optional

    Returns
    -------
    list of Input
        Images of a folder are named by where they lie in it. Names that would be the
        same get their extensions, or the folders in which they differ. A file that is
        not there is among them: its turn comes, and it is reported.

    Raises
    ------
    ValueError
        If a folder or a pattern holds no image, or a folder is that of the results.
    Cancelled
    """
    cancel = CancelToken() if cancel is None else cancel
    left_out = without.resolve() if without is not None else None
    found: dict[str, Input] = {}
    for one in given:
        for item in _expand(Path(one), left_out, cancel):
            cancel.raise_if_cancelled()
            found.setdefault(_place(item.path), item)
    return _told_apart(list(found.values()))


def _expand(path: Path, left_out: Path | None, cancel: CancelToken) -> Iterator[Input]:
    if is_folder_of_pixels(path):
        yield Input(path, _stem(path.name))
    elif path.is_dir():
        if path.resolve() == left_out:
            # The next job could not tell the images from the results.
            raise ValueError(
                f"{path}: the results would lie among the images; choose another "
                "folder for them"
            )
        files = _of_folder(path, left_out, cancel)
        own = (path / OWN_FOLDER).exists()
        what = "it is a folder of results or a dataset" if own else "no image is in it"
        yield from _some(files, path, f"{path}: {what}")
    elif not path.exists() and glob.has_magic(str(path)):
        base, pattern = _split(path)
        matches = (
            match
            for match in sorted(base.glob(pattern))
            if not match.name.startswith(".")
            and (not match.is_dir() or is_folder_of_pixels(match))
        )
        yield from _some(matches, base, f"{path}: no file is called so")
    else:
        yield Input(path, _stem(path.name))


def _some(paths: Iterable[Path], base: Path, otherwise: str) -> Iterator[Input]:
    """Inputs named by where they lie in a folder."""
    empty = True
    for path in paths:
        empty = False
        inside = path.relative_to(base)
        yield Input(path, (inside.parent / _stem(inside.name)).as_posix())
    if empty:
        raise ValueError(f"{otherwise}; choose another one")


def _of_folder(
    folder: Path, left_out: Path | None, cancel: CancelToken
) -> Iterator[Path]:
    """Images in a folder and its folders, but no results of jobs, in order."""
    cancel.raise_if_cancelled()
    with os.scandir(folder) as entries:
        inside = sorted(entries, key=lambda entry: entry.name)
    if any(entry.name == OWN_FOLDER for entry in inside):
        return
    for entry in inside:
        path = Path(entry.path)
        if entry.name.startswith(".") or entry.name.endswith(OWN_FOLDER):
            continue
        if entry.is_dir():
            if is_folder_of_pixels(path):
                yield path
            elif left_out is None or path.resolve() != left_out:
                yield from _of_folder(path, left_out, cancel)
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            yield path


def _split(pattern: Path) -> tuple[Path, str]:
    """The folder that a pattern begins with, and the rest of it."""
    parts = pattern.parts
    first = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return Path(*parts[:first]), str(Path(*parts[first:]))


def _stem(name: str) -> str:
    lower = name.lower()
    for ending in _DOUBLE:
        if lower.endswith(ending) and len(name) > len(ending):
            return name[: -len(ending)]
    return Path(name).stem


def _told_apart(items: list[Input]) -> list[Input]:
    """Inputs whose names differ, also where upper and lower case do not count."""
    for rename in (_with_extension, _with_folders):
        same = defaultdict(list)
        for number, item in enumerate(items):
            same[item.name.casefold()].append(number)
        for numbers in same.values():
            if len(numbers) > 1:
                several = [items[n] for n in numbers]
                for number, item in zip(numbers, rename(several), strict=True):
                    items[number] = item
    return items


def _with_extension(items: list[Input]) -> list[Input]:
    endings = {item.path.suffix.casefold() for item in items}
    if len(endings) < len(items):
        return items
    return [replace(item, name=f"{item.name}_{item.path.suffix[1:]}") for item in items]


def _with_folders(items: list[Input]) -> list[Input]:
    """Named by where they lie in the folder that holds all of them."""
    paths = [item.path.resolve() for item in items]
    try:
        base = os.path.commonpath([path.parent for path in paths])
    except ValueError:  # several drives
        raise ValueError(
            f"the results of {items[0].path} and {items[1].path} would have the same "
            "names; run them into different folders"
        ) from None
    return [
        Input(item.path, path.relative_to(base).as_posix().replace(".", "_"))
        for item, path in zip(items, paths, strict=True)
    ]


def _place(path: Path) -> str:
    return os.path.normcase(path.resolve())
