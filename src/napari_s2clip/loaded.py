"""The models of a specification, loaded, and settings completed for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from .completion import check_settings, complete_settings, take_settings
from .models.bring import download_parts
from .models.device import choose_device
from .models.diffusion import DiffusionModel, check_diffusion, load_diffusion
from .models.find import find_card, find_spec
from .models.load import ALL_PARTS, Models, load_models
from .progress import CancelToken, ProgressCallback, Reporter
from .provenance import provenance
from .refine.probabilities import check_refiner
from .text import TextEncoder

if TYPE_CHECKING:
    import torch

    from .models.parts import PartName
    from .models.specs import ModelSpec, Precision
    from .settings import Settings
    from .store import WeightStore

__all__ = ["LoadedModels"]


class LoadedModels:
    """What `S2CLIP` knows of its models.

    Attributes
    ----------
    spec : ModelSpec
    models : Models
    device : torch.device
    diffusion : DiffusionModel or None
    text : TextEncoder
        Vectors of class names, which it remembers.
    """

    def __init__(
        self,
        spec: ModelSpec,
        models: Models,
        device: torch.device,
        diffusion: DiffusionModel | None = None,
    ) -> None:
        self.spec = spec
        self.models = models
        self.device = device
        self.diffusion = diffusion
        self.text = TextEncoder(lambda: self.models.clip)

    @classmethod
    def load(
        cls,
        spec: str | ModelSpec = "demo",
        *,
        device: str = "auto",
        vfm: str | None = None,
        sam: str | None = None,
        precision: Precision = "auto",
        weights: Literal["random"] | Mapping[str, Path | str] | None = None,
        diffusion: str | Path | DiffusionModel | None = None,
        compiled: bool = False,
        parts: Iterable[PartName] = ALL_PARTS,
        weight_store: WeightStore | None = None,
        download: bool = False,
        progress: ProgressCallback | None = None,
        cancel: CancelToken | None = None,
    ) -> Self:
        """Load the models of a specification.

        Opens a network connection only with ``download=True``, and only for files that
        are not on this computer.

        Parameters
        ----------
        spec : str or ModelSpec
            ``"demo"``, ``"fast"``, ``"balanced"``, ``"best"``, ``"vit-b-16"``,
            ``"vit-l-14"``, ``"vit-h-14"``, a preset of the user's own
            (`napari_s2clip.models.own`), or open_clip's name of a plain ViT such as
            ``"ViT-B-32"``.
        device : str
            ``"auto"`` is CUDA, then MPS, then the CPU.
        vfm : str, optional
            Another fusion model than the specification's, a key of
            `napari_s2clip.models.specs.VFMS`.
        sam : str, optional
            Another SAM to refine, a key of `napari_s2clip.models.specs.SAMS`.
        precision : {"auto", "fp32", "bf16", "fp16"}
            Of CLIP and the fusion model. ``"auto"`` is what the specification prefers,
            which for ``"demo"`` is fp32; then fp16 with CUDA, bf16 on a CPU that has
            instructions for it, else fp32. Other results are never exactly the same.
        weights : "random" or mapping, optional
            Files instead of those in the store, by part (``"clip"``, ``"vfm"``,
            ``"sam"``); ``"random"`` builds the real sizes without weights.
        diffusion : path or DiffusionModel, optional
            Folder of a Stable Diffusion in the layout of diffusers, for
            ``Settings(probability_refiner="diffusion")``.
        compiled : bool
            Whether ``torch.compile`` makes SAM's image encoder faster, for many images
            on one device: the first takes from seconds to minutes longer.
        parts : iterable of {"clip", "vfm", "sam"}
            Loaded now; the others when they are first used, so that nobody needs a SAM
            for coarse maps.
        weight_store : WeightStore, optional
            Where weight files are.
        download : bool
            Whether weight files that are missing are downloaded.
        progress : callable, optional
            Called with a `Progress`.
        cancel : CancelToken, optional

        Raises
        ------
        WeightsNotFound
            If a weight file is missing.
        StoreError
            If a file cannot be downloaded, or is not the one that was published.
        ValueError
            If a name is unknown, a file does not fit, or the device cannot compute in
            the precision.
        """
        check_diffusion(diffusion)
        found = find_spec(spec)
        if vfm is not None:
            found = found.with_vfm(find_card("vfm", vfm))
        if sam is not None:
            found = found.with_sam(find_card("sam", sam))
        chosen = choose_device(device)
        report = Reporter(progress, cancel)
        parts = tuple(parts)
        if download and not isinstance(weights, str):
            download_parts(found, parts, weights, weight_store, progress, cancel)
        models = load_models(
            found,
            chosen,
            weights,
            report,
            precision,
            parts=parts,
            store=weight_store,
            compiled=compiled,
        )
        if isinstance(diffusion, str | Path):
            diffusion = load_diffusion(diffusion, chosen)
        return cls(found, models, chosen, diffusion)

    @property
    def precision(self) -> str:
        """What CLIP and the fusion model compute in: fp32, bf16 or fp16."""
        return self.models.precision

    def release(self) -> None:
        """Free the memory of the models; they are loaded again when they are used."""
        self.models.release()

    def held(self) -> dict[PartName, int]:
        """Bytes of the weights of each part that is loaded."""
        return self.models.held()

    def forget_texts(self) -> None:
        """Free the vectors of all class names met so far."""
        self.text.clear()

    def complete(self, settings: Settings | None = None) -> Settings:
        """Settings with what the model and the method recommend filled in.

        Raises
        ------
        ValueError
            If they are no `Settings`, or this model cannot follow them; names the field
            and its range.
        """
        complete = complete_settings(self.spec, take_settings(settings))
        check_settings(complete, self.models.clip)
        check_refiner(complete, self.diffusion)
        return complete

    def provenance(
        self, settings: Settings, notes: Sequence[str] = ()
    ) -> dict[str, Any]:
        """What made a result, as plain data: models, settings, versions, notes."""
        return provenance(self, settings, notes)
