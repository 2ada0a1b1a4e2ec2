"""The methods by name: a row says what a method does to CLIP's last blocks.

All are training-free and take hidden states of one CLIP. What the rows cannot say is in
the module of the family.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

__all__ = ["METHODS", "Family", "Method", "Part", "find_method"]

Family: TypeAlias = Literal["library", "last block", "dual path", "s2clip", "sc-clip"]
Part: TypeAlias = Literal["identity", "qk", "qq", "kk", "vv", "ensemble"]


@dataclass(frozen=True)
class Method:
    """One method.

    Attributes
    ----------
    name, title, source : str
        For `Settings`, for people, and the paper.
    family : str
        Module that computes it.
    parts : tuple of str
        Attention parts that are averaged (see `features.attention`).
    row_sum : float
        What the rows of the attention sum to.
    neighbourhood : float or None
        Standard deviation of the Gaussian neighbourhood, in patches.
    class_token : bool
        Whether patches attend to the class token too.
    residual, feed_forward : bool
        Whether the last block keeps them.
    blocks : int
        How many of the last blocks are replaced; at most half of a model's.
    proxy : bool
        Whether a vision model's attention aggregates the values.
    """

    name: str
    title: str
    source: str
    family: Family
    parts: tuple[Part, ...] = ()
    row_sum: float = 1.0
    neighbourhood: float | None = None
    class_token: bool = True
    residual: bool = False
    feed_forward: bool = False
    blocks: int = 1
    proxy: bool = False


METHODS: Final[dict[str, Method]] = {
    method.name: method
    for method in (
        Method(
            "s2clip",
            "S2CLIP",
            "reconstructed from the paper's published appendix",
            "s2clip",
            parts=("qq", "kk"),
            class_token=False,
            proxy=True,
        ),
        Method(
            "clip",
            "CLIP",
            "Radford et al. 2021, the library's own last block",
            "library",
            parts=("qk",),
            residual=True,
            feed_forward=True,
        ),
        Method(
            "maskclip",
            "MaskCLIP",
            "Zhou et al. 2022",
            "last block",
            parts=("identity",),
            residual=True,
            feed_forward=True,
        ),
        Method(
            "clip-surgery",
            "CLIP Surgery",
            "Li et al. 2023",
            "dual path",
            parts=("vv",),
            residual=True,
            blocks=6,
        ),
        Method(
            "gem",
            "GEM",
            "Bousselham et al. 2024",
            "dual path",
            parts=("ensemble",),
            residual=True,
            blocks=6,
        ),
        Method(
            "sclip",
            "SCLIP",
            "Wang et al. 2024",
            "last block",
            parts=("qq", "kk"),
            row_sum=2.0,
            residual=True,
            feed_forward=True,
        ),
        Method(
            "clearclip",
            "ClearCLIP",
            "Lan et al. 2024",
            "last block",
            parts=("qq",),
        ),
        Method(
            "naclip",
            "NACLIP",
            "Hajimiri et al. 2025",
            "last block",
            parts=("kk",),
            neighbourhood=5.0,
        ),
        Method(
            "sc-clip",
            "SC-CLIP",
            "Bai et al. 2024",
            "sc-clip",
            parts=("kk",),
            class_token=False,
        ),
        Method(
            "proxyclip",
            "ProxyCLIP",
            "Lan et al. 2024",
            "last block",
            parts=("identity",),
            class_token=False,
            proxy=True,
        ),
    )
}
"""By name; the first is the default."""


def find_method(name: str) -> Method:
    """A method by name; `ValueError` lists the names if there is none."""
    if name not in METHODS:
        raise ValueError(
            f"method: no method {name!r}; choose one of {', '.join(METHODS)}"
        )
    return METHODS[name]
