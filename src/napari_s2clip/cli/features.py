"""The ``features`` command: what is kept on disk, and how to be rid of it."""

from __future__ import annotations

import argparse
from typing import Any

from .console import print_json, say

__all__ = ["MORE", "add_arguments", "run"]

MORE = (
    "`segment --keep-features` keeps the encoded images, so that they can be segmented "
    "by other class names without encoding them again."
)
"""What ``--help`` adds."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions of the command."""
    actions = parser.add_subparsers(
        title="actions", metavar="ACTION", dest="action", required=True
    )
    for name, text in (
        ("info", "show the folder, its entries, their size and the limit"),
        ("clear", "delete all entries"),
    ):
        action = actions.add_parser(
            name, help=text, description=f"{text.capitalize()}."
        )
        action.add_argument(
            "--json", action="store_true", help="print it as JSON instead"
        )


def run(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    from ..features.store import FeatureStore
    from ..sizes import format_size

    store = FeatureStore()
    about: dict[str, Any] = {"folder": str(store.folder)}
    if options.action == "clear":
        about["freed"] = store.clear()
        left, _ = store.usage()
        about["left"] = left
        text = f"freed {format_size(about['freed'])} in {store.folder}"
        if left:
            text += f"; entries in use elsewhere stay: {left}"
        lines = [text]
    else:
        about["entries"], about["bytes"] = store.usage()
        about["limit"] = store.limit
        lines = [
            f"folder: {store.folder}",
            f"entries: {about['entries']}",
            f"size: {format_size(about['bytes'])}",
            f"limit: {format_size(store.limit)}",
        ]
    if options.json:
        print_json(about)
    else:
        for line in lines:
            say(line)
    return 0
