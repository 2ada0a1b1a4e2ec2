"""Which models of open_clip can be used: those whose image tower is a plain ViT.

The methods take the last block apart and look at every patch in the space of the
texts. That needs a class token that carries the image's vector, blocks with
torch.nn.MultiheadAttention, and one linear projection. The configuration tells, before
anything is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .cards import ModelCard

__all__ = ["check_tower", "find_clip", "why_unfit"]

_HARMLESS: Final = frozenset(
    {
        *("layers", "width", "head_width", "mlp_ratio", "image_size", "patch_size"),
        *("act_kwargs", "norm_kwargs"),
        # Without the first norm, or with a learnt scale after each half of a block:
        # the modules are called as they are.
        *("no_ln_pre", "ls_init_value"),
        "pos_embed_type",  # a table in any case, learnt or not
        "patch_dropout",  # only in training
        "final_ln_after_pool",  # the same for a class token
        "output_tokens",  # what the tower's own `forward` returns; it is not called
        *("attn_pooler_queries", "attn_pooler_heads"),  # of a pooling that is refused
        *("pool_type", "block_type"),  # their values are looked at
    }
)
"""Options of an image tower that a plain ViT may have."""


def why_unfit(config: Mapping[str, Any]) -> str | None:
    """Why a configuration of open_clip cannot be used; None if it can.

    Parameters
    ----------
    config : mapping
        With the keys ``"vision_cfg"`` and ``"text_cfg"``, as open_clip's files have it.

    Returns
    -------
    str or None
        Part of a sentence, to follow "… cannot be used, because".
    """
    vision, text = config["vision_cfg"], config["text_cfg"]
    if vision.get("timm_model_name"):
        return f"its image tower is {vision['timm_model_name']} of timm"
    if isinstance(vision.get("layers"), (list, tuple)):
        return "its image tower is a ResNet"
    if vision.get("attentional_pool"):
        return "its image tower ends in attentional pooling"
    if config.get("multimodal_cfg"):
        return "it is a CoCa model, with a decoder that writes texts"
    if vision.get("pool_type", "tok") != "tok":
        return "its image vector is no class token but a mean of the patches"
    if vision.get("block_type") not in (None, "default"):
        return "its blocks have an attention of their own"
    unknown = [k for k, value in vision.items() if value and k not in _HARMLESS]
    if unknown:
        return f"its image tower has the option {', '.join(unknown)}"
    patch = vision.get("patch_size", 16)
    if isinstance(patch, (list, tuple)) and len(set(patch)) > 1:
        return f"its patches of {' × '.join(map(str, patch))} px are not square"
    if text.get("hf_model_name"):
        return "its text tower is one of the transformers package, which is not used"
    if text.get("hf_tokenizer_name"):
        return "its tokenizer would have to be downloaded"
    return None


def find_clip(name: str) -> ModelCard | None:
    """A CLIP by its exact name in open_clip; None if there is no such name.

    Raises
    ------
    ValueError
        If it is not a plain ViT.
    """
    import open_clip

    # Only what ships with open_clip: its other kinds of names may reach the network.
    if name not in open_clip.list_models():
        return None
    reason = why_unfit(open_clip.get_model_config(name))
    if reason is not None:
        raise ValueError(
            f"spec: open_clip's {name} cannot be used, because {reason}; choose a "
            "plain ViT such as ViT-B-16"
        )
    return ModelCard(
        "clip",
        name,
        f"OpenCLIP {name}",
        name,
        "open_clip_model.safetensors",
        folder=f"open_clip--{name}",
        companions=("open_clip_config.json",),
    )


def check_tower(visual: Any) -> None:
    """Refuse an image tower that was built, or cut, in another way.

    Raises
    ------
    ValueError
        If it has no class token, no projection, or pools by attention.
    """
    for name in ("class_embedding", "positional_embedding", "ln_post", "proj"):
        if getattr(visual, name, None) is None:
            raise ValueError(
                f"clip: its image tower {type(visual).__name__} has no {name}; choose "
                "a plain ViT of open_clip"
            )
    if getattr(visual, "attn_pool", None) is not None:
        raise ValueError(
            "clip: its image tower ends in attentional pooling; choose a plain ViT of "
            "open_clip"
        )
