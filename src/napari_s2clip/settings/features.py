"""How CLIP's hidden states become dense features."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, field_validator

from ..methods import find_method
from .knob import Knobs, knob

__all__ = ["FeatureSettings"]


_Block: TypeAlias = Annotated[
    int,
    Field(ge=0, description="the number of a block of CLIP (0 to 10 for ViT-B/16)"),
]


class FeatureSettings(Knobs):
    """Settings of the method, its levels, attention and fusion."""

    method: Literal[
        "s2clip",
        "clip",
        "maskclip",
        "clip-surgery",
        "gem",
        "sclip",
        "clearclip",
        "naclip",
        "resclip",
        "sc-clip",
        "cliper",
        "proxyclip",
        "trident",
    ] = knob(
        "s2clip",
        "Method",
        "How CLIP's image tokens become dense features: s2clip, a related method, or "
        "clip, the library's own last block (vanilla). Inferred.",
        stage="encode",
    )
    variant: Literal["paper", "code"] = knob(
        "paper",
        "Variant",
        "Where an author's code deviates from the published formula: follow the "
        "formula, or the code, its accidents included (see docs/methods.md). Public "
        "configuration.",
        stage="encode",
    )
    levels: tuple[_Block, ...] | None = knob(
        None,
        "Levels",
        "Blocks (from 0) whose states are summed into the multi-level branch; 3 to 9 "
        "for ViT-B/16, other depths by the same ratio. An empty tuple switches the "
        "branch off. Inferred.",
        stage="encode",
    )
    level_weights: Literal["uniform", "entropy+", "entropy-"] = knob(
        "uniform",
        "Level weights",
        "Weight of each level: all alike, or by the spatial entropy of its tokens "
        "(Algorithm 1), more for high (+) or for low (-) entropy; the sign is not "
        "published. Inferred.",
        stage="encode",
    )
    mid_layer: _Block | None = knob(
        None,
        "Middle layer",
        "Block (from 0) whose token similarity smooths and repairs the attention; 8 "
        "for ViT-B/16. Inferred.",
        stage="encode",
    )
    mid_share: float = knob(
        0.5,
        "Middle layer's share",
        "Share of the middle layer's similarity in the attention of S2CLIP and "
        "SC-CLIP; the rest is the block's own. Inferred.",
        stage="encode",
        ge=0,
        le=1,
    )
    smoothing_threshold: Annotated[float, Field(ge=-1, le=1)] | None = knob(
        None,
        "Smoothing threshold",
        "Cosine similarity below which tokens do not smooth each other; 0.4 for the "
        "real models. Inferred.",
        stage="encode",
    )
    cls_weight: Annotated[float, Field(ge=0, le=10)] | None = knob(
        None,
        "CLS weight",
        "Share of the class token that is added to every patch; 0.3 for the real "
        "models. Inferred.",
        stage="encode",
    )
    repair_outliers: bool | None = knob(
        None,
        "Repair outliers",
        "Replace outlier tokens (local outlier factor) by the mean of their "
        "neighbours; on for the real models. Inferred.",
        stage="encode",
    )
    attention: tuple[Literal["identity", "qk", "qq", "kk", "vv"], ...] | None = knob(
        None,
        "Attention",
        "Parts of the last block's attention, averaged; what the method says if not "
        "given. Inferred.",
        stage="encode",
        min_length=1,
    )
    neighbourhood: Annotated[float, Field(ge=0, le=100)] | None = knob(
        None,
        "Neighbourhood",
        "Standard deviation of the Gaussian that is added to q-q, k-k and v-v scores; "
        "0 for none, what the method says if not given. Public configuration.",
        stage="encode",
        unit="patches",
    )
    residual: bool | None = knob(
        None,
        "Residual",
        "Keep the last block's residual; what the method says if not given. Inferred.",
        stage="encode",
    )
    feed_forward: bool | None = knob(
        None,
        "Feed-forward",
        "Keep the last block's feed-forward part; what the method says if not given. "
        "Inferred.",
        stage="encode",
    )
    proxy: bool = knob(
        True,
        "DINO fusion",
        "Aggregate CLIP's values with the attention of the vision model's tokens. "
        "Seed (that it is done), inferred (how).",
        stage="encode",
    )
    proxy_beta: float = knob(
        1.2,
        "Proxy beta",
        "Multiple of the mean similarity that is subtracted. Public configuration.",
        stage="encode",
        ge=0,
        le=10,
    )
    proxy_gamma: Annotated[float, Field(gt=0, le=100)] | None = knob(
        None,
        "Proxy gamma",
        "Scale of the similarities before the softmax; 3 for the real models. Public "
        "configuration.",
        stage="encode",
    )
    cross_scale: float = knob(
        2.0,
        "Cross-layer scale",
        "ResCLIP: what the rows of the mixed attention sum to. Public configuration.",
        stage="encode",
        gt=0,
        le=100,
    )
    cross_share: float = knob(
        0.3,
        "Cross-layer share",
        "ResCLIP: share of the middle blocks' attention in the last block's. Public "
        "configuration.",
        stage="encode",
        ge=0,
        le=1,
    )
    sam_factor: float = knob(
        1.2,
        "SAM similarity factor",
        "Trident: multiple of a token's mean similarity below which SAM's attention is "
        "cut off. Public configuration.",
        stage="encode",
        ge=0,
        le=10,
    )
    sam_negative: bool = knob(
        True,
        "Keep negative thresholds",
        "Trident: use a negative mean similarity as it is; if off, 0.6 stands for it. "
        "Public configuration.",
        stage="encode",
    )

    @field_validator("method", mode="before")
    @classmethod
    def _find_method(cls, given: object) -> object:
        """Names as people write them, such as CLIPer or CLIP Surgery."""
        return find_method(given).name if isinstance(given, str) else given
