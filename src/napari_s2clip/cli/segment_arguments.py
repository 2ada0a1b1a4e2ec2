"""Options of the ``segment`` command."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from ..models.specs import SAMS, SPECS, VFMS, Precision
from ..tiles import SMALLEST, Tiling
from .console import say

__all__ = ["add_arguments"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    add = parser.add_argument
    add(
        "images",
        metavar="IMAGE",
        nargs="*",
        type=Path,
        help="files (PNG, JPEG, TIFF with stacks, OME-Zarr, .npy, …), folders, or "
        "patterns such as 'photos/**/*.tif'",
    )
    add(
        "--list",
        dest="lists",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="a text file with a path a line, relative to it; may be repeated",
    )
    add(
        "--classes",
        required=True,
        metavar='"A; B; C"',
        help='class names; "car | automobile" names a class and a synonym',
    )
    add(
        "--background",
        default="",
        metavar='"A; B"',
        help="words for what no class should claim; their pixels become 0",
    )
    add("--out", required=True, type=Path, metavar="DIR", help="folder of the results")
    _add_models(parser)
    _add_pixels(parser)
    add("--no-refine", action="store_true", help="leave out the refinement by SAM")
    add("--no-pictures", action="store_true", help="write label maps and tables only")
    add(
        "--overwrite",
        action="store_true",
        help="replace results of other classes, models or settings; label files that "
        "were edited since are never replaced",
    )
    add(
        "--again",
        action="store_true",
        help="do all images anew; otherwise those that are done are passed over",
    )
    add(
        "--keep-features",
        action="store_true",
        help="keep the encoded images on disk, or take them from there (see features)",
    )
    add(
        "--workers",
        type=int,
        default=0,
        metavar="N",
        help="so many processes of this computer, one a GPU, share the images (needs "
        "napari-s2clip[distributed])",
    )
    add(
        "--scheduler",
        default="",
        metavar="ADDRESS",
        help="a scheduler of dask.distributed, such as tcp://host:8786, whose workers "
        "do it; they see the images and --out under the same paths",
    )
    add("--dry-run", action="store_true", help="say what would be done, and do nothing")
    add(
        "--json",
        metavar="FILE",
        help="write a summary of all images; - prints it instead of other text",
    )
    add("--quiet", action="store_true", help="print nothing but errors")
    add("--list-settings", action=_ListSettings, help="show all settings and exit")


def _add_models(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--model",
        default="demo",
        help=f"{', '.join(SPECS)}, or an open_clip ViT such as ViT-B-32 (default: "
        "%(default)s)",
        metavar="NAME",
    )
    add(
        "--vfm",
        metavar="NAME",
        help=f"another fusion model than the model's own: {', '.join(VFMS)}",
    )
    add(
        "--sam",
        metavar="NAME",
        help=f"another SAM than the model's own: {', '.join(SAMS)}",
    )
    add(
        "--download",
        action="store_true",
        help="download weight files that are missing (see models)",
    )
    add("--device", default="auto", help="auto (default), cpu, cuda or mps")
    add(
        "--precision",
        default="auto",
        help="what the image encoders compute in: "
        f"{', '.join(get_args(Precision))} (default: %(default)s)",
        metavar="NAME",
    )
    add(
        "--weights",
        action="append",
        default=[],
        metavar="PART=PATH",
        help="a weight file of your own for clip, vfm or sam; may be repeated",
    )
    add(
        "--diffusion",
        type=Path,
        metavar="FOLDER",
        help="a Stable Diffusion in the layout of diffusers, for "
        "--set probability_refiner=diffusion",
    )
    add(
        "--compile",
        action="store_true",
        help="let torch.compile make SAM's image encoder faster; the first image takes "
        "from seconds to minutes longer",
    )
    add(
        "--set",
        action="append",
        default=[],
        dest="settings",
        metavar="KEY=VALUE",
        help="change a setting; may be repeated (see --list-settings)",
    )


def _add_pixels(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--channels",
        type=_numbers,
        default=(),
        metavar="R,G,B",
        help="which channels, from 0, become red, green and blue, or one for grey "
        "(default: the first ones)",
    )
    add(
        "--contrast",
        type=float,
        nargs=2,
        metavar=("BLACK", "WHITE"),
        help="values that become black and white, the same in all images (default: "
        "percentiles of each plane, but 8-bit values as they are)",
    )
    add(
        "--tile",
        type=int,
        default=Tiling().tile,
        metavar="PX",
        help=f"planes with longer sides are segmented in tiles, from {SMALLEST} "
        "(default: %(default)s)",
    )


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.replace(",", " ").split())
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: give numbers from 0, such as 0,2,1"
        ) from None


class _ListSettings(argparse.Action):
    """Print the settings with their defaults, units, values and meanings."""

    def __init__(self, option_strings: Sequence[str], dest: str, **options: Any):
        super().__init__(option_strings, dest, nargs=0, **options)

    def __call__(
        self, parser: argparse.ArgumentParser, *_: object, **__: object
    ) -> None:
        from ..settings import Settings
        from ..settings.explain import describe_values

        for name, field in Settings.model_fields.items():
            extra = field.json_schema_extra
            unit = extra["unit"] if isinstance(extra, dict) else ""
            say(f"{name}={field.default} {unit}".rstrip())
            say(f"    {describe_values(field)}")
            say(f"    {field.description}")
        parser.exit()
