"""Shows the result of one image, as scripts get it from `S2CLIP`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from ..planes import Scope, take_target
from ..targets import TargetResult
from .show import Shown, show_result

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from ..planes import Plane, Target
    from ..results import Segmentation

__all__ = ["add_segmentation"]


def add_segmentation(
    viewer: ViewerModel,
    layer: Image,
    result: Segmentation,
    *,
    plane: Plane | None = None,
    target: Target | None = None,
    edited: Literal["keep", "merge"] = "keep",
    probabilities: bool = False,
) -> Shown:
    """Show a result as three Labels layers: coarse, regions and refined.

    They cover the whole image, and results of other slices are added to them. See
    `show_result` for what happens to layers of an earlier run.

    Parameters
    ----------
    viewer : ViewerModel
    layer : Image
        The segmented image; it need not be in the viewer any more.
    result : Segmentation
    plane : Plane, optional
        What was segmented; by default what is shown of ``layer`` now.
    target : Target, optional
        The same with the place of the whole image; ``plane`` takes that from ``layer``
        as it is now.
    edited : {"keep", "merge"}
        What is done with layers that were edited by hand.
    probabilities : bool
        Whether an Image layer is added for each class.

    Returns
    -------
    Shown
        The layers by stage.

    Raises
    ------
    ValueError
        If the result has another size than the plane.
    """
    if target is None:
        target = _target_of(viewer, layer, plane)
    shape = result.coarse.shape
    if shape != target.plane_shape:
        raise ValueError(
            f"result: its maps are {shape} px but the plane of {layer.name!r} is "
            f"{target.plane_shape} px; segment the image again"
        )
    whole = TargetResult.of(result, target)
    if not probabilities:
        whole = replace(whole, probabilities=None)
    return show_result(viewer, layer, whole, edited=edited)


def _target_of(viewer: ViewerModel, layer: Image, plane: Plane | None) -> Target:
    if plane is None:
        return take_target(viewer, layer)
    levels = list(layer.data) if layer.multiscale else [layer.data]
    for level, data in enumerate(levels):
        if data is plane.source.data:
            target = take_target(viewer, layer, Scope(level=level))
            return replace(target, planes=(plane,))
    raise ValueError(
        f"plane: {layer.name!r} has got other data since; give the target instead"
    )
