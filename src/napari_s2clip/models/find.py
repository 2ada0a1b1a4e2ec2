"""What names stand for: the program's models, the user's own, and open_clip's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .cards import SAMS, VFMS, ModelCard
from .errors import OwnFileError
from .own import catalogue
from .specs import SPECS, ModelSpec

if TYPE_CHECKING:
    from .parts import PartName

__all__ = ["find_card", "find_spec"]


def find_card(role: PartName, name: str) -> ModelCard:
    """A fusion model or a SAM by name, the user's own included.

    Raises
    ------
    ValueError
        If there is none.
    OwnFileError
        If it is none of the program's, and the user's file cannot be read.
    """
    known, what = (VFMS, "fusion model") if role == "vfm" else (SAMS, "SAM")
    if name in known:
        return known[name]
    own = catalogue()
    cards = own.of_role(role)
    if name in own.own and name in cards:
        return cards[name]
    names = ", ".join([*known, *(n for n in cards if n in own.own)])
    raise ValueError(f"{role}: no {what} {name!r}; choose one of {names}")


def find_spec(spec: str | ModelSpec) -> ModelSpec:
    """A specification by name.

    Parameters
    ----------
    spec : str or ModelSpec
        A key of `SPECS`, a preset of the user's own, or open_clip's name of a plain ViT
        such as ``"ViT-B-32"``, spelled as there; such a CLIP is joined by DINO ViT-B/8
        and SAM ViT-B.

    Raises
    ------
    ValueError
        If there is no such name, or the CLIP is not a plain ViT.
    OwnFileError
        If the name is none of the program's and of open_clip's, and the user's file
        cannot be read.
    """
    if isinstance(spec, ModelSpec):
        return spec
    if spec in SPECS:
        return SPECS[spec]
    specs, problem = SPECS, None
    try:
        specs = catalogue().specs
    except OwnFileError as error:
        problem = error  # is nothing to open_clip's names
    if spec in specs:
        return specs[spec]
    # open_clip brings torch, which takes seconds to import.
    from .plain_vit import find_clip

    clip = find_clip(spec)
    if clip is None:
        if problem is not None:
            raise problem
        raise ValueError(
            f"spec: no model {spec!r}; choose one of {', '.join(specs)}, or the name "
            "of an open_clip ViT such as ViT-B-32"
        )
    return ModelSpec(
        spec,
        clip.title,
        f"OpenCLIP {spec}, DINO ViT-B/8, SAM ViT-B.",
        clip,
        VFMS["dino-b-8"],
        SAMS["sam-b"],
    )
