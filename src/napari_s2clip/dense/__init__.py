"""The dense-feature engine on its own, arrays in and arrays out.

For comparing a method with another implementation, or for building one's own: one
window at a time, without image resizing, overlapping windows or thresholds.

Examples
--------
>>> import numpy as np, open_clip
>>> from napari_s2clip.dense import window_features
>>> clip = open_clip.create_model("ViT-B-16-quickgelu", pretrained="openai")
>>> window = np.zeros((224, 224, 3), np.uint8)
>>> window_features(clip, window, "naclip").shape
(14, 14, 512)
"""

from __future__ import annotations

from .parts import (
    attention_weights,
    channel_correlation,
    gini_coefficient,
    proxy_attention,
    similarity_attention,
    spatial_entropy,
)
from .window import entropy_of_blocks, window_features, window_scores

__all__ = [
    "attention_weights",
    "channel_correlation",
    "entropy_of_blocks",
    "gini_coefficient",
    "proxy_attention",
    "similarity_attention",
    "spatial_entropy",
    "window_features",
    "window_scores",
]
