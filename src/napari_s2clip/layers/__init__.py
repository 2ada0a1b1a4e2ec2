"""The one place that builds or updates napari layers."""

from .entry import KEY, STAGES, class_names, is_ours
from .history import apply_edit
from .imported import add_item, layers_of
from .outputs import OutputSet, is_edited, outputs_of
from .reopened import Picture, add_results, remove_results
from .restore import restore_layers
from .saved import belongs_to, collect_annotations
from .segmentation import add_segmentation
from .show import Shown, show_result
from .tell import apply_classes
from .training import image_of, objects_of, training_data
from .training_data import Objects, TrainingData

__all__ = [
    "KEY",
    "STAGES",
    "Objects",
    "OutputSet",
    "Picture",
    "Shown",
    "TrainingData",
    "add_item",
    "add_results",
    "add_segmentation",
    "apply_classes",
    "apply_edit",
    "belongs_to",
    "class_names",
    "collect_annotations",
    "image_of",
    "is_edited",
    "is_ours",
    "layers_of",
    "objects_of",
    "outputs_of",
    "remove_results",
    "restore_layers",
    "show_result",
    "training_data",
]
