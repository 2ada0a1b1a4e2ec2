"""The ``segment`` command: images in, label maps and pictures out."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .console import ProgressBar, UsageError, complain, say
from .options import (
    check_model,
    check_precision,
    check_settings,
    read_classes,
    read_settings,
    read_tiling,
    read_weights,
)
from .segment_arguments import add_arguments

if TYPE_CHECKING:
    from ..batch import Cluster, FolderSummary, Input, Job, Outcome
    from ..batch.plan import Step
    from ..pipeline import S2CLIP

__all__ = ["MORE", "add_arguments", "run"]

MORE = (
    "For each image STEM.png, label maps (TIFF), pictures with a legend (PNG), the "
    "table of regions (CSV) and a description (JSON) are written into one folder, for "
    "all of them a summary and a contact sheet (HTML). A run that was stopped goes on "
    "where it was."
)
"""What ``--help`` adds."""


def run(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    job = _job(options)
    inputs = _inputs(options)
    if options.dry_run:
        return _dry_run(job, inputs, options)
    from ..batch import facts_of, run_job, with_summary, write_summary

    images: list[dict[str, Any]] = []
    facts = facts_of(job)
    started = time.perf_counter()
    seconds = facts["seconds"] = {"load": 0.0, "total": 0.0}
    talks = not options.quiet and options.json != "-"
    with (
        ProgressBar(enabled=not options.quiet and sys.stderr.isatty()) as bar,
        _cluster(options) as cluster,
    ):

        def load() -> S2CLIP:
            bar.begin(f"loading {options.model}")
            model = job.load(download=options.download, progress=bar, check=False)
            check_settings(model, job.settings)  # what is wrong is said once
            facts["device"], facts["precision"] = str(model.device), model.precision
            seconds["load"] = time.perf_counter() - started
            return model

        outcomes = run_job(
            job,
            inputs,
            options.out,
            model=load,
            cluster=cluster,
            overwrite=options.overwrite,
            again=options.again,
            progress=bar.show,
        )
        # Whoever stops a job wants to look at what there is.
        told = with_summary(outcomes, options.out, job.classes, facts)
        with closing(told):
            for outcome in told:
                images.append(_told(outcome))
                if outcome.state == "failed":
                    bar.clear()
                    complain(_with_option(outcome.error))
                elif talks:
                    bar.clear()
                    say(_line(outcome, options.out))
    seconds["total"] = time.perf_counter() - started
    summary, sheet = write_summary(options.out, job.classes, facts)
    if talks and len(inputs) > 1:
        for line in _totals(summary, images, seconds, sheet):
            say(line)
    if options.json is not None:
        _write_summary({**facts, "images": images}, options.json)
    return 0 if all(image["ok"] for image in images) else 1


def _cluster(options: argparse.Namespace) -> AbstractContextManager[Cluster | None]:
    """The cluster that the options name, if they do."""
    from ..batch import Cluster

    if not options.workers and not options.scheduler:
        return nullcontext()
    try:
        return Cluster(options.workers, options.scheduler)
    except ValueError as error:
        raise UsageError(f"--{error}") from error


def _job(options: argparse.Namespace) -> Job:
    """The job that the options describe."""
    from ..batch import Job

    classes = read_classes(options.classes, options.background)
    settings = read_settings(options.settings, refine=not options.no_refine)
    weights = read_weights(options.weights) or {}
    check_model(options.model, options.vfm, options.sam)
    check_precision(options.precision)
    tiling = read_tiling(options.tile)
    try:
        return Job(
            classes,
            settings,
            model=options.model,
            vfm=options.vfm,
            sam=options.sam,
            device=options.device,
            precision=options.precision,
            weights={part: str(path) for part, path in weights.items()},
            diffusion=None if options.diffusion is None else str(options.diffusion),
            compiled=options.compile,
            tiling=tiling,
            channels=options.channels,
            contrast_limits=tuple(options.contrast) if options.contrast else None,
            keep_features=options.keep_features,
            pictures=not options.no_pictures,
        )
    except ValueError as error:
        text = str(error).replace("contrast_limits", "contrast")
        raise UsageError(f"--{text}") from error


def _inputs(options: argparse.Namespace) -> list[Input]:
    """The images that the options name."""
    from ..batch import find_inputs, read_list
    from ..batch.plan import refuse_inputs

    given = [*options.images, *(p for file in options.lists for p in read_list(file))]
    if not given:
        raise UsageError("give images, folders, patterns, or --list FILE")
    try:
        inputs = find_inputs(given, without=options.out)
        refuse_inputs(inputs, options.out)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return inputs


def _dry_run(job: Job, inputs: list[Input], options: argparse.Namespace) -> int:
    """Say what would be done with each image."""
    from ..batch.journal import Journal
    from ..batch.plan import plan

    steps = plan(
        inputs,
        Journal(options.out, job),
        overwrite=options.overwrite,
        again=options.again,
    )
    counts: Counter[str] = Counter()
    images = []
    for step in steps:
        item = step.input
        reason = step.reason
        if reason is None and not item.path.exists():
            reason = f"{item.path}: there is no such file"
        state = "segment" if reason is None else _unchanged(step)
        counts[state] += 1
        images.append({"image": str(item.path), "state": state, "reason": reason})
        if options.quiet or options.json == "-":
            continue
        if state == "refuse":
            complain(_with_option(str(reason)))
        else:
            where = f"{item.path}: {options.out / item.name}_*"
            words = {"segment": where, "skip": f"{item.path}: done already"}
            say(words.get(state, reason or ""))
    if not options.quiet and options.json != "-":
        say(
            f"{counts['segment']} to segment, {counts['skip']} done already, "
            + (f"{counts['keep']} kept, " if counts["keep"] else "")
            + f"{counts['refuse']} refused; nothing was done"
        )
    if options.json is not None:
        _write_summary({"images": images}, options.json)
    return 1 if counts["refuse"] else 0


def _unchanged(step: Step) -> str:
    """What is said of an image of which nothing is done."""
    return "skip" if step.done else "keep" if step.kept else "refuse"


def _told(outcome: Outcome) -> dict[str, Any]:
    """What the summary says of an image."""
    item: dict[str, Any] = {
        "image": str(outcome.input.path),
        "ok": outcome.state != "failed",
    }
    if outcome.state == "failed":
        return item | {"error": _with_option(outcome.error)}
    if outcome.state == "kept":
        return item | {"kept": outcome.error}
    names = (
        *("width", "height", "planes", "notes", "regions", "refined_regions"),
        *("kept_regions", "seconds", "files"),
    )
    item |= {name: outcome.told[name] for name in names}
    return item | ({"skipped": True} if outcome.state == "skipped" else {})


def _line(outcome: Outcome, out: Path) -> str:
    item, path = outcome.told, outcome.input.path
    if outcome.state == "skipped":
        return f"{path}: done already"
    if outcome.state == "kept":
        return outcome.error
    regions = f"{item['regions']} region{'s' if item['regions'] != 1 else ''}"
    if kept := item["kept_regions"]:
        regions += f" ({kept} kept as {'they were' if kept != 1 else 'it was'})"
    seconds = sum(item["seconds"].values())
    notes = "".join(f"; {note}" for note in item["notes"])
    return f"{path}: {regions}, {seconds:.1f} s, {out / outcome.input.name}_*{notes}"


def _with_option(reason: str) -> str:
    """A sentence that names the option of this program."""
    return reason.replace("allow overwriting", "allow overwriting (--overwrite)")


def _totals(
    summary: FolderSummary,
    images: list[dict[str, Any]],
    seconds: dict[str, float],
    sheet: Path,
) -> list[str]:
    """Lines after the last image."""
    left = {"skipped", "kept"}
    done = sum(image["ok"] and not left & image.keys() for image in images)
    kept = sum("kept" in image for image in images)
    taken = seconds["total"] - seconds["load"]
    width = max(len(one.name) for one in summary.classes)
    failed = sum(not image["ok"] for image in images)
    first = f"{done} of {len(images)} images in {taken:.1f} s"
    if done:
        first += f", {done / taken:.2f} images/s"
    first += f", {kept} kept as edited" if kept else ""
    return [
        first + (f", {failed} failed" if failed else ""),
        *(
            f"  {one.name:{width}}  {one.share:6.1%} of the pixels, in {one.images} of "
            f"{summary.images} images"
            for one in summary.classes
        ),
        *([f"  {summary.said_of_others}"] if summary.others else ()),
        f"to look at: {sheet}",
    ]


def _write_summary(summary: dict[str, Any], target: str) -> None:
    # Plain ASCII, so that no terminal and no file name can spoil it.
    text = json.dumps(summary, indent=2, allow_nan=False)
    if target == "-":
        sys.stdout.write(f"{text}\n")
        return
    path = Path(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")
