"""The ``models`` command: what models there are, and their weight files.

`models_show` has what changes nothing, `models_files` what brings or deletes files.
"""

from __future__ import annotations

import argparse

from .console import UsageError, print_json, say

__all__ = ["MORE", "add_arguments", "run"]

MORE = (
    "Nothing is downloaded but by `download` and `verify --repair`, and by "
    "`segment --download`."
)
"""What ``--help`` adds."""

_NAME = "a model or a preset, which stands for its three models"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions of the command."""
    actions = parser.add_subparsers(
        title="actions", metavar="ACTION", dest="action", required=True
    )

    def action(name: str, text: str, more: str = "") -> argparse.ArgumentParser:
        made = actions.add_parser(
            name, help=text, description=f"{text.capitalize()}. {more}".strip()
        )
        made.add_argument(
            "--json", action="store_true", help="print JSON instead, sizes in bytes"
        )
        return made

    action("list", "show all models, and whether they are on this computer")
    one = action("info", "show all that is known of a model or a preset")
    one.add_argument("name", metavar="NAME", help="a model or a preset")
    bring = action(
        "download",
        "download weight files that are not on this computer",
        "An unfinished download is taken up where it broke off.",
    )
    bring.add_argument("names", metavar="NAME", nargs="+", help=_NAME)
    bring.add_argument("--quiet", action="store_true", help="print nothing but errors")
    verify = action(
        "verify",
        "read weight files through and compare their checksums",
        "Where no checksum is known, the one that is found is recorded.",
    )
    verify.add_argument(
        "names", metavar="NAME", nargs="*", help=f"{_NAME}; all that are here if none"
    )
    verify.add_argument(
        "--repair",
        action="store_true",
        help="delete the files that are damaged and download them again",
    )
    verify.add_argument("--quiet", action="store_true", help="print nothing but errors")
    _add_own(action("add", "add a model of your own to models.toml"))
    remove = action(
        "remove",
        "delete downloaded files, or take your own models out of models.toml",
        "Files that you keep elsewhere stay where they are.",
    )
    remove.add_argument("names", metavar="NAME", nargs="+", help="a model")
    path = action(
        "path", "show the folders and files, or where a model's file is or belongs"
    )
    path.add_argument("name", metavar="NAME", nargs="?", help="a model")


def _add_own(parser: argparse.ArgumentParser) -> None:
    """Declare the fields of a model of the user's own."""
    add = parser.add_argument
    add("name", metavar="NAME", help="small letters, digits, '.', '_' and '-'")
    add("--part", required=True, choices=("clip", "vfm", "sam"), dest="role")
    add(
        "--architecture",
        required=True,
        metavar="A",
        help="its name in the library that builds it: a configuration of open_clip, a "
        "model of timm, or vit_b, vit_l, vit_h for a SAM",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--file", metavar="PATH", help="the weights, where they are")
    where.add_argument("--url", help="https:// address of the weights")
    where.add_argument(
        "--repository", metavar="OWNER/NAME", help="of the Hugging Face Hub"
    )
    add("--filename", metavar="F", help="of the weights in the repository")
    add("--title", help="name for people")
    add("--about", metavar="TEXT", help="what it is good for")
    add("--licence", metavar="SPDX", help="of the weights, such as MIT")
    add("--citation", metavar="TEXT")
    add("--sha256", metavar="HEX", help="checksum that the file must have")


def run(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    from . import models_files, models_show

    match options.action:
        case "list":
            return models_show.show_list(as_json=options.json)
        case "info":
            return models_show.show_info(options.name, as_json=options.json)
        case "path":
            return models_show.show_path(options.name, as_json=options.json)
        case "download":
            return models_files.download(
                options.names, as_json=options.json, quiet=options.quiet
            )
        case "verify":
            return models_files.verify(
                options.names,
                repair=options.repair,
                as_json=options.json,
                quiet=options.quiet,
            )
        case "remove":
            return models_files.remove(options.names, as_json=options.json)
    return _add(options)


def _add(options: argparse.Namespace) -> int:
    """Write a model of the user's own into their file."""
    from ..models.errors import OwnFileError
    from ..models.own import OwnModel, add_own, own_file
    from ..store import WeightStore
    from .models_show import model_facts

    if options.file and options.filename:
        raise UsageError("--filename: --file names the file; leave out one of them")
    given = {name: getattr(options, name) for name in OwnModel.model_fields}
    try:
        card = add_own(**{name: text for name, text in given.items() if text})
    except OwnFileError:
        raise
    except ValueError as error:
        raise UsageError(str(error)) from error
    if options.json:
        print_json(model_facts(card, WeightStore(), own=True))
        return 0
    say(f"{card.name}: added to {own_file()}")
    if card.can_be_downloaded:
        say(f"`napari-s2clip models download {card.name}` brings its file")
    return 0
