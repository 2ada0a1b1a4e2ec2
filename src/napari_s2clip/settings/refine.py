"""How regions are found and refined."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from .knob import Knobs, knob

__all__ = ["RefineSettings"]


class RefineSettings(Knobs):
    """Settings of the regions and of SAM."""

    coarse_threshold: float = knob(
        0.2,
        "Coarse threshold",
        "Pixels whose best class is less probable belong to no region (tau_c). Public "
        "configuration.",
        stage="regions",
        ge=0,
        le=1,
    )
    min_region_area: int = knob(
        225,
        "Smallest region",
        "Regions with fewer pixels on the half-resolution grid are dropped (A_min). "
        "Public configuration.",
        stage="regions",
        unit="px at half resolution",
        ge=1,
    )
    connected_components: bool = knob(
        True,
        "Connected regions",
        "Each connected region is prompted by itself; otherwise all pixels of a class "
        "are one region. Seed (Table 4).",
        stage="regions",
    )
    refine: bool = knob(
        True,
        "Refine with SAM",
        "Run the third stage. Seed.",
        stage="refine",
    )
    refine_mode: Literal["fixed", "trident"] = knob(
        "fixed",
        "Refinement",
        '"fixed" is Algorithm 4 without its errors; "trident" does what Trident\'s '
        "public code does, slowly. Inferred.",
        stage="refine",
    )
    prompt_box: bool = knob(
        True,
        "Prompt with boxes",
        "Give SAM each region's box. Seed.",
        stage="refine",
    )
    prompt_point: bool = knob(
        True,
        "Prompt with points",
        "Give SAM each region's most probable point. Seed.",
        stage="refine",
    )
    mask_prompt: Literal["auto", "off", "logit", "trident"] = knob(
        "auto",
        "Prompt with masks",
        "Also give SAM the class's probabilities: as logits, or as Trident does. "
        '"auto" is off, and Trident\'s in its mode. Inferred.',
        stage="refine",
    )
    iou_threshold: float = knob(
        0.8,
        "IoU threshold",
        "Masks whose quality SAM itself puts lower fail (tau_iou). Public "
        "configuration.",
        stage="refine",
        ge=0,
        le=1,
    )
    refine_background: bool = knob(
        False,
        "Refine background",
        "Prompt background regions too. Inferred: off.",
        stage="refine",
    )

    @model_validator(mode="after")
    def _check_prompts(self) -> Self:
        if self.refine and not (self.prompt_box or self.prompt_point):
            raise ValueError(
                "prompt_box, prompt_point: both are off; SAM needs one of them, or set "
                "refine=False"
            )
        return self
