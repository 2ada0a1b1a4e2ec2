"""The ``segment`` command: image files in, label maps and pictures out."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from .. import __version__
from ..models.specs import SAMS, SPECS, VFMS, Precision
from .console import EXPECTED, PROGRAM, ProgressBar, complain, say, sentence
from .options import (
    check_model,
    check_precision,
    check_settings,
    read_classes,
    read_settings,
    read_weights,
    refuse_collisions,
)

if TYPE_CHECKING:
    from ..classes import ClassSet
    from ..features.store import FeatureStore
    from ..pipeline import S2CLIP
    from ..settings import Settings

__all__ = ["MORE", "add_arguments", "run"]

MORE = (
    "For each image STEM.png, label maps (TIFF), pictures with a legend (PNG), the "
    "table of regions (CSV) and a description (JSON) are written into one folder."
)
"""What ``--help`` adds."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    add = parser.add_argument
    add("images", metavar="IMAGE", nargs="+", type=Path, help="PNG, JPEG or TIFF files")
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
    add("--no-refine", action="store_true", help="leave out the refinement by SAM")
    add("--overwrite", action="store_true", help="replace results that exist")
    add(
        "--keep-features",
        action="store_true",
        help="keep the encoded images on disk, or take them from there (see features)",
    )
    add(
        "--json",
        metavar="FILE",
        help="write a summary of all images; - prints it instead of other text",
    )
    add("--quiet", action="store_true", help="print nothing but errors")
    add("--list-settings", action=_ListSettings, help="show all settings and exit")


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


def run(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    classes = read_classes(options.classes, options.background)
    settings = read_settings(options.settings, refine=not options.no_refine)
    weights = read_weights(options.weights)
    check_model(options.model, options.vfm, options.sam)
    check_precision(options.precision)
    refuse_collisions(options.images, options.out)

    from ..features.encode import needed_parts
    from ..features.keep import open_store
    from ..pipeline import S2CLIP

    # One for all images: what is wrong with it is said once.
    store = open_store(options.keep_features) or False
    with ProgressBar(enabled=not options.quiet and sys.stderr.isatty()) as bar:
        started = time.perf_counter()
        bar.begin(f"loading {options.model}")
        model = S2CLIP.load(
            options.model,
            device=options.device,
            vfm=options.vfm,
            sam=options.sam,
            precision=options.precision,
            weights=weights,
            diffusion=options.diffusion,
            compiled=options.compile,
            parts=needed_parts(settings),
            download=options.download,
            progress=bar,
        )
        check_settings(model, settings)  # what is wrong with them is said once
        summary: dict[str, Any] = {
            "software": f"{PROGRAM} {__version__}",
            "model": options.model,
            "device": str(model.device),
            "precision": model.precision,
            **classes.to_dict(),
            "settings": settings.model_dump(mode="json"),
            "seconds": {"load": time.perf_counter() - started},
            "images": [],
        }
        for number, path in enumerate(options.images, 1):
            bar.begin(f"[{number}/{len(options.images)}] {path.name}")
            item: dict[str, Any] = {"image": str(path), "ok": True}
            try:
                item |= _segment_one(
                    model, path, classes, settings, store, options, bar
                )
            except EXPECTED as error:
                reason = sentence(error)
                item |= {"ok": False, "error": reason}
                bar.clear()
                named = reason.startswith(str(path))
                complain(reason if named else f"{path}: {reason}")
            else:
                if not options.quiet and options.json != "-":
                    bar.clear()
                    say(_line(path, item, options.out))
            summary["images"].append(item)
    summary["seconds"]["total"] = time.perf_counter() - started
    if options.json is not None:
        _write_summary(summary, options.json)
    return 0 if all(item["ok"] for item in summary["images"]) else 1


def _segment_one(
    model: S2CLIP,
    path: Path,
    classes: ClassSet,
    settings: Settings,
    store: FeatureStore | bool,
    options: argparse.Namespace,
    bar: ProgressBar,
) -> dict[str, Any]:
    """Segment and write one image; what the summary says about it."""
    from ..image import to_rgb
    from ..io.files import read_image
    from ..io.results import output_paths, refuse_existing, write_segmentation

    image = to_rgb(read_image(path))
    if not options.overwrite:  # say so before the long part
        try:
            refuse_existing(output_paths(options.out, path.stem))
        except FileExistsError as error:
            raise FileExistsError(f"{error} (--overwrite)") from None
    result = model.segment(image, classes, settings=settings, store=store, progress=bar)
    files = write_segmentation(
        result, image.pixels, options.out, path.stem, overwrite=options.overwrite
    )
    height, width = image.pixels.shape[:2]
    used = result.region_table["refined"]
    failed = result.region_table["sam_score"].notna() & ~used
    return {
        "width": width,
        "height": height,
        "notes": result.provenance["input_notes"],
        "regions": len(result.region_table),
        "refined_regions": int(used.sum()),
        "kept_regions": int(failed.sum()),
        "seconds": dict(result.seconds),
        "files": [str(file) for file in files],
    }


def _line(path: Path, item: dict[str, Any], out: Path) -> str:
    regions = f"{item['regions']} region{'s' if item['regions'] != 1 else ''}"
    if kept := item["kept_regions"]:
        regions += f" ({kept} kept as {'they were' if kept != 1 else 'it was'})"
    seconds = sum(item["seconds"].values())
    notes = "".join(f"; {note}" for note in item["notes"])
    return f"{path}: {regions}, {seconds:.1f} s, {out / path.stem}_*{notes}"


def _write_summary(summary: dict[str, Any], target: str) -> None:
    # Plain ASCII, so that no terminal and no file name can spoil it.
    text = json.dumps(summary, indent=2, allow_nan=False)
    if target == "-":
        sys.stdout.write(f"{text}\n")
        return
    path = Path(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")
