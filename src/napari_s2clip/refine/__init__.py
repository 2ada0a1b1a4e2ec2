"""Refinement of a coarse map by SAM (Algorithm 4): arrays in, arrays out.

With any model of segment_anything, and without the rest of the pipeline.

Examples
--------
>>> from segment_anything import sam_model_registry
>>> from napari_s2clip.refine import load_sam, refine_map, refine_prompt
>>> sam = load_sam(sam_model_registry["vit_b"](checkpoint="sam_vit_b_01ec64.pth"))
>>> found = refine_map(image, labels, probabilities, sam)
>>> found.refined.shape == labels.shape
True
>>> mask, score = refine_prompt(sam, sam.encode(image), points=[(120, 80)])
"""

from __future__ import annotations

from .click import refine_prompt
from .entry import RefinedMap, load_sam, refine_map

__all__ = ["RefinedMap", "load_sam", "refine_map", "refine_prompt"]
