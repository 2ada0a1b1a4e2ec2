"""The ``export`` command: results of ``segment`` as a dataset for trainers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .console import StepBar, UsageError, complain, print_json, say

if TYPE_CHECKING:
    from ..datasets import Format
    from ..datasets.export import Exported

__all__ = ["MORE", "add_arguments", "add_format_option", "read_format", "run"]

MORE = (
    "Takes the label files that `segment` wrote into a folder, as they are now: what "
    "was edited since is included. Images that are in the dataset already stay as they "
    "are unless --overwrite is given."
)
"""What ``--help`` adds."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    add = parser.add_argument
    add("folder", metavar="DIR", type=Path, help="folder of the results of `segment`")
    add_format_option(parser, required=True)
    add("--out", required=True, type=Path, metavar="DIR", help="folder of the dataset")
    add(
        "--layer",
        default="refined",
        choices=("refined", "regions", "coarse"),
        help="which map has the labels (default: %(default)s)",
    )
    add(
        "--objects",
        default="regions",
        choices=("regions", "connected"),
        help="what one object is: a region that was found, or what hangs together "
        "(default: %(default)s)",
    )
    add(
        "--val", type=float, default=0.0, metavar="SHARE", help="for validation, 0 to 1"
    )
    add("--test", type=float, default=0.0, metavar="SHARE", help="for tests")
    add(
        "--tile",
        type=int,
        default=0,
        metavar="PX",
        help="cut images into squares with such sides",
    )
    add(
        "--overlap",
        type=int,
        default=0,
        metavar="PX",
        help="what neighbouring squares share (default: %(default)s)",
    )
    add(
        "--images",
        type=Path,
        metavar="DIR",
        help="where the images lie now, if they were moved since",
    )
    add("--no-images", action="store_true", help="write the labels alone")
    add("--no-empty", action="store_true", help="leave out images without labels")
    add("--reviewed", action="store_true", help="only images that were reviewed")
    add("--overwrite", action="store_true", help="replace images that are in there")
    add("--json", action="store_true", help="print what was done as JSON instead")
    add("--quiet", action="store_true", help="print nothing but errors")


def add_format_option(
    parser: argparse.ArgumentParser, *, required: bool = False
) -> None:
    """Declare ``--format`` and ``--option``."""
    from ..datasets import FORMATS

    parser.add_argument(
        "--format",
        required=required,
        metavar="NAME",
        help=f"{', '.join(FORMATS)}; see docs/formats.md",
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        dest="options",
        metavar="KEY=VALUE",
        help="an option of the format, such as segmentation=polygons; may be repeated",
    )


def read_format(name: str, pairs: Sequence[str]) -> Format:
    """The format that the options describe."""
    from ..datasets.options import make_format

    values = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--option {pair!r}: write KEY=VALUE")
        values[key.strip()] = text
    try:
        return make_format(name, values)
    except ValueError as error:
        raise UsageError(f"--format {name}: {error}") from error


def run(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    from ..batch.finished import finished_images
    from ..batch.training import FolderItems
    from ..datasets import DatasetWriter
    from ..datasets.export import export_items

    form = read_format(options.format, options.options)
    images = finished_images(options.folder)
    if options.tile < 0 or not 0 <= options.overlap < max(1, options.tile):
        raise UsageError("--overlap: give pixels from 0 to below --tile")
    if options.out.resolve() == options.folder.resolve():
        raise UsageError("--out: choose another folder than that of the results")
    try:
        writer = DatasetWriter(
            options.out,
            form,
            images[0].classes,
            val=options.val,
            test=options.test,
            overwrite=options.overwrite,
        )
    except ValueError as error:
        if str(error).startswith(("val", "test")):
            raise UsageError(f"--{error}") from error
        raise
    enabled = not options.quiet and sys.stderr.isatty()
    with StepBar(len(images), enabled=enabled) as bar:
        items = FolderItems(
            images,
            options.layer,
            options.objects,
            empty=not options.no_empty,
            reviewed_only=options.reviewed,
            with_images=not options.no_images,
            sources=options.images,
            progress=bar.step,
        )
        done = export_items(
            items,
            writer,
            tile=options.tile,
            overlap=options.overlap,
            empty=not options.no_empty,
        )
    return _report(done, items.skipped, options)


def _report(
    done: Exported, left_out: list[tuple[str, str]], options: argparse.Namespace
) -> int:
    """Say what was done; an image of which there is nothing is an error."""
    skipped = [*done.skipped, *left_out]
    if options.json:
        print_json(
            {
                "dataset": str(done.folder),
                "format": options.format,
                "images": done.images,
                "objects": done.objects,
                "splits": dict(done.splits),
                "total": done.total,
                "skipped": [list(pair) for pair in skipped],
            }
        )
    elif not options.quiet:
        parts = ", ".join(f"{n} {split}" for split, n in done.splits.items())
        say(
            f"{done.images} image{'s' if done.images != 1 else ''}"
            f"{f' ({parts})' if parts else ''} and {done.objects} object"
            f"{'s' if done.objects != 1 else ''} written to {done.folder}, which has "
            f"{done.total} image{'s' if done.total != 1 else ''} now"
        )
        for name, reason in skipped:
            say(f"  {name}: {reason}")
    if done.images or done.total:
        return 0
    complain(f"{done.folder}: no image was written")
    return 1
