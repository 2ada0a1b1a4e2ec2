"""How an image is resized and cut into windows."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .knob import Knobs, knob

__all__ = ["WindowSettings"]


class WindowSettings(Knobs):
    """Settings of the windows."""

    short_side: Annotated[int, Field(ge=16, le=4096)] | None = knob(
        None,
        "Short side",
        "The image is resized to this short side before it is cut into windows, but to "
        "no side above 2048 px; 448 for the real models. Public configuration.",
        stage="encode",
        unit="px",
    )
    window: Annotated[int, Field(ge=16, le=4096)] | None = knob(
        None,
        "Window",
        "Side of the square windows that CLIP sees; 336 for the real models. Public "
        "configuration.",
        stage="encode",
        unit="px",
    )
    stride: Annotated[int, Field(ge=1, le=4096)] | None = knob(
        None,
        "Stride",
        "Distance between windows; 112 for the real models. Public configuration.",
        stage="encode",
        unit="px",
    )
    whole_image: bool = knob(
        False,
        "Whole image",
        "One window that holds the whole resized image, instead of overlapping ones. "
        "Public configuration.",
        stage="encode",
    )
    positions: Literal["bicubic", "offset", "antialias", "bilinear"] = knob(
        "bicubic",
        "Position embedding",
        "How CLIP's position embedding is resized to a window's grid: bicubic to its "
        "exact size; offset, with 0.1 patches added to the scale, as the codes of "
        "SCLIP and its heirs; antialias, as open_clip and GEM; bilinear, as CLIPer. "
        "Public configuration.",
        stage="encode",
    )

    @model_validator(mode="after")
    def _check_windows(self) -> Self:
        if self.window and self.stride and self.stride > self.window:
            raise ValueError(
                f"stride: {self.stride} px is larger than window ({self.window} px); "
                f"choose 1 to {self.window}, or a larger window"
            )
        return self
