"""The three models of a specification, each built when it is first used."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import torch
from torch import Tensor, nn

from .. import __version__
from .._triton import avoid_triton
from ..progress import Reporter
from ..store import WeightStore
from .build import build, clip_tokenizer
from .clip import ClipModel
from .parts import Computed, PartName, Precision
from .pixels import clip_statistics
from .precision import DTYPES, choose_precision
from .sam import SamModel
from .vfm import FusionModel, SamEncoder, VisionModel
from .weights import locate, locate_all

if TYPE_CHECKING:
    from .cards import ModelCard
    from .specs import ModelSpec

__all__ = ["ALL_PARTS", "Models", "import_libraries", "load_models"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

ALL_PARTS: Final[tuple[PartName, ...]] = get_args(PartName)


class Models:
    """The parts of a specification, ready on a device.

    A part is built when it is first used, or by `prepare`; `release` frees the memory
    of all, and they are built again when they are used again.

    Parameters
    ----------
    spec : ModelSpec
    device : torch.device
    precision : {"fp32", "bf16", "fp16"}
    files : mapping
        Weight file by part; None for random weights. A part that is missing here is
        looked for in the store when it is first used.
    origin : dict
        For each part its title, architecture, file name, SHA-256 and precision.
    store : WeightStore, optional
    compiled : bool
        Whether SAM's image encoder is compiled, see `SamModel`.
    """

    def __init__(
        self,
        spec: ModelSpec,
        device: torch.device,
        precision: Computed,
        files: Mapping[PartName, Path | None],
        origin: dict[PartName, dict[str, str]],
        store: WeightStore | None = None,
        *,
        compiled: bool = False,
    ) -> None:
        self.spec = spec
        self.device = device
        self.precision = precision
        self.origin = origin
        self.compiled = compiled
        self._files = dict(files)
        self._store = store
        self._lock = threading.RLock()
        self._built: dict[PartName, Any] = {}

    @property
    def clip(self) -> ClipModel:
        """Image and text encoder."""
        found: ClipModel = self._get("clip")
        return found

    @property
    def vfm(self) -> FusionModel:
        """What tells which patches belong together."""
        found: FusionModel = self._get("vfm")
        return found

    @property
    def sam(self) -> SamModel:
        """What refines."""
        found: SamModel = self._get("sam")
        return found

    def prepare(
        self, parts: Iterable[PartName] = ALL_PARTS, report: Reporter | None = None
    ) -> None:
        """Build parts now instead of when they are first used."""
        report = report or Reporter()
        parts = tuple(parts)
        for done, part in enumerate(parts):
            report("load", done, len(parts), self._card(part).title)
            self._get(part)
        report("load", len(parts), len(parts))

    def held(self) -> dict[PartName, int]:
        """Bytes of the weights of each part that is built; shared ones count once."""
        with self._lock:
            counted: set[int] = set()
            held: dict[PartName, int] = {}
            for part, model in self._built.items():
                own = {id(t): t for t in _tensors(model) if id(t) not in counted}
                held[part] = sum(t.numel() * t.element_size() for t in own.values())
                counted |= own.keys()
            return held

    def release(self) -> None:
        """Free the memory of all parts; the device's goes back to the system."""
        with self._lock:
            self._built.clear()
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        elif self.device.type == "mps":
            torch.mps.empty_cache()

    def _get(self, part: PartName) -> Any:
        with self._lock:
            if part not in self._built:
                self._built[part] = self._build(part)
            return self._built[part]

    def _card(self, part: PartName) -> ModelCard:
        card: ModelCard = getattr(self.spec, part)
        return card

    def _file(self, part: PartName) -> Path | None:
        if part not in self._files:
            self._files[part] = locate(self._card(part), None, self._store)
        return self._files[part]

    def _build(self, part: PartName) -> Any:
        card, path = self._card(part), self._file(part)
        dtype = DTYPES[self.precision]
        if part == "vfm" and card.is_sam and self._shares_sam():
            return SamEncoder(self.sam)
        module = build(card, path)
        if part == "clip":
            return ClipModel(
                module,
                clip_tokenizer(card),
                self.device,
                *clip_statistics(card, module.visual, path),
                dtype,
            )
        if part == "sam":
            return SamModel(module, self.device, dtype, compiled=self.compiled)
        if card.is_sam:
            return SamEncoder(SamModel(module, self.device, dtype))
        return VisionModel(module, self.device, IMAGENET_MEAN, IMAGENET_STD, dtype)

    def _shares_sam(self) -> bool:
        """Whether the fusion model is the SAM that refines, which is then held once."""
        same = self.spec.vfm.architecture == self.spec.sam.architecture
        return same and self._file("vfm") == self._file("sam")


def import_libraries() -> None:
    """Import what models are built of, which takes seconds the first time."""
    avoid_triton()
    import open_clip  # noqa: F401
    import segment_anything  # noqa: F401


def load_models(
    spec: ModelSpec,
    device: torch.device,
    weights: Literal["random"] | Mapping[str, Path | str] | None = None,
    report: Reporter | None = None,
    precision: Precision = "auto",
    *,
    parts: Iterable[PartName] = ALL_PARTS,
    store: WeightStore | None = None,
    compiled: bool = False,
) -> Models:
    """Find the weights of ``spec`` and build ``parts`` on ``device``.

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
    parts : iterable of {"clip", "vfm", "sam"}
        Those whose files must be here; the others are built when they are first used.
    store : WeightStore, optional
    compiled : bool
        Whether SAM's image encoder is compiled, see `SamModel`.

    Raises
    ------
    WeightsNotFound
        If a weight file is missing; looked for before anything is built.
    ChecksumMismatch
        If a file of the store is not the one that was published, or first used.
    ValueError
        If a file holds no weights or does not fit its architecture, or the device does
        not fit the precision.
    """
    avoid_triton()
    parts = tuple(parts)
    store = store or WeightStore()
    computed = choose_precision(precision, device, spec.precision)
    if isinstance(weights, str):
        if weights != "random":
            raise ValueError(
                f"weights: {weights!r} is not 'random'; give a mapping such as "
                "{'sam': PATH}"
            )
        files: dict[PartName, Path | None] = dict.fromkeys(ALL_PARTS)
        given: Mapping[str, Path | str] = {}
    else:
        given = weights or {}
        files = {**locate_all(spec, given, store, parts)}
    checksum = cache(store.records.checksum)
    origin: dict[PartName, dict[str, str]] = {}
    for card in spec.parts:
        path = files.get(card.role)
        # A file that was given instead of the published one is held to nothing.
        own = card.path is not None or path != store.find(card)
        found = (
            "" if path is None else checksum(path) if own else store.check(card, path)
        )
        nothing = "random weights" if card.role in files else ""
        origin[card.role] = {
            "title": card.title,
            "architecture": card.architecture,
            "file": path.name if path else nothing,
            "sha256": found,
            "package": f"napari-s2clip {__version__}" if card.built_in else "",
            "precision": computed,
        }
    models = Models(spec, device, computed, files, origin, store, compiled=compiled)
    models.prepare(parts, report)
    return models


def _tensors(model: Any) -> Iterator[Tensor]:
    """The tensors that a model of ours holds: parameters, and laid out copies."""
    for value in vars(model).values():
        if isinstance(value, (ClipModel, SamModel, VisionModel, SamEncoder)):
            yield from _tensors(value)
        elif isinstance(value, nn.Module):
            for module in value.modules():
                yield from (v for v in module.parameters(recurse=False))
                yield from (v for v in module.buffers(recurse=False))
                yield from (v for v in vars(module).values() if isinstance(v, Tensor))
