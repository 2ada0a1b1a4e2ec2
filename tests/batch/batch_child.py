"""Jobs that kill themselves, for test_killed.py; not a test."""

from __future__ import annotations

import sys
from pathlib import Path

from napari_s2clip.batch import Input, Job, run_job, write_summary

from ..deaths import serve
from .conftest import CLASSES, QuickModel, photo

IMAGES = 12


def inputs(folder: Path) -> list[Input]:
    """Photographs, some of them in a folder of their own."""
    return [
        Input(
            photo(folder / f"{n}.png", n, (20 + n, 31)),
            f"{'deep/' * (n % 3 == 0)}Größe {n}",
        )
        for n in range(IMAGES)
    ]


def run(folder: str, brighter: bool = False) -> dict[str, list[str]]:
    """What became of the images; brighter ones replace others."""
    states: dict[str, list[str]] = {}
    job = Job(CLASSES, contrast_limits=(0, 100) if brighter else None)
    for outcome in run_job(job, INPUTS, folder, model=QuickModel(), overwrite=brighter):
        states.setdefault(outcome.state, []).append(outcome.input.name)
    write_summary(Path(folder), CLASSES, {})
    return states


if __name__ == "__main__":
    warm = Path(sys.argv[1])
    INPUTS = inputs(warm / "in")
    run(str(warm / "out"))
    serve(run)
