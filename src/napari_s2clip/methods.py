"""The methods by name: a row says what a method does to CLIP's last blocks.

All are training-free and take hidden states of one CLIP. What the rows cannot say is in
the module of the family, in `features.methods`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from .settings import Settings

__all__ = ["METHODS", "Family", "Method", "Part", "Scoring", "find_method"]

Family: TypeAlias = Literal[
    "library", "last block", "dual path", "s2clip", "sc-clip", "cliper"
]
Part: TypeAlias = Literal["identity", "qk", "qq", "kk", "vv", "ensemble", "all blocks"]
Scoring: TypeAlias = Literal["cosine", "surgery", "branches", "feedback"]


@dataclass(frozen=True)
class Method:
    """One method.

    Attributes
    ----------
    name, title, source : str
        For `Settings`, for people, and the paper.
    family : str
        Module that computes it.
    summary : str
        What it does, in a phrase.
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
    cross_layers : bool
        Whether the mean attention of middle blocks is mixed in (ResCLIP).
    splice : bool
        Whether windows are joined before LN_post, and SAM's attention aggregates the
        whole image (Trident).
    scoring : str
        How features and class names become scores (see `classification`).
    logit_scale : float
        Of the public configuration, unless the settings say another.
    deviation : str
        What the author's code does otherwise (``Settings(variant="code")``).
    """

    name: str
    title: str
    source: str
    family: Family
    summary: str
    parts: tuple[Part, ...] = ()
    row_sum: float = 1.0
    neighbourhood: float | None = None
    class_token: bool = True
    residual: bool = False
    feed_forward: bool = False
    blocks: int = 1
    proxy: bool = False
    cross_layers: bool = False
    splice: bool = False
    scoring: Scoring = "cosine"
    logit_scale: float = 40.0
    deviation: str = ""

    @property
    def credit(self) -> str:
        """Title and source in one line."""
        return f"{self.title}: {self.source}"

    @property
    def about(self) -> str:
        """What it does and whose it is, in one sentence."""
        return f"{self.summary[0].upper()}{self.summary[1:]} ({self.source})."

    def adapted(self, settings: Settings) -> Method:
        """The method with the attention and the switches that the settings give."""
        changes: dict[str, object] = {}
        if settings.attention is not None:
            changes["attention"] = settings.attention
        if settings.neighbourhood is not None:
            changes["neighbourhood"] = settings.neighbourhood or None
        if settings.residual is not None:
            changes["residual"] = settings.residual
        if settings.feed_forward is not None:
            changes["feed_forward"] = settings.feed_forward
        if "attention" in changes:
            changes["parts"] = changes.pop("attention")
        # With parts of its own the block is no longer the library's.
        if changes and self.family == "library":
            changes["family"] = "last block"
        return replace(self, **changes)  # type: ignore[arg-type]


METHODS: Final[dict[str, Method]] = {
    method.name: method
    for method in (
        Method(
            "s2clip",
            "S2CLIP",
            "reconstructed from the paper's published appendix",
            "s2clip",
            summary="several levels of CLIP, smoothed, gathered by DINO's similarities",
            parts=("qq", "kk"),
            class_token=False,
            proxy=True,
        ),
        Method(
            "clip",
            "CLIP (plain)",
            "Radford et al. 2021, the library's own last block",
            "library",
            summary="CLIP's own last block, unchanged; to compare with",
            parts=("qk",),
            residual=True,
            feed_forward=True,
        ),
        Method(
            "maskclip",
            "MaskCLIP",
            "Zhou et al. 2022",
            "last block",
            summary="each patch keeps its own value of the last block",
            parts=("identity",),
            residual=True,
            feed_forward=True,
            logit_scale=100.0,
        ),
        Method(
            "clip-surgery",
            "CLIP Surgery",
            "Li et al. 2023",
            "dual path",
            summary="a second path of v-v attention; scores less what classes share",
            parts=("vv",),
            residual=True,
            blocks=6,
            scoring="surgery",
        ),
        Method(
            "gem",
            "GEM",
            "Bousselham et al. 2024",
            "dual path",
            summary="a second path of q-q, k-k and v-v attention after grouping",
            parts=("ensemble",),
            residual=True,
            blocks=6,
            logit_scale=100.0,
        ),
        Method(
            "sclip",
            "SCLIP",
            "Wang et al. 2024",
            "last block",
            summary="q-q and k-k attention in the last block",
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
            summary="q-q attention in the last block, whose other parts are dropped",
            parts=("qq",),
            logit_scale=50.0,
        ),
        Method(
            "naclip",
            "NACLIP",
            "Hajimiri et al. 2025",
            "last block",
            summary="k-k attention that prefers near patches",
            parts=("kk",),
            neighbourhood=5.0,
        ),
        Method(
            "resclip",
            "ResCLIP",
            "Yang et al. 2025",
            "last block",
            summary="as NACLIP, with middle blocks and feedback of a first prediction",
            parts=("kk",),
            neighbourhood=5.0,
            cross_layers=True,
            scoring="feedback",
            deviation="pixels of no class count as the first phrase; two patches are "
            "connected if the first part of the line between them is of one class",
        ),
        Method(
            "sc-clip",
            "SC-CLIP",
            "Bai et al. 2024",
            "sc-clip",
            summary="repaired tokens of several levels, smoothed by a middle block",
            parts=("kk",),
            class_token=False,
        ),
        Method(
            "cliper",
            "CLIPer",
            "Sun et al. 2024",
            "cliper",
            summary="all blocks' attention together, for every block's tokens",
            parts=("all blocks",),
            scoring="branches",
            logit_scale=100.0,
            deviation="the fused attention is normalised once more for each branch, "
            "and early branches go through their own LayerNorm first",
        ),
        Method(
            "proxyclip",
            "ProxyCLIP",
            "Lan et al. 2024",
            "last block",
            summary="CLIP's values, gathered by DINO's similarities",
            parts=("identity",),
            class_token=False,
            proxy=True,
        ),
        Method(
            "trident",
            "Trident",
            "Shi et al. 2024",
            "last block",
            summary="as ProxyCLIP, windows joined and gathered by SAM's attention",
            parts=("identity",),
            class_token=False,
            proxy=True,
            splice=True,
            deviation="the mean similarity is that of all windows together",
        ),
    )
}
"""By name; the first is the default."""


def find_method(name: str) -> Method:
    """A method by name or title; `ValueError` lists the names if there is none."""
    if name in METHODS:
        return METHODS[name]
    for method in METHODS.values():
        if name.strip().casefold() in (method.name, method.title.casefold()):
            return method
    raise ValueError(f"method: no method {name!r}; choose one of {', '.join(METHODS)}")
