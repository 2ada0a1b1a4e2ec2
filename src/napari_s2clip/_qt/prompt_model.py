"""SAM for prompts: the models of the widget, loaded when the first prompt is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..prompt_engine import ModelEngine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..image import RGBImage
    from ..progress import CancelToken, ProgressCallback
    from .engine import Choice, Engine

__all__ = ["PromptModel"]


class PromptModel:
    """Answers prompts with the models that are chosen (a `PromptEngine`).

    Parameters
    ----------
    engine : Engine
        Shared with the runs, so that models are in memory once.
    choice : Choice
    """

    def __init__(self, engine: Engine, choice: Choice) -> None:
        self._engine = engine
        self.choice = choice

    def embed(
        self, image: RGBImage, progress: ProgressCallback, cancel: CancelToken
    ) -> Any:
        """Encode an image by SAM; load it if it is not in memory."""
        model = self._engine.load(self.choice, ("sam",), progress, cancel)
        return ModelEngine(model).embed(image, progress, cancel)

    def predict(
        self, embedding: Any, **prompts: Any
    ) -> tuple[NDArray[np.bool_], float]:
        """Mask of the image and score."""
        # A run may have taken other models meanwhile; then these come back.
        model = self._engine.load(self.choice, ("sam",))
        return ModelEngine(model).predict(embedding, **prompts)
