"""The image of a folder of results that is in the viewer, with what was made of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from ..layers import add_results, collect_annotations, remove_results
from .annotation_jobs import still
from .annotations_watch import AnnotationsWatch
from .runs import Garbage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..batch.reopen import OpenedResults
    from ..io.annotations import Annotations
    from .folder_work import Loaded

__all__ = ["ShownImage"]


class ShownImage(QObject):
    """Puts one image into the viewer instead of another, and knows what was changed.

    Parameters
    ----------
    viewer : napari.viewer.Viewer

    Attributes
    ----------
    collect : callable
        Gives the `Annotations` of an Image layer as they are now. By default those of
        its layers, with nothing of the panels.
    layer : Image or None
        None if no image is shown.
    opened : OpenedResults or None
        As they were read, or saved last.
    lost : bool
        Whether its pixels are not where they were.
    unsaved : bool
        Whether something was changed since.
    """

    restored = Signal(object)
    """`Annotations` were read and their layers made: classes and review follow."""

    removing = Signal()
    """Somebody removes layers, and all are still there."""

    closing = Signal()
    """The window closes, and all layers are still there."""

    def __init__(self, viewer: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.collect: Callable[[Image], Annotations] = self._collect_layers
        self.layer: Image | None = None
        self.opened: OpenedResults | None = None
        self.lost = self.unsaved = False
        self._remembered: Annotations | None = None
        self._close_file: Callable[[], None] = lambda: None
        self._changing = False
        # napari searches everywhere for each layer that goes, half a second each.
        self._garbage = Garbage()
        self.destroyed.connect(self._garbage.search)
        self._watch = AnnotationsWatch(viewer, self)
        self._watch.edited.connect(self.mark_unsaved)
        self._watch.removing.connect(self._on_removing)
        self._watch.closing.connect(self.closing)

    @property
    def present(self) -> bool:
        """Whether the layer of the image is in the viewer; somebody may remove it."""
        return self.layer is not None and self.layer in self._viewer.layers

    @property
    def savable(self) -> bool:
        """Whether there is something that can be saved."""
        return self.present or self._remembered is not None

    def remember(self) -> None:
        """Keep what was changed as it is now: somebody removes layers."""
        if self.unsaved and self.present:
            self._remembered = self.annotations()

    def mark_unsaved(self, *_: Any) -> None:
        """Something of the image was changed."""
        if self.layer is not None and not self._changing:
            self.unsaved = True

    def follow_window(self, widget: Any) -> None:
        """Hear when the window of a widget closes."""
        self._watch.follow_window(widget)

    def search_garbage(self) -> None:
        """Nothing is opened for a while."""
        self._garbage.search()

    # ------------------------------------------------------------------- viewer

    def show(self, name: str, loaded: Loaded) -> None:
        """Put an image into the viewer instead of the one before.

        Raises
        ------
        ValueError
            If a layer cannot be made; then no image is shown.
        """
        before = self._extent()
        self.leave()
        self._garbage.search()
        self._garbage.wait()
        annotations = loaded.opened.annotations
        try:
            with self._by_ourselves():
                self.layer = add_results(
                    self._viewer, name, loaded.picture, annotations
                )
                self.opened, self._close_file = loaded.opened, loaded.close
                self.lost = loaded.lost
                self._watch.follow(self.layer)
                self.restored.emit(annotations)
        except ValueError:
            loaded.close()
            raise
        if self._extent() != before:
            self._viewer.reset_view()

    def leave(self) -> None:
        """Take the image out of the viewer."""
        layer, self.layer, self.opened = self.layer, None, None
        self.lost = self.unsaved = False
        self._remembered = None
        if layer is None:
            return
        with self._by_ourselves():
            self._watch.follow(None)
            remove_results(self._viewer, layer)
            self._close_file()

    def annotations(self) -> Annotations:
        """What there is to save; no map where all labels were removed."""
        assert self.layer is not None
        assert self.opened is not None
        known = self._remembered
        try:
            now = still(self.collect(self.layer))
        except ValueError:
            nothing = replace(self.opened.annotations, maps={}, written={}, edited=())
            now = nothing if known is None else known
        if known is not None:
            now = replace(now, maps={**known.maps, **now.maps})
        return now

    def _extent(self) -> Any:
        return None if self.layer is None else self.layer.extent.world.tolist()

    def _collect_layers(self, layer: Image) -> Annotations:
        return collect_annotations(self._viewer, layer)

    def _on_removing(self) -> None:
        if not self._changing:
            self.removing.emit()

    @contextmanager
    def _by_ourselves(self) -> Iterator[None]:
        self._changing = True
        try:
            yield
        finally:
            self._changing = False
