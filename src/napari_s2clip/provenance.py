"""What made a result."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any

from . import __version__
from .methods import METHODS
from .versions import library_versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .loaded import LoadedModels
    from .settings import Settings

__all__ = ["provenance"]


def provenance(
    model: LoadedModels, settings: Settings, notes: Sequence[str] = ()
) -> dict[str, Any]:
    """Models, settings, versions and notes on the input, as plain data."""
    return {
        "software": f"napari-s2clip {__version__}",
        "method": METHODS[settings.method].credit,
        "model": model.spec.name,
        "parts": model.models.origin,
        "device": str(model.device),
        "precision": model.precision,
        "sam_compiled": model.models.compiled,
        "settings": settings.model_dump(mode="json"),
        "input_notes": list(notes),
        "versions": {"python": platform.python_version(), **library_versions()},
    }
