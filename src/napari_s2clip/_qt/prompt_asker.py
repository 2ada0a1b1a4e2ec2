"""SAM asked in a thread: encode what is in sight once, then answer each prompt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from ..image import RGBImage
from ..planes import Plane
from ..progress import CancelToken, ProgressCallback
from ..prompt_engine import Embeddings, PromptEngine, predict
from ..prompting import Found, Prompts, Window, choose_window
from .newest import Newest
from .worker import Failure

__all__ = ["PromptAsker"]


@dataclass(frozen=True, eq=False)
class _Seen:
    """A window of a plane, encoded."""

    plane: Plane
    window: Window
    embedding: Any


class PromptAsker(QObject):
    """Has prompts answered; while SAM is busy only the newest ones wait.

    Parameters
    ----------
    engine : PromptEngine or None
    """

    encoding = Signal(object)
    """A `Progress`."""
    answered = Signal(object, object, object)
    """Plane, prompts, and a `Found`, a `Failure`, or None if nothing was asked."""
    cancelled = Signal(object)
    """Plane whose prompts were not answered."""

    def __init__(
        self, engine: PromptEngine | None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.engine = engine
        self._embeddings = Embeddings()
        self._seen: _Seen | None = None
        self._work = Newest(self)
        self._work.reported.connect(self._on_progress)
        self._work.finished.connect(self._on_finished)

    @property
    def busy(self) -> bool:
        """Whether an answer, or an embedding, is on the way."""
        return self._work.busy

    @property
    def cancelling(self) -> bool:
        """Whether what is on the way was asked to stop."""
        return self._work.cancelling

    def cancel(self) -> None:
        """Stop; what is encoded already stays."""
        self._work.cancel()

    def set_engine(self, engine: PromptEngine | None) -> None:
        """Ask another one; what the last one has encoded is forgotten."""
        self.engine = engine
        self.forget_pixels()
        self._embeddings.clear()

    def remember(self, image: RGBImage, embedding: Any) -> None:
        """Keep an embedding that was made elsewhere."""
        self._embeddings.put(image, embedding)

    def forget_pixels(self, *, only_cheap: bool = False) -> None:
        """Read them again for the next prompts; they may be other ones.

        Parameters
        ----------
        only_cheap : bool
            Only if they are in memory, where reading costs little.
        """
        seen = self._seen
        if seen is None or not only_cheap or type(seen.plane.source.data) is np.ndarray:
            self._seen = None

    def ask(
        self, plane: Plane, prompts: Prompts, centre: Callable[[], tuple[float, float]]
    ) -> None:
        """Have prompts answered, in a thread, or only encode if they are not complete.

        Parameters
        ----------
        plane : Plane
        prompts : Prompts
        centre : callable
            Gives x, y of the middle of what is in sight.

        Raises
        ------
        ValueError
            If the prompts are too far apart.
        """
        engine, kept = self.engine, self._embeddings
        if engine is None:
            return
        seen, bounds = self._seen, prompts.bounds
        if (
            seen is not None
            and seen.plane is plane
            and (bounds is None or seen.window.holds(*bounds))
        ):
            window = seen.window
            if not prompts.complete:
                return
        else:
            seen, window = None, choose_window(plane.shape, centre(), bounds)

        def work(
            progress: ProgressCallback, cancel: CancelToken
        ) -> tuple[_Seen, Found | None]:
            known = seen
            if known is None:
                image = plane.tile(*window.slices)
                embedding = kept.get(engine, image, progress, cancel)
                known = _Seen(plane, window, embedding)
            if not prompts.complete:
                return known, None
            return known, predict(engine, known.embedding, prompts, window)

        self._work.submit((plane, prompts), work)

    def _on_progress(self, progress: Any) -> None:
        if self.busy and not self.cancelling:
            self.encoding.emit(progress)

    def _on_finished(self, tag: tuple[Plane, Prompts], outcome: Any) -> None:
        plane, prompts = tag
        if outcome is None:
            self.cancelled.emit(plane)
        elif isinstance(outcome, Failure):
            self.answered.emit(plane, prompts, outcome)
        else:
            self._seen, found = outcome
            self.answered.emit(plane, prompts, found)
