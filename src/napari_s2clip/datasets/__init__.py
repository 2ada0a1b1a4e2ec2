"""Training data out and in: a labelled image is an `Item`, a folder of them a dataset.

`DatasetWriter` adds images to a folder, in one of `FORMATS`; each of these also reads.
"""

from .coco import Coco
from .format import SPLITS, DatasetError, Format, Record
from .huggingface import HuggingFace
from .instances import Instance, connected, from_ids
from .item import Item
from .ome_zarr import OmeZarr
from .panoptic import Panoptic
from .semantic import SemanticPNG
from .tiff import Tiff
from .tile import tiled
from .voc import Voc
from .writer import DatasetWriter, ItemExistsError, Report, split_of
from .yolo import Yolo

__all__ = [
    "FORMATS",
    "SPLITS",
    "Coco",
    "DatasetError",
    "DatasetWriter",
    "Format",
    "HuggingFace",
    "Instance",
    "Item",
    "ItemExistsError",
    "OmeZarr",
    "Panoptic",
    "Record",
    "Report",
    "SemanticPNG",
    "Tiff",
    "Voc",
    "Yolo",
    "connected",
    "from_ids",
    "split_of",
    "tiled",
]

FORMATS: dict[str, type[Format]] = {
    form.name: form
    for form in (Coco, Panoptic, Yolo, Voc, SemanticPNG, Tiff, HuggingFace, OmeZarr)
}
"""Formats by name; their fields are options."""
