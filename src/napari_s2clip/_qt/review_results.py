"""Which review belongs to a result, and what was decided before on the same image."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from napari.layers import Labels

from ..layers import KEY
from ..review import Known
from .review_session import Apply, ReviewSession

__all__ = ["ReviewResults"]


class ReviewResults:
    """The reviews of all results that were shown in a window.

    A result that comes back has its review again, with what can be undone. Another run
    on the image begins a new one, in which regions that are the same keep what was
    decided in any review of the image before.

    Parameters
    ----------
    apply : callable
        Takes a Labels layer and an `Edit`, which it writes as one step.
    """

    def __init__(self, apply: Apply) -> None:
        self._apply = apply
        self._sessions: dict[Labels, ReviewSession] = {}
        self._known: dict[Hashable, Known] = {}

    def session(self, output: Any) -> ReviewSession:
        """The review of a result.

        Parameters
        ----------
        output : OutputSet
            See `ReviewBrowser.set_output`; with a refined layer.

        Raises
        ------
        ValueError
            If the regions cannot be reviewed; says why.
        """
        labels = output.refined
        session = self._sessions.get(labels)
        if session is None or not session.shows(output):
            known = self._known.setdefault(_image(labels), {})
            session = ReviewSession(output, self._apply, known)
            self._sessions[labels] = session
        return session

    def forget(self, labels: Any) -> None:
        """A layer was removed; what was decided on its image stays known."""
        if self._sessions.pop(labels, None) is not None:
            self._known.pop(labels, None)


def _image(labels: Labels) -> Hashable:
    """The image of a layer and the level of its pyramid; else the layer itself."""
    image = labels.metadata.get(KEY, {}).get("image")
    return labels if image is None else (image, labels.data.shape)
