"""Shapes of the three demo models, built from the libraries' own classes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from open_clip.model import CLIP
    from segment_anything.modeling import Sam
    from timm.models.vision_transformer import VisionTransformer

__all__ = [
    "CLIP_CONFIG",
    "DINO_CONFIG",
    "SAM_CONFIG",
    "build_clip",
    "build_dino",
    "build_sam",
]

CLIP_CONFIG: Final[dict[str, Any]] = {
    "embed_dim": 128,
    "vision_cfg": {
        "image_size": 64,
        "patch_size": 8,
        "layers": 6,
        "width": 192,
        "head_width": 64,
        # Learnt positions leave shapes at chance several times as long.
        "pos_embed_type": "sin_cos_2d",
    },
    "text_cfg": {
        "context_length": 24,
        "vocab_size": 49408,
        "width": 128,
        "heads": 4,
        "layers": 2,
    },
}
"""The keys of an `open_clip` model configuration file."""

DINO_CONFIG: Final[dict[str, Any]] = {
    "img_size": 96,
    "patch_size": 8,
    "embed_dim": 128,
    "depth": 4,
    "num_heads": 4,
    "num_classes": 0,
    "dynamic_img_size": True,
}
"""Arguments of `timm.models.vision_transformer.VisionTransformer`."""

SAM_CONFIG: Final[dict[str, Any]] = {
    "image_size": 256,
    "patch_size": 8,
    "embed_dim": 128,
    "depth": 4,
    "num_heads": 4,
    "global_attn_indexes": (1, 3),
    "window_size": 8,
    "prompt_embed_dim": 64,
}
"""Arguments of `build_sam`; the rest is as in `segment_anything.build_sam`."""


def build_clip() -> CLIP:
    """Build the demo CLIP with fresh random weights."""
    from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

    return CLIP(
        embed_dim=CLIP_CONFIG["embed_dim"],
        vision_cfg=CLIPVisionCfg(**CLIP_CONFIG["vision_cfg"]),
        text_cfg=CLIPTextCfg(**CLIP_CONFIG["text_cfg"]),
    )


def build_dino() -> VisionTransformer:
    """Build the demo DINO with fresh random weights."""
    from timm.models.vision_transformer import VisionTransformer

    return VisionTransformer(**DINO_CONFIG)


def build_sam() -> Sam:
    """Build the demo SAM with fresh random weights."""
    import torch
    from segment_anything.modeling import (
        ImageEncoderViT,
        MaskDecoder,
        PromptEncoder,
        Sam,
        TwoWayTransformer,
    )

    config = SAM_CONFIG
    size, width = config["image_size"], config["prompt_embed_dim"]
    grid = size // config["patch_size"]
    return Sam(
        image_encoder=ImageEncoderViT(
            depth=config["depth"],
            embed_dim=config["embed_dim"],
            img_size=size,
            mlp_ratio=4,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            num_heads=config["num_heads"],
            patch_size=config["patch_size"],
            qkv_bias=True,
            use_rel_pos=True,
            global_attn_indexes=config["global_attn_indexes"],
            window_size=config["window_size"],
            out_chans=width,
        ),
        prompt_encoder=PromptEncoder(
            embed_dim=width,
            image_embedding_size=(grid, grid),
            input_image_size=(size, size),
            mask_in_chans=16,
        ),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(
                depth=2, embedding_dim=width, mlp_dim=256, num_heads=4
            ),
            transformer_dim=width,
            iou_head_depth=3,
            iou_head_hidden_dim=64,
        ),
    )
