"""The method on one page: encode, classify, find regions, refine.

S2CLIP, reconstructed from the paper's published appendix. NumPy at the borders, torch
inside.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from . import __version__
from .classes import ClassEntry, ClassSet
from .classification import phrase_scores
from .coarse import CoarseMap, classify
from .completion import (
    check_fit,
    check_models,
    check_settings,
    complete_settings,
    take_settings,
)
from .features.diagnostics import entropy_by_block
from .features.encode import ImageFeatures
from .features.keep import encode_kept, open_store, sam_kept
from .image import RGBImage, to_rgb
from .methods import METHODS
from .models.bring import download_parts
from .models.device import choose_device
from .models.diffusion import DiffusionModel, check_diffusion, load_diffusion
from .models.find import find_card, find_spec
from .models.load import ALL_PARTS, Models, load_models
from .progress import CancelToken, Clock, ProgressCallback, Reporter
from .refine.click import refine_prompt
from .refine.probabilities import (
    REFINER_TITLES,
    check_refiner,
    refine_probabilities,
)
from .refine.refine import refine_regions
from .refine.result import Refinement
from .region_table import region_table
from .regions import Regions, find_regions, full_resolution_regions, half_resolution
from .results import Segmentation
from .text import TextEncoder
from .versions import library_versions

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import torch
    from numpy.typing import ArrayLike, NDArray

    from .features.entropy import EntropyMode
    from .features.store import FeatureStore
    from .models.parts import PartName
    from .models.specs import ModelSpec, Precision
    from .settings import Settings
    from .store import WeightStore

__all__ = ["S2CLIP", "ImageFeatures"]


class S2CLIP:
    """Open-vocabulary segmentation without training.

    Make one with `S2CLIP.load`.

    Examples
    --------
    >>> model = S2CLIP.load("demo")
    >>> features = model.encode(image)
    >>> result = model.segment(features, ["red circle", "grass"])
    >>> result.refined.shape == image.shape[:2]
    True
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
        self._text = TextEncoder(lambda: self.models.clip)

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
    ) -> S2CLIP:
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

    def encode(
        self,
        image: Any,
        *,
        settings: Settings | None = None,
        store: FeatureStore | bool = False,
        progress: ProgressCallback | None = None,
        cancel: CancelToken | None = None,
    ) -> ImageFeatures:
        """Encode an image once; `segment` takes the result with any class names.

        Parameters
        ----------
        image : array_like or RGBImage
            See `napari_s2clip.image.to_rgb`.
        settings : Settings, optional
        store : FeatureStore or bool
            Where features are kept on disk: the same image, encoded with the same
            settings and models, is then read instead. True is the default store.
        progress : callable, optional
        cancel : CancelToken, optional

        Raises
        ------
        ValueError
            If the image cannot be segmented; the message says what to do.
        Cancelled
            If ``cancel`` was raised.
        """
        rgb = image if isinstance(image, RGBImage) else to_rgb(image)
        return encode_kept(
            self.models,
            rgb,
            self.complete(settings),
            Reporter(progress, cancel),
            open_store(store),
        )

    def segment(
        self,
        image: Any,
        classes: ClassSet | Sequence[str | ClassEntry],
        *,
        settings: Settings | None = None,
        background: Sequence[str] = (),
        store: FeatureStore | bool = False,
        progress: ProgressCallback | None = None,
        cancel: CancelToken | None = None,
    ) -> Segmentation:
        """Segment an image, or features of one, by class names.

        Parameters
        ----------
        image : array_like, RGBImage or ImageFeatures
        classes : ClassSet or sequence of str
            ``"car | automobile"`` names a class and a synonym.
        settings : Settings, optional
            With features, by default those they were encoded with.
        background : sequence of str
            Words whose pixels become 0; only with a sequence of class names.
        store : FeatureStore or bool
            See `encode`.
        progress : callable, optional
        cancel : CancelToken, optional

        Raises
        ------
        ValueError
            If classes, image or settings do not fit; the message says what to do.
        Cancelled
            If ``cancel`` was raised.
        """
        if isinstance(classes, ClassSet):
            if background:
                raise ValueError(
                    "background is given twice; put the words into the ClassSet"
                )
        else:
            classes = ClassSet(classes, background)
        report, kept = Reporter(progress, cancel), open_store(store)
        clock = Clock()
        if isinstance(image, ImageFeatures):
            features = image
            wanted = features.settings if settings is None else settings
            settings = self.complete(wanted)
            check_fit(features, settings, self.models)
        else:
            settings = self.complete(settings)
            with clock("encode"):
                features = self.encode(
                    image,
                    settings=settings,
                    store=kept or False,
                    progress=progress,
                    cancel=cancel,
                )
        with clock("classify"):
            coarse = self._classify(features, classes, settings, report)
        with clock("regions"):
            report("regions", 0, 1)
            small = half_resolution(coarse.labels, coarse.probabilities)
            regions = find_regions(
                *small,
                threshold=settings.coarse_threshold,
                min_area=settings.min_region_area,
                background=settings.refine_background,
                connected=settings.connected_components,
            )
            region_map = full_resolution_regions(regions, coarse.labels)
            report("regions", 1, 1)
        with clock("refine"):
            refinement = self._refine(
                features, coarse, regions, region_map, settings, report, kept
            )
        # Until here classes go by their position; what is given back has their ids.
        return Segmentation(
            classes=classes,
            coarse=classes.label_values(coarse.labels),
            regions=region_map,
            region_table=region_table(
                regions, region_map, small[0].shape, refinement, classes
            ),
            refined=classes.label_values(refinement.refined),
            owners=refinement.owners,
            probabilities=coarse.probabilities,
            provenance=self.provenance(settings, features.notes),
            seconds=clock.seconds,
        )

    def refine_prompt(
        self,
        image: Any,
        *,
        points: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        box: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        progress: ProgressCallback | None = None,
        cancel: CancelToken | None = None,
    ) -> tuple[NDArray[np.bool_], float]:
        """A mask of the image and its score from clicks, a box or a mask.

        See `napari_s2clip.refine.refine_prompt`.

        Parameters
        ----------
        image : array_like, RGBImage or ImageFeatures
            Features are encoded by SAM once, now if they were not; an image each time.
        points, labels, box, mask : array_like, optional
        progress : callable, optional
        cancel : CancelToken, optional

        Raises
        ------
        ValueError
            If other models made the features, or a prompt does not fit.
        Cancelled
            If ``cancel`` was raised.
        """
        report = Reporter(progress, cancel)
        if isinstance(image, ImageFeatures):
            check_models(image, self.models)
            if image.sam is None:
                image.sam = sam_kept(
                    self.models, image.image, report, None, stage="refine"
                )
            embedding = image.sam
        else:
            rgb = image if isinstance(image, RGBImage) else to_rgb(image)
            embedding = sam_kept(self.models, rgb.pixels, report, None, stage="refine")
        report("refine", 0, 1, "SAM decoder")
        found = refine_prompt(
            self.models.sam,
            embedding,
            points=points,
            labels=labels,
            box=box,
            mask=mask,
        )
        report("refine", 1, 1)
        return found

    def entropy(
        self,
        image: Any,
        *,
        settings: Settings | None = None,
        mode: EntropyMode = "fixed",
        diagnostics: bool = False,
        progress: ProgressCallback | None = None,
        cancel: CancelToken | None = None,
    ) -> pd.DataFrame:
        """Spatial entropy of every block of CLIP for an image (Algorithm 1).

        Parameters
        ----------
        image : array_like or RGBImage
        settings : Settings, optional
            How the image is cut into windows.
        mode : {"fixed", "strict"}
            ``"strict"`` is Algorithm 1 as printed, ``"fixed"`` without its errors.
        diagnostics : bool
            Also the Gini coefficient and the correlation of channels.
        progress : callable, optional
        cancel : CancelToken, optional

        Returns
        -------
        pandas.DataFrame
            One row a block but the last: ``block`` (from 0), ``entropy`` in nats,
            ``normalised`` (0 to 1), and ``gini``, ``correlation``; means over the
            windows.
        """
        rgb = image if isinstance(image, RGBImage) else to_rgb(image)
        return entropy_by_block(
            self.models,
            rgb.pixels,
            self.complete(settings),
            Reporter(progress, cancel),
            mode=mode,
            diagnostics=diagnostics,
        )

    def release(self) -> None:
        """Free the memory of the models; they are loaded again when they are used."""
        self.models.release()

    def held(self) -> dict[PartName, int]:
        """Bytes of the weights of each part that is loaded."""
        return self.models.held()

    def forget_texts(self) -> None:
        """Free the vectors of all class names met so far."""
        self._text.clear()

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

    def _classify(
        self,
        features: ImageFeatures,
        classes: ClassSet,
        settings: Settings,
        report: Reporter,
    ) -> CoarseMap:
        refiner = settings.probability_refiner
        parts = 2 if refiner == "none" else 3

        def step(part: int, message: str = "") -> Callable[[int, int], None]:
            return lambda done, total: report(
                "classify", part * total + done, parts * total, message
            )

        report("classify", 0, 1, "class names")
        phrases = [p for entry in classes for p in entry.phrases]
        text = self._text([*phrases, *classes.background])
        scores = phrase_scores(
            self.models.clip,
            features,
            text,
            len(phrases),
            settings,
            step(0),
        )
        coarse = classify(
            scores.maps,
            classes,
            features.image_size,
            logit_scale=None if scores.are_shares else settings.logit_scale,
            probability_threshold=settings.probability_threshold,
            on_rows=step(1),
        )
        return refine_probabilities(
            coarse,
            features.image,
            settings,
            self.device,
            self.diffusion,
            step(2, REFINER_TITLES[refiner]),
            thresholds=classes.thresholds,
        )

    def _refine(
        self,
        features: ImageFeatures,
        coarse: CoarseMap,
        regions: Regions,
        region_map: NDArray[np.int32],
        settings: Settings,
        report: Reporter,
        store: FeatureStore | None,
    ) -> Refinement:
        if not settings.refine:
            return Refinement.none(coarse.labels, region_map, len(regions.classes))
        if features.sam is None:
            features.sam = sam_kept(
                self.models, features.image, report, store, stage="refine"
            )
        return refine_regions(
            self.models.sam,
            features.sam,
            coarse.labels,
            coarse.probabilities,
            regions,
            settings,
            region_map=region_map,
            report=report,
        )

    def provenance(
        self, settings: Settings, notes: Sequence[str] = ()
    ) -> dict[str, Any]:
        """What made a result, as plain data: models, settings, versions, notes."""
        return {
            "software": f"napari-s2clip {__version__}",
            "method": METHODS[settings.method].credit,
            "model": self.spec.name,
            "parts": self.models.origin,
            "device": str(self.device),
            "precision": self.precision,
            "sam_compiled": self.models.compiled,
            "settings": settings.model_dump(mode="json"),
            "input_notes": list(notes),
            "versions": {"python": platform.python_version(), **library_versions()},
        }
