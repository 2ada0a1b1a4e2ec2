"""Build the three models of a specification and fill in their weights."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from .. import __version__
from .._triton import avoid_triton
from ..demo import architectures
from ..progress import Reporter
from .clip import ClipModel
from .pixels import clip_statistics
from .precision import DTYPES, choose_precision
from .sam import SamModel
from .state import read_state
from .vfm import FusionModel, SamEncoder, VisionModel
from .weights import locate_all, sha256

if TYPE_CHECKING:
    from .cards import ModelCard
    from .parts import Computed, PartName, Precision
    from .specs import ModelSpec

__all__ = ["Models", "load_models"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Models:
    """The loaded parts and where they came from."""

    clip: ClipModel
    vfm: FusionModel
    sam: SamModel
    origin: dict[PartName, dict[str, str]]
    """For each part its title, architecture, file name, SHA-256 and precision."""
    precision: Computed = "fp32"
    """What CLIP and the fusion model compute in."""


def _fill(model: nn.Module, part: ModelCard, path: Path | None) -> nn.Module:
    if path is None:
        return model
    state = read_state(path, part.role)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        reason = str(error).splitlines()
        detail = reason[1].strip() if len(reason) > 1 else reason[0]
        raise ValueError(
            f"weights[{part.role!r}]: {path.name} does not fit {part.title} "
            f"({part.architecture}): {detail}"
        ) from error
    return model


@contextmanager
def _no_word_of_random_weights() -> Iterator[None]:
    """Drop open_clip's warning that a model has none; they are filled in afterwards."""
    thread = threading.get_ident()

    def passes(record: logging.LogRecord) -> bool:
        # What others build at the same time is their own concern.
        return record.thread != thread or not str(record.msg).startswith(
            "No pretrained weights loaded for model"
        )

    root = logging.getLogger()  # open_clip has no logger of its own
    root.addFilter(passes)
    try:
        yield
    finally:
        root.removeFilter(passes)


def _build_clip(part: ModelCard) -> nn.Module:
    if part.built_in:
        demo: nn.Module = architectures.build_clip()
        return demo
    import open_clip

    with _no_word_of_random_weights():
        model: nn.Module = open_clip.create_model(
            part.architecture, pretrained=None, load_weights=False
        )
    return model


def _clip_tokenizer(part: ModelCard) -> Callable[[list[str]], Tensor]:
    import open_clip

    if part.built_in:
        context = architectures.CLIP_CONFIG["text_cfg"]["context_length"]
        tokenizer: Callable[[list[str]], Tensor] = open_clip.SimpleTokenizer(
            context_length=context
        )
    else:
        tokenizer = open_clip.get_tokenizer(part.architecture)
    return tokenizer


def _build_vfm(part: ModelCard) -> nn.Module:
    if part.built_in:
        return architectures.build_dino()
    if part.is_sam:
        return _build_sam(part)
    import timm

    model: nn.Module = timm.create_model(
        part.architecture, pretrained=False, num_classes=0, dynamic_img_size=True
    )
    return model


def _build_sam(part: ModelCard) -> nn.Module:
    if part.built_in:
        demo: nn.Module = architectures.build_sam()
        return demo
    from segment_anything import sam_model_registry

    model: nn.Module = sam_model_registry[part.architecture](checkpoint=None)
    return model


def load_models(
    spec: ModelSpec,
    device: torch.device,
    weights: Literal["random"] | Mapping[str, Path | str] | None = None,
    report: Reporter | None = None,
    precision: Precision = "auto",
    *,
    compiled: bool = False,
) -> Models:
    """Load the parts of ``spec`` to ``device``.

    Parameters
    ----------
    spec : ModelSpec
    device : torch.device
    weights : "random" or mapping of str to path, optional
        ``"random"`` builds the real sizes without weights, from a fixed seed; a
        mapping gives files for the parts ``"clip"``, ``"vfm"``, ``"sam"``.
    report : Reporter, optional
    precision : {"auto", "fp32", "bf16", "fp16"}
        Of the image and text encoders, see `choose_precision`; SAM decodes in float32.
    compiled : bool
        Whether SAM's image encoder is compiled, see `SamModel`.

    Raises
    ------
    WeightsNotFound
        If a weight file is missing; looked for before anything is built.
    ValueError
        If a file holds no weights or does not fit its architecture, or the device does
        not fit the precision.
    """
    avoid_triton()
    report = report or Reporter()
    computed = choose_precision(precision, device, spec.precision)
    dtype = DTYPES[computed]
    if isinstance(weights, str):
        if weights != "random":
            raise ValueError(
                f"weights: {weights!r} is not 'random'; give a mapping such as "
                "{'sam': PATH}"
            )
        paths: dict[PartName, Path] = {}
    else:
        paths = locate_all(spec, weights)
    # A SAM that is fusion model too is held once.
    same = spec.vfm.architecture == spec.sam.architecture != "demo"
    shared = same and paths.get("vfm") == paths.get("sam")
    digest = cache(sha256)
    origin: dict[PartName, dict[str, str]] = {}
    built: dict[str, nn.Module] = {}
    builders = {"clip": _build_clip, "vfm": _build_vfm, "sam": _build_sam}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for done, part in enumerate(spec.parts):
            report("load", done, len(spec.parts), part.title)
            path = paths.get(part.role)
            if part.role == "sam" and shared:
                built["sam"] = built["vfm"]
            else:
                built[part.role] = _fill(builders[part.role](part), part, path)
            origin[part.role] = {
                "title": part.title,
                "architecture": part.architecture,
                "file": path.name if path else "random weights",
                "sha256": digest(path) if path else "",
                "package": f"napari-s2clip {__version__}" if part.built_in else "",
                "precision": computed,
            }
    report("load", len(spec.parts), len(spec.parts))
    clip = ClipModel(
        built["clip"],
        _clip_tokenizer(spec.clip),
        device,
        *clip_statistics(spec.clip, built["clip"].visual, paths.get("clip")),
        dtype,
    )
    sam = SamModel(built["sam"], device, dtype, compiled=compiled)
    vfm: FusionModel
    if spec.vfm.is_sam:
        vfm = SamEncoder(sam if shared else SamModel(built["vfm"], device, dtype))
    else:
        vfm = VisionModel(built["vfm"], device, IMAGENET_MEAN, IMAGENET_STD, dtype)
    return Models(clip, vfm, sam, origin, computed)
