"""What is done with every image of a job: one model for programs, panel and cluster."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..settings import Settings
from ..tiles import Tiling
from .reading import Reading

if TYPE_CHECKING:
    from ..classes import ClassSet
    from ..models.specs import Precision
    from ..pipeline import S2CLIP
    from ..progress import ProgressCallback

__all__ = ["Job"]

# These change how fast a result is there, not which one.
_BESIDE = ("device", "compiled", "keep_features", "pictures")


@dataclass(frozen=True)
class Job:
    """Classes, models and settings, as plain data that goes to any computer.

    Attributes
    ----------
    classes : ClassSet
    settings : Settings
    model : str
    vfm, sam : str, optional
        Other models than the model's own.
    device : str
    precision : {"auto", "fp32", "bf16", "fp16"}
    weights : mapping of str to str
        Weight files of the user's own, by part.
    diffusion : str, optional
        Folder of a Stable Diffusion.
    compiled : bool
    tiling : Tiling
        Planes that are larger than a tile are segmented tile by tile.
    channels : tuple of int
        Which are red, green and blue, where an image has channels: one, two or three.
        If empty, the first ones.
    contrast_limits : (float, float), optional
        What becomes black and white; if not given, percentiles of each plane.
    keep_features : bool
        Whether features are kept on disk, or taken from there.
    pictures : bool
        Whether pictures of the maps are written.
    """

    classes: ClassSet
    settings: Settings = field(default_factory=Settings)
    model: str = "demo"
    vfm: str | None = None
    sam: str | None = None
    device: str = "auto"
    precision: Precision = "auto"
    weights: Mapping[str, str] = field(default_factory=dict)
    diffusion: str | None = None
    compiled: bool = False
    tiling: Tiling = field(default_factory=Tiling)
    channels: tuple[int, ...] = ()
    contrast_limits: tuple[float, float] | None = None
    keep_features: bool = False
    pictures: bool = True

    def __post_init__(self) -> None:
        if len(self.channels) > 3 or any(c < 0 for c in self.channels):
            raise ValueError(
                f"channels: {self.channels}: give one, two or three numbers from 0"
            )
        limits = self.contrast_limits
        if limits is not None and not limits[0] < limits[1]:
            raise ValueError(
                f"contrast_limits: {limits}: give a number and a larger one"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        data = {f.name: getattr(self, f.name) for f in fields(self)}
        data |= {
            **self.classes.to_dict(),
            "settings": self.settings.model_dump(mode="json"),
            "weights": dict(self.weights),
            "tiling": {"tile": self.tiling.tile, "overlap": self.tiling.overlap},
            "channels": list(self.channels),
            "contrast_limits": self.contrast_limits and list(self.contrast_limits),
        }
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Job:
        """What `to_dict` gave.

        Raises
        ------
        ValueError
            If it is something else; the message names the field.
        """
        from ..io.class_lists import classes_from_dict

        known = {f.name for f in fields(cls)}
        missing = (known - {"classes"}) - data.keys()
        if missing:
            raise ValueError(f"{min(missing)}: is missing")
        limits = data["contrast_limits"]
        return cls(
            **{key: data[key] for key in known & data.keys()}
            | {
                "classes": classes_from_dict(data),
                "settings": Settings.model_validate(data["settings"]),
                "tiling": Tiling(**data["tiling"]),
                "channels": tuple(data["channels"]),
                "contrast_limits": tuple(limits) if limits else None,
            }
        )

    @property
    def reading(self) -> Reading:
        """As what the images are read."""
        return Reading(self.channels, self.contrast_limits)

    @property
    def fingerprint(self) -> str:
        """Stands for all that decides what is found in an image."""
        data = self.to_dict()
        for name in _BESIDE:
            del data[name]
        for entry in data["classes"]:
            entry.pop("colour", None)
        text = json.dumps(data, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def load(
        self,
        *,
        download: bool = False,
        device: str | None = None,
        progress: ProgressCallback | None = None,
        check: bool = True,
    ) -> S2CLIP:
        """Load the models, on the job's device or another one.

        With ``check`` the settings are held to what these models can do.

        Raises
        ------
        ValueError, OSError, RuntimeError
            As `S2CLIP.load`, and if the models cannot follow the settings.
        """
        from ..features.encode import needed_parts
        from ..pipeline import S2CLIP

        model = S2CLIP.load(
            self.model,
            device=device or self.device,
            vfm=self.vfm,
            sam=self.sam,
            precision=self.precision,
            weights={part: Path(path) for part, path in self.weights.items()} or None,
            diffusion=self.diffusion and Path(self.diffusion),
            compiled=self.compiled,
            parts=needed_parts(self.settings),
            download=download,
            progress=progress,
        )
        if check:
            model.complete(self.settings)
        return model
