"""What a folder of results holds, in numbers and to look at."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .. import __version__
from ..io.atomic import replace_text
from ..io.class_lists import classes_from_dict
from ..progress import Cancelled
from .finished import FinishedImage, is_finished
from .inputs import OWN_FOLDER
from .journal import named, read_entries
from .sheet import counted, sheet_path, write_sheets
from .written import corrected_names

if TYPE_CHECKING:
    from ..classes import ClassSet
    from .job import Job
    from .run import Outcome

__all__ = [
    "ClassCount",
    "FolderSummary",
    "facts_of",
    "refresh_summary",
    "summarise",
    "with_summary",
    "write_summary",
]

_SUMMARY: Final = "summary.json"  # beside images it could be that of summary.png


@dataclass(frozen=True)
class ClassCount:
    """How much there is of a class.

    Attributes
    ----------
    id : int
    name, colour : str
    images : int
        In which it was found.
    pixels : int
        Of the refined maps.
    share : float
        Of all pixels.
    """

    id: int
    name: str
    colour: str
    images: int
    pixels: int
    share: float


@dataclass(frozen=True)
class FolderSummary:
    """What jobs found in the images of a folder.

    Attributes
    ----------
    images, failed, others : int
        Finished, those of which there is nothing, and those with other classes, which
        are not counted below.
    planes, regions, pixels : int
    classes : tuple of ClassCount
    errors : mapping of str to str
        Why images failed, by name.
    corrected : int
        Finished ones whose maps somebody has corrected.
    """

    images: int
    failed: int
    planes: int
    regions: int
    pixels: int
    classes: tuple[ClassCount, ...]
    errors: Mapping[str, str] = field(default_factory=dict)
    others: int = 0
    corrected: int = 0

    @property
    def said_of_others(self) -> str:
        """A sentence on images with other classes; empty without them."""
        if not self.others:
            return ""
        are = "are" if self.others != 1 else "is"
        return (
            f"{counted(self.others, 'image')} with other classes {are} not in the table"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "images": self.images,
            "failed": self.failed,
            "others": self.others,
            "corrected": self.corrected,
            "planes": self.planes,
            "regions": self.regions,
            "pixels": self.pixels,
            "classes": [vars(count) for count in self.classes],
            "errors": dict(self.errors),
        }


def facts_of(job: Job) -> dict[str, Any]:
    """What a summary says of a job; device and precision are those that are wanted."""
    return {
        "software": f"napari-s2clip {__version__}",
        "model": job.model,
        "device": job.device,
        "precision": job.precision,
        **job.classes.to_dict(),
        "settings": job.settings.model_dump(mode="json"),
    }


def summarise(entries: Iterable[Mapping[str, Any]], classes: ClassSet) -> FolderSummary:
    """Add up what a journal tells of its images.

    Of images with other classes the same value means something else: they are counted
    apart.

    Parameters
    ----------
    entries : iterable of mapping
        Values of `read_entries`.
    classes : ClassSet
    """
    images = planes = regions = others = corrected = 0
    own = named(classes)
    pixels = dict.fromkeys((0, *classes.ids), 0)
    found_in = dict.fromkeys(classes.ids, 0)
    errors: dict[str, str] = {}
    for entry in entries:
        if entry.get("event") == "failed":
            errors[entry["name"]] = entry["error"]
        if entry.get("event") != "done":
            continue
        if entry.get("classes", own) != own:
            others += 1
            continue
        images += 1
        corrected += bool(entry.get("corrected"))
        planes += entry["planes"]
        regions += entry["regions"]
        for text, count in entry["pixels"].items():
            value = int(text)
            pixels[value] += count
            if value and count:
                found_in[value] += 1
    total = sum(pixels.values())
    return FolderSummary(
        images,
        len(errors),
        planes,
        regions,
        total,
        tuple(
            ClassCount(
                number,
                classes.name_of(number),
                classes.colour_of(number),
                found_in[number],
                pixels[number],
                pixels[number] / total if total else 0.0,
            )
            for number in classes.ids
        ),
        errors,
        others,
        corrected,
    )


def write_summary(
    out: Path, classes: ClassSet, facts: Mapping[str, Any]
) -> tuple[FolderSummary, Path]:
    """Write ``.s2clip/summary.json`` and the sheets of all images that are in a folder.

    Parameters
    ----------
    out : Path
    classes : ClassSet
    facts : mapping
        More for ``summary.json``.

    Returns
    -------
    summary : FolderSummary
    sheet : Path
        The first sheet.

    Raises
    ------
    OSError
    """
    entries = _entries_now(out)
    summary = summarise(entries.values(), classes)
    done = [entries[n] for n in sorted(entries) if entries[n].get("event") == "done"]
    sheet = write_sheets(out, summary, classes, done)
    replace_text(
        out / OWN_FOLDER / _SUMMARY,
        json.dumps({**facts, **summary.to_dict()}, indent=2) + "\n",
    )
    return summary, sheet


def refresh_summary(out: Path) -> bool:
    """Write what `write_summary` has written once more, of what is there now.

    Returns
    -------
    bool
        False where there is none: no job has written into the folder.

    Raises
    ------
    ValueError
        If the folder is damaged; the message names the file.
    OSError
        If it cannot be written.
    """
    path = out / OWN_FOLDER / _SUMMARY
    if not path.is_file():
        return False
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        classes = classes_from_dict(facts)
    except ValueError as error:
        raise ValueError(f"{path}: it is damaged ({error})") from None
    write_summary(out, classes, facts)
    return True


def with_summary(
    outcomes: Generator[Outcome, None, None],
    out: Path,
    classes: ClassSet,
    facts: Mapping[str, Any],
) -> Generator[Outcome, None, None]:
    """Outcomes of a job; if it is stopped, a summary of what there is until then.

    Parameters
    ----------
    outcomes : generator of Outcome
        What `run_job` gives.
    out, classes, facts
        As of `write_summary`.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    found = False
    try:
        for outcome in outcomes:
            found |= outcome.state == "done"
            yield outcome
    except (Cancelled, KeyboardInterrupt, GeneratorExit):
        outcomes.close()  # images that were being written are finished
        # An image that was being written may be there, and was not told any more.
        found |= not sheet_path(out).exists() and any(
            entry.get("event") == "done" for entry in read_entries(out).values()
        )
        if found:
            write_summary(out, classes, facts)
        raise


def _entries_now(out: Path) -> dict[str, dict[str, Any]]:
    """The journal; of images that were corrected what they are now."""
    entries = read_entries(out)
    for name, entry in entries.items():
        if "before" in entry and is_finished(out, name, entry):
            entries[name] = entry["before"]
    for name in corrected_names(out) & entries.keys():
        image = FinishedImage(out, name)
        with suppress(OSError, ValueError, KeyError, TypeError):
            about = image.description
            entries[name] |= {
                "corrected": bool(about.get("edited")),
                "classes": named(image.classes),
                "regions": int(about["regions"]),
                # Those of a class that is gone are none any more.
                "pixels": {
                    str(value): int(about["pixels"]["refined"].get(str(value), 0))
                    for value in (0, *image.classes.ids)
                },
            }
    return entries
