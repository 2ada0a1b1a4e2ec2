"""The method on one page: encode, classify, find regions, refine.

S2CLIP, reconstructed from the paper's published appendix. NumPy at the borders, torch
inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .classes import ClassEntry, ClassSet
from .completion import check_fit, check_models
from .features.diagnostics import entropy_by_block
from .features.encode import ImageFeatures
from .features.keep import encode_kept, open_store, sam_kept
from .image import RGBImage, to_rgb
from .loaded import LoadedModels
from .progress import CancelToken, Clock, ProgressCallback, Reporter
from .recall import Recall
from .refine.click import refine_prompt
from .region_table import region_table
from .results import Segmentation
from .stages import classify_features, refine, regions_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from .features.entropy import EntropyMode
    from .features.store import FeatureStore
    from .settings import Settings

__all__ = ["S2CLIP", "ImageFeatures"]


class S2CLIP(LoadedModels):
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
        recall: Recall | None = None,
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
        recall : Recall, optional
            What is known of these features from before; see
            `napari_s2clip.LiveSegmentation`, which sees to it that it is of them.

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
        recall = Recall() if recall is None else recall
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
            coarse = classify_features(
                self, features, classes, settings, report, recall
            )
        with clock("regions"):
            found = regions_of(coarse, settings, report, recall)
        with clock("refine"):
            refinement = refine(
                self, features, coarse, found, settings, report, recall, kept
            )
        # Until here classes go by their position; what is given back has their ids.
        return Segmentation(
            classes=classes,
            coarse=classes.label_values(coarse.labels),
            regions=found.region_map,
            region_table=region_table(
                found.regions,
                found.region_map,
                found.regions.labels.shape,
                refinement,
                classes,
            ),
            refined=classes.label_values(refinement.refined),
            owners=refinement.owners,
            probabilities=coarse.maps.probabilities,
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
