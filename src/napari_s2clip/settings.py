"""Every knob of a run, in one model that drives the API, the CLI and the widget.

The description of a field ends with the source of its value: *seed* (the paper's
published appendix), *public configuration* (of the methods that it builds on) or
*inferred* (this project's reading). ``stage`` names the first stage that must run again
when the field changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from .progress import Stage

__all__ = ["Settings"]


def _knob(
    default: Any,
    title: str,
    description: str,
    *,
    stage: Stage,
    unit: str = "",
    **limits: Any,
) -> Any:
    return Field(
        default,
        title=title,
        description=description,
        json_schema_extra={"stage": stage, "unit": unit},
        **limits,
    )


class Settings(BaseModel):
    """Settings of `S2CLIP.encode` and `S2CLIP.segment`.

    ``None`` means "as the model's specification recommends".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal[
        "s2clip",
        "clip",
        "maskclip",
        "clip-surgery",
        "gem",
        "sclip",
        "clearclip",
        "naclip",
        "sc-clip",
        "proxyclip",
    ] = _knob(
        "s2clip",
        "Method",
        "How CLIP's image tokens become dense features: s2clip, a related method, or "
        "clip, the library's own last block (vanilla). Inferred.",
        stage="encode",
    )
    short_side: Annotated[int, Field(ge=16, le=4096)] | None = _knob(
        None,
        "Short side",
        "The image is resized to this short side before it is cut into windows; 448 "
        "for the real models. Public configuration.",
        stage="encode",
        unit="px",
    )
    window: Annotated[int, Field(ge=16, le=4096)] | None = _knob(
        None,
        "Window",
        "Side of the square windows that CLIP sees; 336 for the real models. Public "
        "configuration.",
        stage="encode",
        unit="px",
    )
    stride: Annotated[int, Field(ge=1, le=4096)] | None = _knob(
        None,
        "Stride",
        "Distance between windows; 112 for the real models. Public configuration.",
        stage="encode",
        unit="px",
    )
    levels: tuple[Annotated[int, Field(ge=0)], ...] | None = _knob(
        None,
        "Levels",
        "Blocks (from 0) whose states are summed into the multi-level branch; 3 to 9 "
        "for ViT-B/16, other depths by the same ratio. An empty tuple switches the "
        "branch off. Inferred.",
        stage="encode",
    )
    mid_layer: Annotated[int, Field(ge=0)] | None = _knob(
        None,
        "Middle layer",
        "Block (from 0) whose token similarity smooths and repairs the attention; 8 "
        "for ViT-B/16. Inferred.",
        stage="encode",
    )
    smoothing_threshold: Annotated[float, Field(ge=-1, le=1)] | None = _knob(
        None,
        "Smoothing threshold",
        "Cosine similarity below which tokens do not smooth each other; 0.4 for the "
        "real models. Inferred.",
        stage="encode",
    )
    cls_weight: Annotated[float, Field(ge=0, le=10)] | None = _knob(
        None,
        "CLS weight",
        "Share of the class token that is added to every patch; 0.3 for the real "
        "models. Inferred.",
        stage="encode",
    )
    repair_outliers: bool | None = _knob(
        None,
        "Repair outliers",
        "Replace outlier tokens (local outlier factor) by the mean of their "
        "neighbours; on for the real models. Inferred.",
        stage="encode",
    )
    proxy: bool = _knob(
        True,
        "DINO fusion",
        "Aggregate CLIP's values with the attention of the vision model's tokens. "
        "Seed (that it is done), inferred (how).",
        stage="encode",
    )
    proxy_beta: float = _knob(
        1.2,
        "Proxy beta",
        "Multiple of the mean similarity that is subtracted. Public configuration.",
        stage="encode",
        ge=0,
        le=10,
    )
    proxy_gamma: Annotated[float, Field(gt=0, le=100)] | None = _knob(
        None,
        "Proxy gamma",
        "Scale of the similarities before the softmax; 3 for the real models. Public "
        "configuration.",
        stage="encode",
    )
    logit_scale: float = _knob(
        40.0,
        "Logit scale",
        "Cosine similarities are multiplied by it before the softmax. Public "
        "configuration.",
        stage="classify",
        gt=0,
        le=1000,
    )
    probability_threshold: float = _knob(
        0.0,
        "Probability threshold",
        "Pixels whose best class is less probable become background. Public "
        "configuration.",
        stage="classify",
        ge=0,
        le=1,
    )
    coarse_threshold: float = _knob(
        0.2,
        "Coarse threshold",
        "Pixels whose best class is less probable belong to no region (tau_c). Public "
        "configuration.",
        stage="regions",
        ge=0,
        le=1,
    )
    min_region_area: int = _knob(
        225,
        "Smallest region",
        "Regions with fewer pixels on the half-resolution grid are dropped (A_min). "
        "Public configuration.",
        stage="regions",
        unit="px at half resolution",
        ge=1,
    )
    refine: bool = _knob(
        True,
        "Refine with SAM",
        "Run the third stage. Seed.",
        stage="refine",
    )
    prompt_box: bool = _knob(
        True,
        "Prompt with boxes",
        "Give SAM each region's box. Seed.",
        stage="refine",
    )
    prompt_point: bool = _knob(
        True,
        "Prompt with points",
        "Give SAM each region's most probable point. Seed.",
        stage="refine",
    )
    iou_threshold: float = _knob(
        0.8,
        "IoU threshold",
        "Masks whose quality SAM itself puts lower fail (tau_iou). Public "
        "configuration.",
        stage="refine",
        ge=0,
        le=1,
    )
    refine_background: bool = _knob(
        False,
        "Refine background",
        "Prompt background regions too. Inferred: off.",
        stage="refine",
    )

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.refine and not (self.prompt_box or self.prompt_point):
            raise ValueError(
                "prompt_box and prompt_point are both off; SAM needs one of them, or "
                "set refine=False"
            )
        if self.window and self.stride and self.stride > self.window:
            raise ValueError(
                f"stride ({self.stride} px) is larger than window ({self.window} px); "
                "pixels between windows would never be seen"
            )
        return self

    def of_stage(self, stage: Stage) -> dict[str, Any]:
        """Values of the fields that belong to one stage."""
        return {
            name: getattr(self, name)
            for name, field in type(self).model_fields.items()
            if isinstance(field.json_schema_extra, dict)
            and field.json_schema_extra["stage"] == stage
        }
