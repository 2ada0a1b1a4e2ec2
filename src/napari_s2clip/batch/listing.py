"""What somebody who looks through a folder of results wants to know of each image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .finished import FinishedImage, finished_images
from .journal import read_entries

if TYPE_CHECKING:
    from ..progress import CancelToken

__all__ = ["Listed", "list_results", "look_at"]


@dataclass(frozen=True)
class Listed:
    """One image of a folder.

    Attributes
    ----------
    name : str
        As of `napari_s2clip.batch.Input`.
    reviewed : bool or None
        Whether somebody looked through it; None if that is not known.
    edited : bool
        Whether corrections of it were saved.
    error : str
        Why there is nothing of it, in a sentence.
    """

    name: str
    reviewed: bool | None = None
    edited: bool = False
    error: str = ""


def list_results(folder: str | Path, cancel: CancelToken | None = None) -> list[Listed]:
    """Images of a folder, those that failed too, in the order of their names.

    Parameters
    ----------
    folder : path
    cancel : CancelToken, optional

    Raises
    ------
    ValueError
        If no image was finished.
    Cancelled
    OSError
    """
    folder = Path(folder)
    found = []
    for image in finished_images(folder):
        if cancel is not None:
            cancel.raise_if_cancelled()
        found.append(look_at(image))
    names = {one.name for one in found}
    for name, entry in read_entries(folder).items():
        if entry.get("event") == "failed" and name not in names:
            found.append(Listed(name, error=str(entry.get("error", ""))))
    return sorted(found, key=lambda one: one.name)


def look_at(image: FinishedImage) -> Listed:
    """What is known of one image; label files are not read."""
    try:
        edited = image.description.get("edited")
        return Listed(image.name, image.reviewed, bool(edited))
    except (OSError, ValueError) as error:
        return Listed(image.name, error=str(error))
