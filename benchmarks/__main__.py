"""``python -m benchmarks [--json FILE]``: run the comparisons, print and keep them."""

from __future__ import annotations

import argparse
import json
import os
import platform
from dataclasses import asdict
from pathlib import Path

import torch

from .pairs import compare
from .work import pairs


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks.json"))
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    machine = {
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }
    timings = []
    for pair in pairs():
        timing = compare(pair, options.rounds)
        timings.append(asdict(timing))
        print(
            f"{timing.name}: {timing.ours_ms:.1f} ms, {timing.ratio:.1f} times faster "
            f"than {timing.other_name} ({timing.other_ms:.1f} ms)"
        )
    options.json.parent.mkdir(parents=True, exist_ok=True)
    result = {"machine": machine, "timings": timings}
    options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
