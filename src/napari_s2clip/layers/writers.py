"""Labels layers into datasets by napari's own saving; a function for each format.

``write_coco`` and so on, one a name in `FORMATS`, take what npe2 gives: a path and the
layers as data. COCO and PNG become the file that was named, with images in a folder
beside it; other formats a folder, named as the path without its ending.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..datasets import FORMATS, DatasetWriter
from ..datasets.item import safe_name
from ..errors import reason
from ..io.atomic import replace_text
from .training import training_data

if TYPE_CHECKING:
    from ..datasets import Format
    from .training_data import TrainingData

LayerData: TypeAlias = tuple[Any, dict[str, Any], str]

_WRITE: Final = "write_"


def __getattr__(name: str) -> Callable[[str, Sequence[LayerData]], list[str]]:
    for form in FORMATS:
        if name == _WRITE + form.replace("-", "_"):
            return partial(_write, form)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _write(form: str, path: str, layers: Sequence[LayerData]) -> list[str]:
    """Save a Labels layer, with its image if there is one.

    Parameters
    ----------
    form : str
        Name in `FORMATS`.
    path : str
    layers : sequence of (data, attributes, type)

    Returns
    -------
    list of str
        What was written.

    Raises
    ------
    OSError
        If it cannot be written; says why. napari takes a `ValueError` to mean that
        there is no writer.
    """
    try:
        return [str(p) for p in _saved(form, Path(path), layers)]
    except OSError as error:
        raise OSError(f"{path}: not written: {reason(error)}") from error
    except ValueError as error:
        raise OSError(str(error)) from error


def _saved(form: str, target: Path, layers: Sequence[LayerData]) -> list[Path]:
    data = _data(layers)
    data = replace(data, stem=safe_name(target.name.removesuffix(target.suffix)))
    if form in _SINGLE:
        return _SINGLE[form](target, data)
    folder = target.with_suffix("")
    _dataset(folder, FORMATS[form](), data)
    return [folder]


def _data(layers: Sequence[LayerData]) -> TrainingData:
    """The layers as they are in a viewer, which is only needed for its axes."""
    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Layer

    made = [Layer.create(data, dict(meta), kind) for data, meta, kind in layers]
    labels = [layer for layer in made if isinstance(layer, Labels)]
    images = [layer for layer in made if isinstance(layer, Image)]
    if len(labels) != 1 or len(images) > 1:
        raise ValueError("layers: select one Labels layer, and its image if you like")
    viewer = ViewerModel()
    viewer.layers.extend([*images, *labels])
    return training_data(viewer, labels[0], images[0] if images else None, empty=True)


def _dataset(folder: Path, form: Format, data: TrainingData) -> None:
    writer = DatasetWriter(folder, form, data.classes)
    for item in data:
        writer.add(item)
    writer.finish()


def _coco(path: Path, data: TrainingData) -> list[Path]:
    """The index, and images in the folder of its name beside it."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as scratch:
        home = Path(scratch) / "set"
        _dataset(home, FORMATS["coco"](), data)
        index = home / "annotations" / "instances_train.json"
        content = json.loads(index.read_text(encoding="utf-8"))
        images = _images(home, path)
        for image in content["images"]:
            if images:
                image["file_name"] = f"{images[0].parent.name}/{image['file_name']}"
        replace_text(path, json.dumps(content, ensure_ascii=False) + "\n")
    return [path, *images]


def _png(path: Path, data: TrainingData) -> list[Path]:
    """The label map, or one a slice; beside it the list of classes, and images."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as scratch:
        home = Path(scratch) / "set"
        _dataset(home, FORMATS["png"](), data)
        maps = sorted((home / "masks" / "train").glob("*.png"))
        names = [path.name] if len(maps) == 1 else [file.name for file in maps]
        moved = [
            file.replace(path.with_name(name))
            for file, name in zip(maps, names, strict=True)
        ]
        classes = path.with_name(f"{path.stem}.classes.json")
        (home / "classes.json").replace(classes)
        return [*moved, classes, *_images(home, path)]


def _images(home: Path, path: Path) -> list[Path]:
    """Move the images of a dataset into the folder named as a file without its end."""
    files = sorted((home / "images").glob("*/*"))
    folder = path.with_suffix("")
    if files:
        folder.mkdir(exist_ok=True)
    return [file.replace(folder / file.name) for file in files]


_SINGLE: Final[dict[str, Callable[[Path, TrainingData], list[Path]]]] = {
    "coco": _coco,
    "png": _png,
}
