"""What a folder of results holds, in numbers and to look at."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from ..io.atomic import replace_text
from .inputs import OWN_FOLDER
from .journal import named, read_entries
from .thumbnails import thumbnail_path

if TYPE_CHECKING:
    from ..classes import ClassSet

__all__ = ["ClassCount", "FolderSummary", "summarise", "write_summary"]

_PAGE: Final = 200
"""Images on one sheet; more of them are slow to look at."""

_SUMMARY: Final = "summary.json"  # beside images it could be that of summary.png
_SHEET: Final = "contact-sheet{}.html"


@dataclass(frozen=True)
class ClassCount:
    """How much there is of a class.

    Attributes
    ----------
    id : int
    name : str
    images : int
        In which it was found.
    pixels : int
        Of the refined maps.
    share : float
        Of all pixels.
    """

    id: int
    name: str
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
    """

    images: int
    failed: int
    planes: int
    regions: int
    pixels: int
    classes: tuple[ClassCount, ...]
    errors: Mapping[str, str] = field(default_factory=dict)
    others: int = 0

    @property
    def said_of_others(self) -> str:
        """A sentence on images with other classes; empty without them."""
        if not self.others:
            return ""
        are = "are" if self.others != 1 else "is"
        return (
            f"{_count(self.others, 'image')} with other classes {are} not in the table"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "images": self.images,
            "failed": self.failed,
            "others": self.others,
            "planes": self.planes,
            "regions": self.regions,
            "pixels": self.pixels,
            "classes": [vars(count) for count in self.classes],
            "errors": dict(self.errors),
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
    images = planes = regions = others = 0
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
                found_in[number],
                pixels[number],
                pixels[number] / total if total else 0.0,
            )
            for number in classes.ids
        ),
        errors,
        others,
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
    entries = read_entries(out)
    summary = summarise(entries.values(), classes)
    done = [entries[n] for n in sorted(entries) if entries[n].get("event") == "done"]
    pages = [done[i : i + _PAGE] for i in range(0, len(done), _PAGE)] or [[]]
    for number, page in enumerate(pages, 1):
        text = "\n".join(_sheet(out, summary, classes, page, number, len(pages)))
        replace_text(_sheet_path(out, number), text + "\n")
    extra = len(pages) + 1
    while (path := _sheet_path(out, extra)).exists():  # of more images
        path.unlink()
        extra += 1
    replace_text(
        out / OWN_FOLDER / _SUMMARY,
        json.dumps({**facts, **summary.to_dict()}, indent=2) + "\n",
    )
    return summary, _sheet_path(out, 1)


def _sheet_path(out: Path, number: int) -> Path:
    return out / _SHEET.format("" if number == 1 else f"-{number}")


_STYLE: Final = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 1.5em; background: #fafafa;
  color: #222 }
table { border-collapse: collapse; margin: 1em 0 }
td, th { padding: .2em .8em; text-align: right }
th { border-bottom: 1px solid #999; font-weight: 600 }
td:first-child, th:first-child { text-align: left }
.colour { display: inline-block; width: .9em; height: .9em; margin-right: .5em;
  vertical-align: -.1em; border: 1px solid #0003 }
main { display: flex; flex-wrap: wrap; gap: 14px }
figure { margin: 0; padding: 8px; background: #fff; border: 1px solid #ddd;
  max-width: 532px }
figure img { display: block; max-width: 100% }
figcaption { overflow-wrap: anywhere; margin-top: .4em; font-size: 13px }
.failed { color: #a11 }
"""


def _sheet(
    out: Path,
    summary: FolderSummary,
    classes: ClassSet,
    page: list[dict[str, Any]],
    number: int,
    pages: int,
) -> Iterator[str]:
    """Lines of a sheet: numbers, then each image beside its refined map."""
    colours = {entry.id: entry.colour for entry in classes}
    own = named(classes)
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield f"<title>{html.escape(out.name)}: napari-s2clip</title>"
    yield f"<style>{_STYLE}</style></head><body>"
    yield f"<h1>{html.escape(out.name)}</h1>"
    failed = f', <span class="failed">{summary.failed} failed</span>'
    yield (
        f"<p>{_count(summary.images, 'image')}, {_count(summary.planes, 'slice')}, "
        f"{_count(summary.regions, 'region')}{failed if summary.failed else ''}</p>"
    )
    if summary.others:
        yield f"<p>{html.escape(summary.said_of_others)}</p>"
    yield "<table><tr><th>Class<th>Images<th>Pixels<th>Share</tr>"
    for one in summary.classes:
        yield (
            f'<tr><td><span class="colour" style="background:{colours[one.id]}"></span>'
            f"{html.escape(one.name)}<td>{one.images}<td>{one.pixels:,}"
            f"<td>{one.share:.1%}</tr>"
        )
    yield "</table>"
    if summary.errors and number == 1:
        yield '<ul class="failed">'
        for error in summary.errors.values():
            yield f"<li>{html.escape(error)}</li>"
        yield "</ul>"
    if pages > 1:
        yield (
            "<p>"
            + " ".join(_link(out, n, number) for n in range(1, pages + 1))
            + "</p>"
        )
    yield "<main>"
    for entry in page:
        name = entry["name"]
        picture = thumbnail_path(out, name).relative_to(out).as_posix()
        names = entry.get("classes", own)
        present = [
            names[value]
            for value, count in entry["pixels"].items()
            if count and value in names
        ]
        yield (
            f'<figure><img loading="lazy" src="{quote(picture)}" '
            f'alt="{html.escape(name)}"><figcaption><b>{html.escape(name)}</b> '
            f"{html.escape(', '.join(present) or 'nothing found')}</figcaption>"
            "</figure>"
        )
    yield "</main></body></html>"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' if number != 1 else ''}"


def _link(out: Path, number: int, here: int) -> str:
    if number == here:
        return f"<b>{number}</b>"
    return f'<a href="{_sheet_path(out, number).name}">{number}</a>'
