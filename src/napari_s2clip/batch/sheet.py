"""Sheets in HTML: every image of a folder beside its refined map."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from ..io.atomic import replace_text
from .journal import named
from .thumbnails import thumbnail_path

if TYPE_CHECKING:
    from ..classes import ClassSet
    from .summary import FolderSummary

__all__ = ["counted", "sheet_path", "write_sheets"]

_PAGE: Final = 200
"""Images on one sheet; more of them are slow to look at."""

_SHEET: Final = "contact-sheet{}.html"

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


def write_sheets(
    out: Path,
    summary: FolderSummary,
    classes: ClassSet,
    done: Sequence[Mapping[str, Any]],
) -> Path:
    """Write as many sheets as are needed, and remove those that are not.

    Parameters
    ----------
    out : Path
    summary : FolderSummary
    classes : ClassSet
    done : sequence of mapping
        Entries of the journal.

    Returns
    -------
    Path
        The first sheet.

    Raises
    ------
    OSError
    """
    pages = [done[i : i + _PAGE] for i in range(0, len(done), _PAGE)] or [[]]
    for number, page in enumerate(pages, 1):
        text = "\n".join(_sheet(out, summary, classes, page, number, len(pages)))
        replace_text(sheet_path(out, number), text + "\n")
    extra = len(pages) + 1
    while (path := sheet_path(out, extra)).exists():  # of more images
        path.unlink()
        extra += 1
    return sheet_path(out, 1)


def counted(number: int, word: str) -> str:
    """``1 image``, ``2 images``."""
    return f"{number} {word}{'s' if number != 1 else ''}"


def sheet_path(out: Path, number: int = 1) -> Path:
    """Where a sheet of a folder lies."""
    return out / _SHEET.format("" if number == 1 else f"-{number}")


def _sheet(
    out: Path,
    summary: FolderSummary,
    classes: ClassSet,
    page: Sequence[Mapping[str, Any]],
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
    corrected = f" ({summary.corrected} corrected)" if summary.corrected else ""
    yield (
        f"<p>{counted(summary.images, 'image')}{corrected}, "
        f"{counted(summary.planes, 'slice')}, {counted(summary.regions, 'region')}"
        f"{failed if summary.failed else ''}</p>"
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
            f"{html.escape(', '.join(present) or 'nothing found')}"
            f"{' (corrected)' if entry.get('corrected') else ''}</figcaption>"
            "</figure>"
        )
    yield "</main></body></html>"


def _link(out: Path, number: int, here: int) -> str:
    if number == here:
        return f"<b>{number}</b>"
    return f'<a href="{sheet_path(out, number).name}">{number}</a>'
