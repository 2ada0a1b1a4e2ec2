"""What `write_segmentation` wrote, read again: as it is now, edits included."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..io.class_lists import classes_from_dict
from ..io.map_files import digest_of
from ..io.open_image import open_image
from ..io.results import MAPS, TEMPORARY
from .inputs import OWN_FOLDER
from .journal import read_entries
from .placed import digest_now, half_placed

if TYPE_CHECKING:
    import pandas as pd

    from ..classes import ClassSet
    from ..io.opened import OpenedImage

__all__ = ["FinishedImage", "Layer", "finished_images", "is_finished"]

Layer: TypeAlias = Literal["coarse", "regions", "refined"]

_LARGEST: Final = 1 << 26  # bytes of a description; real ones have thousands


@dataclass(frozen=True)
class FinishedImage:
    """The results of one image.

    Attributes
    ----------
    folder : Path
        Of the results of a job.
    name : str
        As of `Input`.
    """

    folder: Path
    name: str

    def path(self, ending: str) -> Path:
        """The file with an ending: ``.json``, ``_refined.tif`` and so on."""
        return self.folder / f"{self.name}{ending}"

    @cached_property
    def description(self) -> dict[str, Any]:
        """What is written beside the maps.

        Raises
        ------
        ValueError
            If it is damaged; the message names the file.
        OSError
        """
        path = self.path(".json")
        if path.stat().st_size > _LARGEST:
            raise ValueError(f"{path}: it is too large for a description")
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path}: it is no JSON ({error})") from None
        if not isinstance(data, dict):
            raise ValueError(f"{path}: it is no object")
        return data

    @cached_property
    def classes(self) -> ClassSet:
        """What the label values mean.

        Raises
        ------
        ValueError
            If that is not said as it should be; the message names the file.
        """
        description = self.description
        try:
            return classes_from_dict(description)
        except ValueError as error:
            raise ValueError(f"{self.path('.json')}: {error}") from None

    @property
    def source(self) -> Path | None:
        """The image, where its place is known."""
        about = self.description.get("source")
        path = about.get("path") if isinstance(about, dict) else None
        return Path(path) if isinstance(path, str) and path else None

    @property
    def reviewed(self) -> bool | None:
        """Whether somebody looked through it; None if that is not known."""
        found = self.description.get("reviewed")
        return found if isinstance(found, bool) else None

    @property
    def pixel_size(self) -> tuple[tuple[float, float] | None, str]:
        """Height and width of a pixel, and their unit."""
        size = self.description.get("pixel_size")
        if not (isinstance(size, list) and len(size) == 2):
            return None, ""
        return (float(size[0]), float(size[1])), str(self.description.get("unit", ""))

    def letters(self, count: int) -> tuple[str, ...]:
        """Names of so many axes before rows and columns, as the job wrote them.

        Programs that save a label file again may forget them.
        """
        about = self.description.get("image")
        axes = about.get("axes") if isinstance(about, dict) else None
        known = axes[:-2].lower() if isinstance(axes, str) else ""
        if len(known) != count:
            known = "q" * count
        alone = "z" if count == 1 else ""
        return tuple(
            (alone or f"axis{n}") if letter == "q" else letter
            for n, letter in enumerate(known)
        )

    def open(self, stage: str) -> OpenedImage:
        """The label file of a map, as it is now.

        Raises
        ------
        ValueError
            If it is damaged or no map; the message names the file.
        OSError
        """
        path = self.path(f"_{stage}.tif")
        opened = open_image(path)
        if opened.rgb or np.dtype(opened.data.dtype).kind not in "biu":
            opened.close()
            raise ValueError(
                f"{path}: it holds {opened.data.dtype}{' colours' * opened.rgb}, not "
                "one whole number a pixel"
            )
        return opened

    def is_edited(self, stage: str) -> bool | None:
        """Whether a label file is not what was written; None if that is not known.

        Raises
        ------
        ValueError, OSError
            If the file cannot be read.
        """
        known = self.description.get("maps")
        digest = known.get(stage) if isinstance(known, dict) else None
        if not isinstance(digest, str):
            return None
        with self.open(stage) as labels:
            return digest_of(labels.data) != digest

    @cached_property
    def table(self) -> pd.DataFrame:
        """The table of regions.

        Raises
        ------
        ValueError
            If it is damaged; the message names the file.
        OSError
        """
        import pandas as pd

        path = self.path("_regions.csv")
        try:
            table = pd.read_csv(path)
        except (ValueError, pd.errors.ParserError) as error:
            raise ValueError(f"{path}: it is damaged ({error})") from None
        for column in ("region", "class_id", "mean_probability", "sam_score"):
            if column not in table:
                raise ValueError(f"{path}: the column {column!r} is missing")
        return table


def finished_images(folder: str | Path) -> list[FinishedImage]:
    """Images whose results are in a folder, in the order of their names.

    Parameters
    ----------
    folder : path
        Of a job, or any folder that label maps and their descriptions were written to.

    Raises
    ------
    ValueError
        If there is none.
    OSError
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder}: there is no such folder")
    entries = read_entries(folder)
    if entries:
        names = [n for n, e in entries.items() if is_finished(folder, n, e)]
    else:
        names = list(_without_journal(folder))
    found = [FinishedImage(folder, name) for name in sorted(names)]
    found = [image for image in found if image.path(".json").is_file()]
    if not found:
        raise ValueError(
            f"{folder}: there are no results in it; run `napari-s2clip segment` first"
        )
    return found


def is_finished(folder: Path, name: str, entry: Mapping[str, Any]) -> bool:
    """Whether results are whole: noted as such, or from before an unfinished job.

    Parameters
    ----------
    folder : Path
        Of the results.
    name : str
        Of the image.
    entry : mapping
        Its last one in the journal.
    """
    if entry.get("event") == "done" or "before" not in entry:
        return entry.get("event") == "done"
    image = FinishedImage(folder, name)
    noted, before = entry.get("maps", {}), entry["before"].get("maps", {})
    try:
        about = image.description.get("maps")
        mixed = half_placed(folder, name)
        for stage in MAPS:
            if stage in noted and noted[stage] != before.get(stage):
                mixed.setdefault(stage, noted[stage])
        # Where the description is of the new files too, all had their places.
        return isinstance(about, dict) and not any(
            about.get(stage) != digest
            and digest_now(image.path(f"_{stage}.tif")) == digest
            for stage, digest in mixed.items()
        )
    except (OSError, ValueError):
        return False


def _without_journal(folder: Path) -> Iterator[str]:
    """Names of descriptions beside which there is a map."""
    for path in folder.rglob("*.json"):
        inside = path.relative_to(folder)
        if any(
            part.endswith(OWN_FOLDER) or part.startswith(TEMPORARY)
            for part in inside.parts
        ):
            continue
        stem = path.name.removesuffix(".json")
        if any(path.with_name(f"{stem}_{stage}.tif").is_file() for stage in MAPS):
            yield (inside.parent / stem).as_posix()


def plane_of(opened: OpenedImage, position: tuple[int, ...]) -> NDArray[Any]:
    """A slice of a map, in memory."""
    return np.asarray(opened.data[(*position, slice(None), slice(None))])
