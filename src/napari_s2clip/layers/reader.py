"""Datasets opened by napari itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from ..datasets import FORMATS, DatasetError
from ..datasets.detect import dataset_of, detect

__all__ = ["get_reader"]

_MOST: Final = 100
"""Images that are opened at once."""

LayerData: TypeAlias = tuple[Any, dict[str, Any], str]


def get_reader(path: str | Sequence[str]) -> Callable[..., list[LayerData]] | None:
    """A function that reads what is at a path; None if it is no dataset.

    Only a look is taken. Pictures are never taken, nor is OME-Zarr, which has a reader
    of its own. The manifest names files only: with a reader of folders napari would ask
    which one to take for every folder of pictures that somebody opens.
    """
    if not isinstance(path, str):
        return None
    name = detect(path)
    others = name == "ome-zarr" and Path(path).is_dir()
    return None if name is None or others else read_dataset


def read_dataset(path: str) -> list[LayerData]:
    """Layers of all images of a dataset.

    Raises
    ------
    DatasetError
        If it cannot be read, or has so many images that some should be chosen.
    """
    from .imported import layers_of

    name = detect(path)
    assert name is not None  # it was, a moment ago
    found: list[LayerData] = []
    for count, item in enumerate(FORMATS[name]().read(dataset_of(path))):
        if count == _MOST:
            raise DatasetError(
                f"{path}: it has more than {_MOST} images; choose some on the page "
                "Data of the S2CLIP widget"
            )
        found += [layer.as_layer_data_tuple() for layer in layers_of(item)[0]]
    return found
