"""Training data out and in: a labelled image is an `Item`, a folder of them a dataset.

`DatasetWriter` adds images to a folder, in one of `FORMATS`; each of these also reads.
"""

from .coco import Coco
from .format import SPLITS, DatasetError, Format, Record
from .instances import Instance, connected, from_ids
from .item import Item
from .panoptic import Panoptic
from .tile import tiled
from .writer import DatasetWriter, ItemExistsError, Report, split_of

__all__ = [
    "FORMATS",
    "SPLITS",
    "Coco",
    "DatasetError",
    "DatasetWriter",
    "Format",
    "Instance",
    "Item",
    "ItemExistsError",
    "Panoptic",
    "Record",
    "Report",
    "connected",
    "from_ids",
    "split_of",
    "tiled",
]

FORMATS: dict[str, type[Format]] = {form.name: form for form in (Coco, Panoptic)}
"""Formats by name; their fields are options."""
