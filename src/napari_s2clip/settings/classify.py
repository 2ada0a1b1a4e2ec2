"""How dense features become probabilities."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .knob import Knobs, knob

__all__ = ["ClassifySettings"]


class ClassifySettings(Knobs):
    """Settings of the classification."""

    logit_scale: Annotated[float, Field(gt=0, le=1000)] | None = knob(
        None,
        "Logit scale",
        "Cosine similarities are multiplied by it before the softmax; 40, and for some "
        "related methods what their authors use. Public configuration.",
        stage="classify",
    )
    probability_threshold: float = knob(
        0.0,
        "Probability threshold",
        "Pixels whose best class is less probable become background. Public "
        "configuration.",
        stage="classify",
        ge=0,
        le=1,
    )
    probability_refiner: Literal["none", "pamr", "diffusion"] = knob(
        "none",
        "Refine probabilities",
        "Before regions are found: by colours (PAMR), or by the self-attention of "
        "Stable Diffusion. Seed (Table 3).",
        stage="classify",
    )
    pamr_iterations: int = knob(
        10,
        "PAMR iterations",
        "How often each pixel takes the mean of its neighbours that look like it. "
        "Public configuration.",
        stage="classify",
        ge=1,
        le=100,
    )
    attention_threshold: float = knob(
        0.1,
        "Attention threshold",
        "Stable Diffusion: weaker attention, relative to the strongest to the same "
        "place, is dropped. Public configuration.",
        stage="classify",
        ge=0,
        le=1,
    )
    feature_surgery: bool = knob(
        True,
        "Feature surgery",
        "CLIP Surgery: subtract what all classes have in common, weighted by how well "
        "each fits the whole window. Public configuration.",
        stage="classify",
    )
    feedback: bool = knob(
        True,
        "Semantic feedback",
        "ResCLIP: predict once, then again with an attention that prefers patches of "
        "the same predicted class. Public configuration.",
        stage="classify",
    )
    feedback_scale: float = knob(
        2.1,
        "Feedback scale",
        "ResCLIP: multiple of the scores that the feedback was mixed into. Public "
        "configuration.",
        stage="classify",
        gt=0,
        le=100,
    )
    feedback_share: float = knob(
        0.7,
        "Feedback share",
        "ResCLIP: share of the feedback in these scores. Public configuration.",
        stage="classify",
        ge=0,
        le=1,
    )
    feedback_threshold: float = knob(
        0.25,
        "Feedback threshold",
        "ResCLIP: pixels whose best phrase is less probable in the first prediction "
        "belong to no class there. Public configuration.",
        stage="classify",
        ge=0,
        le=1,
    )
