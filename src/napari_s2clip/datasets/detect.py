"""Which format a folder or a file has, found out from its names and a few kilobytes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

__all__ = ["dataset_of", "detect"]

_LOOK: Final = 1 << 18
"""Bytes at both ends of a JSON file that are looked at."""

_KEYS: Final = (b"images", b"annotations", b"categories")


def detect(path: str | Path) -> str | None:
    """Name of the format of a dataset, as `FORMATS` has it; None if it is none.

    Parameters
    ----------
    path : str or Path
        Its folder, or a file of it: an index of COCO, ``data.yaml`` and the like.
        A picture is none, whatever is around it.
    """
    from . import FORMATS

    path = Path(path)
    try:
        name = _of_file(path) if path.is_file() else _of_folder(path)
    except OSError:  # it is gone, or may not be read
        return None
    return name if name in FORMATS else None


def dataset_of(path: str | Path) -> Path:
    """What a format reads: the folder, if a file at its top says what is in it.

    An index of COCO is read alone.
    """
    path = Path(path)
    return _home(path) if path.name in _TOP and path.is_file() else path


def _home(path: Path) -> Path:
    """The dataset of a file at its top, or of the head that we write."""
    folder = path.parent
    return folder.parent if folder.name == ".s2clip" else folder


def _of_file(path: Path) -> str | None:
    if path.name in _TOP:
        return _of_folder(_home(path))
    return _coco(path) if path.suffix.casefold() == ".json" else None


def _of_folder(folder: Path) -> str | None:
    if not folder.is_dir():
        return None
    own = _own(folder)
    if own is not None:
        return own
    return next((name for name, has in _SIGNS.items() if has(folder)), None)


def _own(folder: Path) -> str | None:
    """What we wrote into the head of a dataset."""
    path = folder / ".s2clip" / "dataset.json"
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        found = re.search(rb'"format": "([^"]*)"', stream.read(_LOOK))
    return found[1].decode("utf-8", "replace") if found else None


def _coco(path: Path) -> str | None:
    """Which of the two formats of COCO a file has, by its beginning and its end."""
    with path.open("rb") as stream:
        head = stream.read(_LOOK)
        size = path.stat().st_size
        stream.seek(max(len(head), size - _LOOK))
        tail = stream.read()
    if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return None
    text = head + tail
    if not all(re.search(rb'"%b"\s*:\s*\[' % key, text) for key in _KEYS):
        return None
    if re.search(rb'"segments_info"\s*:', text):
        return "panoptic"
    if re.search(rb'"segmentation"\s*:', text):
        return "coco"
    bare = re.search(rb'"annotations"\s*:\s*\[\s*\]', text)
    return "coco" if bare else None


def _coco_folder(wanted: str) -> Callable[[Path], bool]:
    def has(folder: Path) -> bool:
        return any(_coco(file) == wanted for file in _indexes(folder))

    return has


def _indexes(folder: Path) -> Iterable[Path]:
    for pattern in ("annotations/*.json", "*.json", "*/_annotations.coco.json"):
        yield from sorted(folder.glob(pattern))


def _holds(*names: str) -> Callable[[Path], bool]:
    return lambda folder: all((folder / name).exists() for name in names)


def _listed(folder: Path, sub: str) -> bool:
    """Whether ``classes.json`` is the list of a dataset whose maps are there."""
    file = folder / "classes.json"
    if not (folder / sub).is_dir() or not file.is_file():
        return False
    if file.stat().st_size > 64 * _LOOK:
        return False
    try:
        content = json.loads(file.read_bytes())
    except ValueError:
        return False
    return isinstance(content, dict) and isinstance(content.get("classes"), list)


_SIGNS: Final[dict[str, Callable[[Path], bool]]] = {
    "voc": _holds("SegmentationClass"),
    "yolo": _holds("data.yaml", "labels"),
    "png": lambda folder: _listed(folder, "masks"),
    "tiff": lambda folder: _listed(folder, "labels"),
    "panoptic": _coco_folder("panoptic"),
    "coco": _coco_folder("coco"),
    "hf": lambda folder: (
        any(folder.glob("metadata.jsonl")) or any(folder.glob("*/metadata.jsonl"))
    ),
    "ome-zarr": lambda folder: (
        (folder / "labels" / "classes" / "zarr.json").is_file()
        or any(folder.glob("*.zarr"))
        or any(folder.glob("*/*.zarr"))
    ),
}
"""What folders of formats have that no other has; the first that fits."""

_TOP: Final = frozenset({"data.yaml", "labelmap.txt", "classes.json", "dataset.json"})
