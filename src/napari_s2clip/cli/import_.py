"""The ``import`` command: a dataset as label files that the other commands take."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .console import EXPECTED, StepBar, UsageError, complain, print_json, say, sentence
from .export import add_format_option, read_format

if TYPE_CHECKING:
    from ..datasets import Format
    from ..datasets.format import Entry

__all__ = ["MORE", "add_arguments", "run"]

MORE = (
    "Each image becomes what `segment` would write of it, so that it can be looked at, "
    "corrected and exported in another format."
)
"""What ``--help`` adds."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    add = parser.add_argument
    add(
        "dataset",
        metavar="DATASET",
        type=Path,
        help="folder of a dataset, or a file of it, such as instances.json",
    )
    add("--out", required=True, type=Path, metavar="DIR", help="folder of the results")
    add_format_option(parser)
    add("--overwrite", action="store_true", help="replace results that exist")
    add("--no-pictures", action="store_true", help="write label maps and tables only")
    add("--json", action="store_true", help="print what was done as JSON instead")
    add("--quiet", action="store_true", help="print nothing but errors")


def run(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    from ..batch.finished import finished_images
    from ..batch.from_dataset import write_item
    from ..datasets.detect import dataset_of
    from ..datasets.own import is_of_results

    if options.out.exists() and not options.out.is_dir():
        raise UsageError(f"--out: {options.out} is a file; give a folder")
    if options.out.resolve() == options.dataset.resolve():
        raise UsageError("--out: give another folder than that of the dataset")
    form = _format(options)
    # What a job has written is listed by its journal.
    images = None
    if is_of_results(options.out):
        images = {image.name for image in finished_images(options.out)}
    written: list[str] = []
    notes: list[tuple[str, str]] = []
    failed: list[tuple[str, str]] = []
    enabled = not options.quiet and sys.stderr.isatty()
    entries = form.entries(dataset_of(options.dataset))
    with StepBar(None, enabled=enabled) as bar:
        for number, entry in enumerate(_as_far_as_read(entries, options, failed)):
            bar.step(number, entry.name)
            try:
                if images is not None and entry.name not in images:
                    raise ValueError(
                        f"{options.out} is the folder of a job that has no results of "
                        "it; give another folder"
                    )
                item = entry.read()
                write_item(
                    item,
                    options.out,
                    overwrite=options.overwrite,
                    pictures=not options.no_pictures,
                )
            except EXPECTED as error:
                reason = sentence(error)
                if isinstance(error, FileExistsError):
                    reason += " (--overwrite)"
                failed.append((entry.name, reason))
                bar.clear()
                complain(f"{entry.name}: {reason}")
                continue
            written.append(entry.name)
            notes += [(entry.name, note) for note in item.notes]
    if options.json:
        print_json(
            {
                "format": form.name,
                "results": str(options.out),
                "images": written,
                "notes": [list(pair) for pair in notes],
                "failed": [list(pair) for pair in failed],
            }
        )
    elif not options.quiet:
        count = len(written)
        say(
            f"{count} image{'s' if count != 1 else ''} of {options.dataset} "
            f"({form.name}) written to {options.out}"
        )
        for name, note in notes:
            say(f"  {name}: {note}")
    if not written and not failed:
        complain(f"{options.dataset}: there are no images in it")
    return 0 if written and not failed else 1


def _as_far_as_read(
    entries: Iterator[Entry],
    options: argparse.Namespace,
    failed: list[tuple[str, str]],
) -> Iterator[Entry]:
    """Images of a dataset; where the rest of it is damaged, that is a failure more."""
    from ..datasets import DatasetError

    some = False
    try:
        for entry in entries:
            some = True
            yield entry
    except DatasetError as error:
        if not some:
            raise
        failed.append((str(options.dataset), str(error)))
        complain(str(error))


def _format(options: argparse.Namespace) -> Format:
    """The format that is named, or found out."""
    from ..datasets.detect import detect

    name = options.format
    if name is None:
        if not options.dataset.exists():
            raise FileNotFoundError(f"{options.dataset}: there is no such file")
        name = detect(options.dataset)
    if name is None:
        raise UsageError(
            f"{options.dataset}: its format is not known; name it with --format"
        )
    return read_format(name, options.options)
