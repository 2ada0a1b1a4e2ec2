"""Encoding with a store: what is there is taken, what is made is kept.

SAM's embedding is an entry apart from the dense features. It does not depend on the
settings, so other windows or levels do not need it again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from .. import __version__
from ..versions import library_versions
from .encode import ImageFeatures, encode_image
from .methods import find_method
from .store import FeatureStore
from .store_format import pack, pack_sam, unpack, unpack_sam
from .windows import plan_windows, size_notes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..image import RGBImage
    from ..models.load import Models
    from ..models.sam import SamEmbedding
    from ..models.specs import PartName
    from ..progress import Reporter, Stage
    from ..settings import Settings
    from .entry import Arrays

__all__ = ["encode_kept", "open_store", "sam_kept"]

log = logging.getLogger(__name__)

_Found = TypeVar("_Found")


def open_store(store: FeatureStore | bool) -> FeatureStore | None:
    """The store that a caller means: True is the default one, False is none.

    Raises
    ------
    ValueError
        If it is neither, or the limit of the default store is not a size.
    """
    if isinstance(store, FeatureStore):
        return store
    if not isinstance(store, bool):
        raise ValueError(f"store is {store!r}; give True, False or a FeatureStore")
    return FeatureStore() if store else None


def encode_kept(
    models: Models,
    image: RGBImage,
    settings: Settings,
    report: Reporter,
    store: FeatureStore | None,
) -> ImageFeatures:
    """Features of an image, from the store if they are there, else encoded and kept.

    Settings of later stages do not matter for that; SAM's embedding is added if they
    refine. Where the store cannot be used, one warning says so and the run goes on.

    Parameters
    ----------
    models : Models
    image : RGBImage
    settings : Settings
        Complete (`ModelSpec.complete`).
    report : Reporter
    store : FeatureStore or None
        None encodes in any case.
    """
    plan = plan_windows(image.pixels.shape[:2], settings, models.clip.patch_size)
    image = replace(image, notes=(*image.notes, *size_notes(plan, settings)))
    if store is None:
        return encode_image(models, image.pixels, settings, report, image.notes)
    key = _dense_key(models, image.pixels, settings)
    features = _look_up(store, key, lambda a, m: unpack(a, m, image, models.device))
    if features is not None:
        # Those of other stages, and of SAM, are the present ones.
        features = replace(features, settings=settings, model=models.origin, sam=None)
        if settings.refine:
            features.sam = sam_kept(models, image.pixels, report, store, stage="encode")
        report("encode", 1, 1, "kept on disk")
        return features
    sam = _find_sam(models, image.pixels, store) if settings.refine else None
    features = encode_image(
        models,
        image.pixels,
        settings if sam is None else settings.model_copy(update={"refine": False}),
        report,
        image.notes,
    )
    _keep(store, key, *pack(features))
    if sam is not None:
        return replace(features, settings=settings, sam=sam)
    if features.sam is not None:
        _keep(store, _sam_key(models, image.pixels), *pack_sam(features.sam))
    return features


def sam_kept(
    models: Models,
    image: NDArray[np.uint8],
    report: Reporter,
    store: FeatureStore | None,
    *,
    stage: Stage,
) -> SamEmbedding:
    """SAM's embedding of uint8 RGB (H, W, 3), from the store if it is there.

    Otherwise it is made, which is reported as the first step of ``stage``, and kept.
    """
    found = None if store is None else _find_sam(models, image, store)
    if found is not None:
        return found
    report(stage, 0, 1, "SAM image embedding")
    embedding = models.sam.encode(image)
    if store is not None:
        _keep(store, _sam_key(models, image), *pack_sam(embedding))
    return embedding


def _find_sam(
    models: Models, image: NDArray[np.uint8], store: FeatureStore
) -> SamEmbedding | None:
    key = _sam_key(models, image)
    return _look_up(store, key, lambda a, m: unpack_sam(a, m, models.device))


def _dense_key(models: Models, image: NDArray[np.uint8], settings: Settings) -> str:
    names = settings.of_stage("encode")
    values = settings.model_dump(mode="json", include=set(names))
    # Methods that splice windows aggregate them with SAM's attention.
    sam: tuple[PartName, ...] = ("sam",) if find_method(settings.method).splice else ()
    return FeatureStore.key(image, values, _origin(models, "clip", "vfm", *sam))


def _sam_key(models: Models, image: NDArray[np.uint8]) -> str:
    return FeatureStore.key(image, {}, _origin(models, "sam"))


def _origin(models: Models, *parts: PartName) -> dict[str, Any]:
    """What else the numbers depend on, to the last bit."""
    return {
        "parts": {part: models.origin[part] for part in parts},
        "device": models.device.type,
        "sam_compiled": models.compiled,
        "software": __version__,
        "versions": library_versions(),
    }


def _look_up(
    store: FeatureStore, key: str, read: Callable[[Arrays, Mapping[str, Any]], _Found]
) -> _Found | None:
    try:
        found = store.get(key)
    except OSError as error:
        _warn(store, error)
        return None
    if found is None:
        return None
    try:
        return read(*found)
    except ValueError as error:
        log.warning("%s in %s is removed: %s", key, store.folder, error)
    # The error held the arrays too, and Windows deletes no file that is mapped.
    del found
    store.discard(key)
    return None


def _keep(
    store: FeatureStore, key: str, arrays: Arrays, meta: Mapping[str, Any]
) -> None:
    try:
        store.put(key, arrays, meta)
    except OSError as error:
        _warn(store, error)


def _warn(store: FeatureStore, error: OSError) -> None:
    """Say once a store that it does not work; it may do so for the next image."""
    if not store.warned:
        log.warning(
            "features are not kept in %s: %s; the run goes on without",
            store.folder,
            error.strerror or error,
        )
    store.warned = True
