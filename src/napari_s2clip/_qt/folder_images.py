"""Images of a folder of results in the dock: they save themselves, on their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..layers import collect_annotations

if TYPE_CHECKING:
    from napari.layers import Image

    from ..io.annotations import Annotations
    from .folder_panel import FolderPanel
    from .review_panel import ReviewPanel

__all__ = ["FolderImages"]


class FolderImages:
    """What was made of an image of a folder, also while another one is chosen.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    folder : FolderPanel
    review : ReviewPanel
    """

    def __init__(self, viewer: Any, folder: FolderPanel, review: ReviewPanel) -> None:
        self._viewer, self._folder, self._review = viewer, folder, review
        self._decisions: tuple[Image | None, dict[str, Any]] = (None, {})

    def keep(self, shown: Image | None, chosen: Image | None) -> None:
        """Keep the decisions on an image before the review shows another one.

        Parameters
        ----------
        shown, chosen : Image or None
            What the panels show, and will show.
        """
        mine = self._folder.layer
        if mine is not None and shown is mine is not chosen:
            self._decisions = mine, self._review.state()

    def collect(self, layer: Image, chosen: Image | None) -> Annotations:
        """Annotations of an image of the folder; another one may be chosen."""
        if chosen is layer:
            self._decisions = layer, self._review.state()
        of, review = self._decisions
        return collect_annotations(
            self._viewer, layer, review=review if of is layer else {}
        )
