"""A job over many images: what is left of it is done, and noted in its journal."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..errors import EXPECTED, sentence
from ..progress import CancelToken
from .edited import EditedError
from .finished import is_finished
from .journal import Journal
from .line import Line, LocalLine, LostError, Pending
from .plan import Step, plan, tidy
from .report import Teller, Watch

if TYPE_CHECKING:
    from ..pipeline import S2CLIP
    from .cluster import Cluster
    from .inputs import Input
    from .job import Job

__all__ = ["Outcome", "run_job"]

_IN_WORK: Final = 4
"""Images in memory at a time: read, computed, written."""


@dataclass(frozen=True)
class Outcome:
    """What became of an image.

    Attributes
    ----------
    input : Input
    state : {"done", "skipped", "kept", "failed"}
        Skipped are those that were done before, kept those that somebody has edited.
    told : dict
        See `napari_s2clip.batch.one.write`; of those that were done before what the
        journal keeps.
    error : str
        Why it failed or is kept, in a sentence.
    """

    input: Input
    state: str
    told: dict[str, Any]
    error: str = ""


def run_job(
    job: Job,
    inputs: Sequence[Input],
    out: str | Path,
    *,
    model: S2CLIP | Callable[[], S2CLIP] | None = None,
    cluster: Cluster | None = None,
    overwrite: bool = False,
    again: bool = False,
    in_work: int = _IN_WORK,
    progress: Watch | None = None,
    cancel: CancelToken | None = None,
) -> Generator[Outcome, None, None]:
    """Segment images into a folder, going on where an equal job stopped.

    Parameters
    ----------
    job : Job
    inputs : sequence of Input
    out : path
    model : S2CLIP or callable, optional
        Or what loads it, which is called if there is something to do; by default
        `Job.load`.
    cluster : Cluster, optional
        Whose workers do it instead; they see the images and ``out`` under the same
        paths.
    overwrite : bool
        Replace results of other jobs. Label files that were edited since are never
        replaced.
    again : bool
        Also do what equal jobs have finished.
    in_work : int
        Images in memory at a time, from 1.
    progress : callable, optional
        Called with a `BatchProgress`, from several threads, one at a time.
    cancel : CancelToken, optional

    Yields
    ------
    Outcome
        In the order of the inputs.

    Raises
    ------
    JournalError
        If another program works on the folder.
    ValueError
        If results would replace an input.
    Cancelled
        If ``cancel`` was raised; images that were being written are finished.
    OSError
        If the journal cannot be written.
    """
    if in_work < 1:
        raise ValueError(f"in_work: {in_work}; give 1 or more")
    out = Path(out)
    cancel = cancel or CancelToken()
    journal = Journal(out, job)
    steps = plan(inputs, journal, overwrite=overwrite, again=again)
    loaded: S2CLIP | None = None
    if cluster is None and any(step.reason is None for step in steps):
        model = job.load if model is None else model
        loaded = model() if callable(model) else model
    with journal:
        if journal.changed:
            steps = plan(inputs, journal, overwrite=overwrite, again=again)
        tidy(out, inputs, journal)
        for step in steps:
            name = step.input.name
            if step.kept and is_finished(out, name, journal.entries.get(name, {})):
                journal.kept(step.input)
        count = sum(step.reason is None for step in steps)
        teller = Teller(len(steps), count, progress)
        line: Line
        if cluster is not None:
            line = cluster.line(job, out.absolute(), teller)
        else:
            from ..features.keep import open_store  # torch

            store = open_store(job.keep_features) or False
            line = LocalLine(job, out, loaded, store, in_work, teller, cancel)
        try:
            yield from _in_order(steps, journal, line, teller, cancel)
        finally:
            line.close()


def _in_order(
    steps: Sequence[Step],
    journal: Journal,
    line: Line,
    teller: Teller,
    cancel: CancelToken,
) -> Iterator[Outcome]:
    """Do the steps, a few at a time, and note each as soon as those before it are."""
    waiting = deque(steps)
    begun: deque[tuple[Step, Pending | None]] = deque()
    try:
        while waiting or begun:
            cancel.raise_if_cancelled()
            while waiting and sum(p is not None for _, p in begun) < line.in_work:
                step = waiting.popleft()
                step = _unless_changed(step, journal.out)
                pending = None
                if step.reason is None:
                    journal.begin(step.input)
                    pending = line.start(step.input, step.guard)
                begun.append((step, pending))
            outcome = _outcome(*begun[0], journal)
            begun.popleft()
            teller.finished()
            yield outcome
    except BaseException:
        line.stop()
        # What is being written is finished and counts.
        for step, pending in begun:
            if pending is None:
                continue
            error = pending.exception()
            if error is None:
                journal.done(step.input, *pending.result())
            elif _is_as_before(step, error, journal.out):
                journal.kept(step.input)
        raise


def _is_as_before(step: Step, error: BaseException, out: Path) -> bool:
    """Whether results are there as they were; a lost worker may still replace them."""
    if step.guard is None or not step.guard.finished or isinstance(error, LostError):
        return False
    return isinstance(error, EditedError) or step.guard.untouched(out, step.input)


def _unless_changed(step: Step, out: Path) -> Step:
    """A step, kept if somebody has changed the results since it was planned."""
    if step.reason is not None or step.guard is None:
        return step
    try:
        step.guard.check(out, step.input)
    except EditedError as error:
        return replace(step, reason=str(error), kept=True)
    except EXPECTED as error:
        return replace(step, reason=f"{step.input.path}: {sentence(error)}")
    return step


def _outcome(step: Step, pending: Pending | None, journal: Journal) -> Outcome:
    item = step.input
    if pending is None:
        if step.done:
            return Outcome(item, "skipped", journal.entries[item.name])
        assert step.reason is not None
        return Outcome(item, "kept" if step.kept else "failed", {}, step.reason)
    try:
        state, told = pending.result()
    except EditedError as error:
        if _is_as_before(step, error, journal.out):
            journal.kept(item)
        return Outcome(item, "kept", {}, str(error))
    except EXPECTED as error:
        reason = sentence(error)
        named = reason.startswith(str(item.path))
        reason = reason if named else f"{item.path}: {reason}"
        journal.failed(item, reason)
        if _is_as_before(step, error, journal.out):
            journal.kept(item)  # what there was is whole
        return Outcome(item, "failed", {}, reason)
    journal.done(item, state, told)
    return Outcome(item, "done", told)
