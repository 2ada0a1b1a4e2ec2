"""The program ``napari-s2clip``.

Nothing heavy is imported before it is needed, so ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from .. import __version__
from .console import EXPECTED, PROGRAM, UsageError, complain, sentence

__all__ = ["main"]

_DEMO = "Prints how well it went."


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process if not given.

    Returns
    -------
    int
        0 if all went well, 1 if something could not be done, 2 if the command line is
        wrong, 130 if it was interrupted.
    """
    # tifffile logs what is wrong with a file; our own line says it.
    logging.getLogger("tifffile").addHandler(logging.NullHandler())
    try:
        options = _parser().parse_args(argv)
        return int(options.run(options))
    except SystemExit as end:  # help, version, or an error that argparse has printed
        return end.code if isinstance(end.code, int) else 1
    except UsageError as error:
        complain(str(error))
        return 2
    except BrokenPipeError:
        # The reader has gone, as `head` does; nothing more can be written, also not
        # when Python empties its buffers at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except EXPECTED as error:
        complain(sentence(error))
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f"{PROGRAM}: interrupted\n")
        return 130


def _parser() -> argparse.ArgumentParser:
    from ..demo import command as demo
    from . import export, features, import_, models, segment

    parser = argparse.ArgumentParser(
        prog=PROGRAM, description="Segment images by class names, without training."
    )
    parser.add_argument(
        "--version", action="version", version=f"{PROGRAM} {__version__}"
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, module, text, more in (
        ("segment", segment, "segment image files by class names", segment.MORE),
        ("export", export, "turn results into a dataset for training", export.MORE),
        ("import", import_, "turn a dataset into label files", import_.MORE),
        ("demo", demo, "segment procedural scenes with the built-in models", _DEMO),
        ("models", models, "show, download, check and add models", models.MORE),
        ("features", features, "show or clear the features on disk", features.MORE),
    ):
        command = commands.add_parser(
            name, help=text, description=f"{text.capitalize()}. {more}"
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser
