"""What a job over many images does in a thread, without a word of Qt."""

from __future__ import annotations

import glob
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..batch import (
    BatchProgress,
    Outcome,
    facts_of,
    find_inputs,
    run_job,
    with_summary,
    write_summary,
)
from ..batch.journal import Journal
from ..batch.plan import Step, plan, refuse_inputs
from ..io.open_image import is_folder_of_pixels
from ..method_settings import needed_parts

if TYPE_CHECKING:
    from ..batch import FolderSummary, Input, Job
    from ..pipeline import S2CLIP
    from ..progress import CancelToken, Progress
    from .engine import Choice, Engine

__all__ = [
    "BatchRequest",
    "Finished",
    "Planned",
    "Reports",
    "default_folder",
    "given_paths",
    "look",
    "run",
]


@dataclass(frozen=True)
class BatchRequest:
    """A job, which models do it, and on what.

    Attributes
    ----------
    job : Job
    choice : Choice
    given : tuple of str
        Files, folders, patterns.
    out : Path
    overwrite : bool
    """

    job: Job
    choice: Choice
    given: tuple[str, ...]
    out: Path
    overwrite: bool = False


@dataclass(frozen=True)
class Planned:
    """Which images there are, and what would be done with them.

    Attributes
    ----------
    names : list of str
    states : list of str
        ``"waiting"``, ``"done"``, ``"kept"`` or ``"refused"``, for each.
    reasons : list of str
        Why an image is kept or refused; empty for others.
    """

    names: list[str]
    states: list[str]
    reasons: list[str]

    def words(self) -> str:
        """``12 images, 3 done already``."""
        counts, total = Counter(self.states), len(self.names)
        said = [f"{total:,} image{'' if total == 1 else 's'}"]
        if counts["done"]:
            said.append(f"{counts['done']:,} done already")
        if counts["kept"]:
            said.append(f"{counts['kept']:,} kept as edited")
        if counts["refused"]:
            first = self.reasons[self.states.index("refused")]
            said.append(f"{counts['refused']:,} cannot be done: {first}")
        return ", ".join(said)


@dataclass(eq=False)
class Reports:
    """The thread puts its reports here, and the window looks at them now and then.

    More of them come than could be drawn.
    """

    names: list[str] | None = None
    outcomes: deque[Outcome] = field(default_factory=deque)
    progress: BatchProgress | None = None
    loading: str = ""

    def on_load(self, report: Progress) -> None:
        """Models are being loaded."""
        self.loading = report.message or "Loading models"

    def on_progress(self, report: BatchProgress) -> None:
        """The job is further."""
        self.progress, self.loading = report, ""


@dataclass(frozen=True)
class Finished:
    """How a job ended.

    Attributes
    ----------
    summary : FolderSummary
        Of all that is in the folder now.
    sheet : Path
    """

    summary: FolderSummary
    sheet: Path


def given_paths(text: str) -> tuple[str, ...]:
    """Paths and patterns in a line: one, or several between semicolons."""
    text = text.strip()
    if not text:
        return ()
    whole = Path(text).expanduser()
    if whole.exists():
        return (str(whole),)
    parts = [part.strip().strip('"') for part in text.split(";")]
    return tuple(str(Path(part).expanduser()) for part in parts if part)


def default_folder(given: Sequence[str]) -> Path | None:
    """Where results go if nothing else is said: beside the folder of the images."""
    if not given:
        return None
    path = Path(given[0])
    if not path.is_dir() or is_folder_of_pixels(path):
        path = path.parent
        while glob.has_magic(path.name):
            path = path.parent
    path = path.absolute()
    if not path.name:  # a whole drive
        return None
    return path.with_name(f"{path.name}-s2clip")


def look(
    given: Sequence[str],
    out: Path,
    job: Job | None,
    *,
    overwrite: bool,
    cancel: CancelToken,
) -> Planned:
    """What a job would do; without one only which images there are.

    Raises
    ------
    Cancelled
    ValueError, OSError
        If there are no images, or results would replace them.
    """
    inputs = find_inputs(given, without=out, cancel=cancel)
    names = [item.name for item in inputs]
    if job is None:
        refuse_inputs(inputs, out)
        return Planned(names, ["waiting"] * len(names), [""] * len(names))
    steps = plan(inputs, Journal(out, job), overwrite=overwrite, cancel=cancel)
    states = [_state(step) for step in steps]
    reasons = [step.reason or "" if not step.done else "" for step in steps]
    return Planned(names, states, reasons)


def _state(step: Step) -> str:
    if step.reason is None:
        return "waiting"
    return "done" if step.done else "kept" if step.kept else "refused"


def run(
    engine: Engine, request: BatchRequest, reports: Reports, cancel: CancelToken
) -> Finished:
    """Do a job; what comes of each image goes to the reports.

    Raises
    ------
    Cancelled
    ValueError, OSError, RuntimeError, MemoryError
        As `run_job`.
    """
    job, choice = request.job, request.choice
    inputs: list[Input] = find_inputs(request.given, without=request.out, cancel=cancel)
    reports.names = [item.name for item in inputs]
    facts = facts_of(job)

    def load() -> S2CLIP:
        parts = needed_parts(job.settings)
        reports.loading = "Loading models"
        model = engine.load(choice, parts, reports.on_load, cancel)
        model.complete(job.settings)
        facts["device"], facts["precision"] = str(model.device), model.precision
        return model

    with engine.lent(choice):
        outcomes = run_job(
            job,
            inputs,
            request.out,
            model=load,
            overwrite=request.overwrite,
            progress=reports.on_progress,
            cancel=cancel,
        )
        for outcome in with_summary(outcomes, request.out, job.classes, facts):
            reports.outcomes.append(outcome)
    summary, sheet = write_summary(request.out, job.classes, facts)
    return Finished(summary, sheet)
