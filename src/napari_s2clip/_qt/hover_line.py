"""What lies under the mouse, whichever layer is selected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.compat import isalive
from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget
from superqt.utils import QSignalThrottler

if TYPE_CHECKING:
    from napari.layers import Labels

    from ..layers import OutputSet

__all__ = ["HoverLine", "describe"]

_INTERVAL = 50
"""Of the looks at the maps, in ms: each may read a block from the disk."""


def describe(output: OutputSet, position: Sequence[float]) -> str:
    """``cat: region 5, p 0.83, SAM 0.91``; empty outside of the image.

    Parameters
    ----------
    output : OutputSet
    position : sequence of float
        In the world of the viewer.
    """
    words = []
    top = output.refined if output.refined is not None else output.coarse
    if top is not None:
        value = _value(top, position)
        if value is None:
            return ""
        words.append(_class_name(output, value))
    if output.regions is not None:
        region = _value(output.regions, position)
        rows = output.region_table[output.region_table["region"] == region]
        if len(rows):
            words.append(_region_words(rows.iloc[0], words))
    return ": ".join(words)


def _class_name(output: OutputSet, value: int) -> str:
    try:
        return output.classes.name_of(value)
    except KeyError:
        return f"label {value}"


def _region_words(row: Any, said: Sequence[str]) -> str:
    words = [f"region {row['region']}"]
    if row["class_name"] not in said:
        words.append(str(row["class_name"]))
    words.append(f"p {row['mean_probability']:.2f}")
    if not np.isnan(row["sam_score"]):
        words.append(f"SAM {row['sam_score']:.2f}")
    return ", ".join(words)


def _value(labels: Labels, position: Sequence[float]) -> int | None:
    """The label at a position of the world; None outside."""
    point = np.asarray(labels.world_to_data(tuple(position)[-labels.ndim :]), float)
    index = np.floor(point + 0.5).astype(int)
    if (index < 0).any() or (index >= labels.data.shape).any():
        return None
    return int(np.asarray(labels.data[tuple(index.tolist())]))


class HoverLine(QLabel):
    """One line that follows the mouse over the canvas.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._output: OutputSet | None = None
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "What lies under the mouse: its class; its region, the region's mean\n"
            "probability p, and the quality that SAM gives its own mask."
        )
        self._throttler = QSignalThrottler(parent=self)
        self._throttler.setTimeout(_INTERVAL)
        self._throttler.triggered.connect(self._show)
        viewer.cursor.events.position.connect(self._on_position)

    def set_output(self, output: OutputSet | None) -> None:
        """Follow the layers of a run; None shows nothing."""
        self._output = output
        self._show()

    def leave(self) -> None:
        """Follow the mouse no longer."""
        self._output = None
        self._viewer.cursor.events.position.disconnect(self._on_position)

    def _on_position(self, event: Any = None) -> None:
        if self._output is not None and isalive(self):
            self._throttler.throttle()

    def _show(self) -> None:
        text = ""
        if self._output is not None:
            text = describe(self._output, self._viewer.cursor.position)
        self.setText(text)
