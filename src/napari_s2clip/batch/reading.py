"""As what images are read: the same for a job and for whoever looks at its results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..planes.from_file import whole_target

if TYPE_CHECKING:
    from ..io.opened import OpenedImage
    from ..planes import Target

__all__ = ["Reading"]


@dataclass(frozen=True)
class Reading:
    """Which channels of an image were read, and how bright.

    Attributes
    ----------
    channels : tuple of int
        If empty, the first ones.
    contrast_limits : (float, float), optional
        If not given, percentiles of each plane.
    """

    channels: tuple[int, ...] = ()
    contrast_limits: tuple[float, float] | None = None

    def target(self, image: OpenedImage, name: str) -> Target:
        """The planes of an image.

        Raises
        ------
        ValueError
            If there is no such channel.
        """
        return whole_target(
            image, name, channels=self.channels, contrast_limits=self.contrast_limits
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        limits = self.contrast_limits
        return {
            "channels": list(self.channels),
            "contrast_limits": None if limits is None else list(limits),
        }

    @classmethod
    def of(cls, description: Mapping[str, Any]) -> Reading:
        """What the description of results says; what is usual where it says nothing."""
        about: Any = description.get("reading")
        about = about if isinstance(about, dict) else {}
        channels, limits = about.get("channels"), about.get("contrast_limits")
        if not (isinstance(channels, list) and all(type(c) is int for c in channels)):
            channels = []
        numbers = (int, float)
        if not (
            isinstance(limits, list)
            and len(limits) == 2
            and all(isinstance(n, numbers) for n in limits)
            and limits[0] < limits[1]
        ):
            limits = None
        return cls(tuple(channels), None if limits is None else (limits[0], limits[1]))
