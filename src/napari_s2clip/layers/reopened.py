"""An image of a folder of results in the viewer, and out of it again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .entry import our_layers
from .outputs import is_edited, outputs_of
from .restore import restore_layers

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from ..io.annotations import Annotations

__all__ = ["Picture", "add_results", "remove_results"]


@dataclass(frozen=True, eq=False)
class Picture:
    """The pixels of an image, as its layer has them.

    Attributes
    ----------
    data : array_like
        Channels are the first axis.
    rgb : bool
    pixel_size : (float, float) or None
        Height and width.
    """

    data: Any
    rgb: bool = False
    pixel_size: tuple[float, float] | None = None

    def scale(self, ndim: int) -> list[float]:
        """For a layer with so many axes."""
        size = self.pixel_size or (1.0, 1.0)
        return [*[1.0] * (ndim - 2), *size]


def add_results(
    viewer: ViewerModel, name: str, picture: Picture, annotations: Annotations
) -> Image:
    """Show an image and what was made of it, as layers that later runs know as ours.

    Parameters
    ----------
    viewer : ViewerModel
    name : str
    picture : Picture
    annotations : Annotations
        See `restore_layers`.

    Returns
    -------
    Image
        The layer of the image.

    Raises
    ------
    ValueError
        If a layer cannot be made of them; then none is.
    """
    from napari.layers import Image

    ndim = len(picture.data.shape) - int(picture.rgb)
    layer = Image(picture.data, name=name, rgb=picture.rgb, scale=picture.scale(ndim))
    viewer.layers.append(layer)
    count = len(next(iter(annotations.maps.values())).shape)
    placed = replace(annotations, placement={"scale": picture.scale(count)})
    try:
        restore_layers(viewer, layer, placed)
    except ValueError:
        viewer.layers.remove(layer)
        raise
    return layer


def remove_results(viewer: ViewerModel, layer: Image) -> None:
    """Remove an image and what runs made of it.

    Layers of the user stay; so do those that were edited before a later run made others
    beside them.
    """
    kept = {
        labels
        for output in outputs_of(viewer, layer)[1:]
        for labels in output.layers
        if is_edited(labels)
    }
    for other, _ in list(our_layers(viewer, layer)):
        if other not in kept:
            viewer.layers.remove(other)
    if layer in viewer.layers:
        viewer.layers.remove(layer)
