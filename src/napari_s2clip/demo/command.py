"""The ``demo`` command: segment held-out scenes and say how well it went."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, get_args

from ..models.specs import Precision

__all__ = ["add_arguments", "run"]

_ROWS = (
    ("clip", "CLIP alone, last block"),
    ("coarse", "coarse map"),
    ("regions", "connected regions"),
    ("refined", "refined by SAM"),
    ("unseen_pairs", "refined, pairs never seen in training"),
    ("oracle", "truth blurred to a 21 x 21 grid"),
    ("oracle_refined", "the same, refined by SAM"),
)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument(
        "--scenes", type=_positive, default=12, help="how many (default: 12)"
    )
    parser.add_argument(
        "--size", type=_positive, default=256, help="side in pixels (default: 256)"
    )
    parser.add_argument(
        "--seed", type=int, default=2024, help="of the scenes (default: 2024)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")
    parser.add_argument(
        "--precision",
        default="auto",
        help=f"{', '.join(get_args(Precision))}; auto (default) is fp32 here",
        metavar="NAME",
    )
    parser.add_argument("--out", type=Path, help="folder for maps and pictures")
    parser.add_argument(
        "--json",
        metavar="FILE",
        help="file for the figures; - prints them instead of the table",
    )
    parser.add_argument(
        "--window", type=Path, help="open a napari window and save its picture here"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    from tqdm import tqdm

    from ..cli.options import check_precision
    from ..io.results import write_segmentation
    from ..pipeline import S2CLIP
    from .evaluate import Evaluation, evaluate
    from .scenes import scenes

    check_precision(options.precision)
    if options.window is not None:
        from .._qt.picture import require_display

        require_display()
    model = S2CLIP.load("demo", device=options.device, precision=options.precision)
    found = Evaluation()
    first = None
    items = evaluate(
        model, scenes(options.scenes, size=options.size, seed=options.seed)
    )
    bar = tqdm(
        items,
        total=options.scenes,
        unit="scene",
        disable=options.quiet or not sys.stderr.isatty(),
    )
    for number, item in enumerate(bar, 1):
        found.add(item)
        # The first scene with several objects makes the better picture.
        if first is None or (len(first.scene.names) < 5 <= len(item.scene.names)):
            first = item
        if options.out is not None:
            write_segmentation(
                item.result,
                item.scene.image,
                options.out,
                f"scene_{number:03d}",
                overwrite=True,
            )
    figures = {
        "device": str(model.device),
        "precision": model.precision,
        **found.figures(),
    }
    written = json.dumps(figures, indent=2)
    print(written if options.json == "-" else _table(figures))
    if options.json not in (None, "-"):
        path = Path(options.json)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(written + "\n", encoding="utf-8")
    if options.out is not None:
        print(f"maps and pictures: {options.out}", file=sys.stderr)
    if options.window is not None and first is not None:
        from .._qt.picture import save_window

        save_window(first.scene.image, first.result, options.window)
        print(f"window: {options.window}", file=sys.stderr)
    return 0


def _table(figures: dict[str, Any]) -> str:
    miou, times = figures["miou"], figures["time"]
    lines = [f"mean IoU over {figures['scenes']} scenes of {figures['size']} px"]
    for key, title in _ROWS:
        value = miou.get(key)
        shown = "    -" if value is None else f"{value:.3f}"
        lines.append(f"  {title:<40}{shown:>6}")
    stages = ", ".join(f"{k} {v:.0f}" for k, v in times.items() if k != "total")
    where = f"{figures['device']} in {figures['precision']}"
    lines.append(f"time a scene on {where}: {times['total']:.0f} ms ({stages})")
    return "\n".join(lines)
