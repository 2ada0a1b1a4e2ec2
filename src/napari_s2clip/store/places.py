"""Where weight files lie: the cache folder, and the Hugging Face Hub's own cache.

Nothing here opens a network connection.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from platformdirs import user_cache_path, user_config_path

__all__ = [
    "cache_folder",
    "config_folder",
    "hub_folder",
    "is_offline",
    "shared_hub_folder",
]

_CACHE: Final = "NAPARI_S2CLIP_CACHE"
_OFFLINE: Final = ("NAPARI_S2CLIP_OFFLINE", "HF_HUB_OFFLINE")
_TRUE: Final = frozenset({"1", "on", "yes", "true"})


def cache_folder() -> Path:
    """Folder of the weight files: ``NAPARI_S2CLIP_CACHE``, else the user's cache."""
    given = os.environ.get(_CACHE)
    return Path(given).expanduser() if given else user_cache_path("napari-s2clip")


def config_folder() -> Path:
    """Folder of what the user wrote: ``NAPARI_S2CLIP_CONFIG``, else the system's."""
    given = os.environ.get("NAPARI_S2CLIP_CONFIG")
    return Path(given).expanduser() if given else user_config_path("napari-s2clip")


def hub_folder(cache: Path | None = None) -> Path:
    """Where the Hugging Face Hub's client puts files for us.

    In a cache folder that was chosen, by hand or by ``NAPARI_S2CLIP_CACHE``, so that
    all weights are together; else `shared_hub_folder`.
    """
    if cache is None and os.environ.get(_CACHE):
        cache = cache_folder()
    return shared_hub_folder() if cache is None else cache / "hub"


def shared_hub_folder() -> Path:
    """The cache of the hub's client that all programs share.

    Its own variables (``HF_HUB_CACHE``, ``HF_HOME``) place it.
    """
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def is_offline() -> bool:
    """Whether ``NAPARI_S2CLIP_OFFLINE`` or ``HF_HUB_OFFLINE`` forbids the network."""
    return any(
        os.environ.get(name, "").strip().casefold() in _TRUE for name in _OFFLINE
    )
