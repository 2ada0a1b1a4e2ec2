"""``python -m benchmarks [--json FILE]``: run the comparisons, print and keep them.

``--only`` takes some of the groups: ``small``, ``refining`` and ``live`` (demo models,
seconds), ``jobs`` and ``workers`` (demo models, a minute),
``exporting`` (without models, minutes), ``encoding`` and ``sam`` (real sizes
with random weights, minutes), ``memory``, and ``prompting`` and ``window`` (demo
models, in a window; left out where there is no screen).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from .encoding import encoding_pairs, peak_memory
from .exporting import exporting_pairs
from .jobs import job_pairs, worker_figures
from .live import live_pairs
from .pairs import compare
from .prompting import prompting_pairs
from .refining import encoder_memory, refining_pairs, sam_pairs
from .window import window_figures
from .work import pairs

GROUPS = (
    "small",
    "refining",
    "live",
    "exporting",
    "jobs",
    "workers",
    "sam",
    "encoding",
    "memory",
    "prompting",
    "window",
)


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks.json"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=GROUPS)
    options = parser.parse_args()
    machine = {
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }
    timings = []
    found = []
    if "small" in options.only:
        found.append((pairs(), options.rounds))
    if "refining" in options.only:
        found.append((refining_pairs(), options.rounds))
    if "live" in options.only:
        found.append((live_pairs(), options.rounds))
    if "exporting" in options.only:
        found.append((exporting_pairs(), min(options.rounds, 2)))
    if "jobs" in options.only:
        found.append((job_pairs(), min(options.rounds, 5)))
    if "sam" in options.only:
        found.append((sam_pairs(), min(options.rounds, 3)))
    if "encoding" in options.only:
        found.append((encoding_pairs(), min(options.rounds, 3)))
    if "prompting" in options.only and _has_screen():
        found.append((prompting_pairs(), options.rounds))
    for pair, rounds in ((p, rounds) for group, rounds in found for p in group):
        timing = compare(pair, rounds)
        timings.append(asdict(timing))
        print(
            f"{timing.name}: {timing.ours_ms:.1f} ms, {timing.ratio:.2f} times as fast "
            f"as {timing.other_name} ({timing.other_ms:.1f} ms)",
            flush=True,
        )
    encoders = encoder_memory() if "sam" in options.only else []
    for encoder in encoders:
        print(
            f"SAM ViT-B image encoder, {encoder['encoder']}: "
            f"{encoder['above_mb']:.0f} MB above the loaded one",
            flush=True,
        )
    memory = peak_memory() if "memory" in options.only else []
    for item in memory:
        print(
            f"{item['side']:.0f} px square, {item['windows']:.0f} windows: "
            f"{item['peak_mb'] - item['loaded_mb']:.0f} MB above "
            f"{item['loaded_mb']:.0f} MB",
            flush=True,
        )
    workers = worker_figures() if "workers" in options.only else {}
    if workers:
        print(
            f"{workers['images']} images of {workers['side']} px: two workers take "
            f"{workers['2_workers_per_second']:.2f} images/s, one "
            f"{workers['1_workers_per_second']:.2f}; {workers['ratio']:.2f} times as "
            "fast",
            flush=True,
        )
    window = {}
    if "window" in options.only and _has_screen():
        window = window_figures(options.rounds)
        gaps = ", ".join(f"{gap:.0f}" for gap in window["later_run_gaps_ms"])
        print(
            f"window of {window['size']} px and {window['classes']} classes: stands "
            f"still for {window['first_run_gap_ms']:.0f} ms at most in the first run, "
            f"{gaps} ms in later ones; {window['gap_ratio']:.2f} times as long as for "
            "a layer of labels that napari takes in; while computing "
            f"{max(window['computing_gaps_ms']):.0f} ms",
            flush=True,
        )
        for name, change in window["changes"].items():
            print(
                f"{name}: labels after {change['median_ms']:.0f} ms, stands still for "
                f"{change['longest_gap_ms']:.0f} ms at most",
                flush=True,
            )
    options.json.parent.mkdir(parents=True, exist_ok=True)
    result = {
        "machine": machine,
        "timings": timings,
        "memory": memory,
        "sam_memory": encoders,
        "workers": workers,
        "window": window,
    }
    options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _has_screen() -> bool:
    names = ("DISPLAY", "WAYLAND_DISPLAY")
    return sys.platform != "linux" or any(os.environ.get(name) for name in names)


if __name__ == "__main__":
    main()
