"""What the program prints: lines, errors, the progress bar."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from ..closing import Closing
from ..errors import EXPECTED, sentence
from ..time_left import in_words

if TYPE_CHECKING:
    from ..batch import BatchProgress
    from ..progress import Progress
    from ..store import Transfer

__all__ = [
    "EXPECTED",
    "PROGRAM",
    "ProgressBar",
    "StepBar",
    "TransferBar",
    "UsageError",
    "complain",
    "print_json",
    "say",
    "sentence",
]

PROGRAM = "napari-s2clip"


class UsageError(Exception):
    """The command line is wrong."""


def say(text: str) -> None:
    """Print a line; letters that the terminal does not have are spelled out."""
    encoding = sys.stdout.encoding or "utf-8"
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    sys.stdout.write(f"{text}\n")


def complain(text: str) -> None:
    """Print an error as one line on standard error."""
    sys.stderr.write(f"{PROGRAM}: error: {text}\n")


def print_json(content: Any) -> None:
    """Print plain ASCII, so that no terminal and no file name can spoil it."""
    sys.stdout.write(json.dumps(content, indent=2) + "\n")


class _Bar(Closing):
    """A bar of tqdm, or nothing."""

    _bar: Any = None

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()

    def clear(self) -> None:
        """Make room for a line of text."""
        if self._bar is not None:
            self._bar.clear()


class ProgressBar(_Bar):
    """Stages of the image at hand, on standard error."""

    _STAGES = ("encode", "classify", "regions", "refine")

    def __init__(self, *, enabled: bool) -> None:
        if enabled:
            from tqdm import tqdm

            self._bar = tqdm(
                total=100,
                leave=False,
                bar_format="{desc} |{bar:30}| {percentage:3.0f}%{postfix}",
            )

    def begin(self, title: str) -> None:
        """Start again at 0 % with a new title."""
        if self._bar is not None:
            self._bar.n = 0
            self._bar.set_description_str(title, refresh=False)
            self._bar.set_postfix_str("")

    def __call__(self, progress: Progress) -> None:
        """Show a report of the pipeline."""
        if self._bar is None:
            return
        share = progress.done / max(1, progress.total)
        if progress.stage in self._STAGES:
            share = (self._STAGES.index(progress.stage) + share) / len(self._STAGES)
        self._bar.n = max(self._bar.n, round(100 * min(share, 1)))
        self._bar.set_postfix_str(f"{progress.stage} {progress.message}".strip())

    def show(self, progress: BatchProgress) -> None:
        """Show how far a job over many images is."""
        if self._bar is None:
            return
        share = progress.computed / max(1, progress.to_compute)
        number = min(progress.finished + 1, progress.total)
        self._bar.n = round(100 * min(share, 1))
        self._bar.set_description_str(
            f"[{number}/{progress.total}] {progress.image}", refresh=False
        )
        words = []
        if progress.step is not None:
            words.append(f"{progress.step.stage} {progress.step.message}".strip())
        if progress.rate is not None and progress.to_compute > 1:
            words.append(f"{progress.rate:.2f} images/s")
        if progress.seconds_left and progress.to_compute > 1:
            words.append(f"{in_words(progress.seconds_left)} left")
        self._bar.set_postfix_str(", ".join(words))


class StepBar(_Bar):
    """Images of an export or import, on standard error."""

    def __init__(self, total: int | None, *, enabled: bool) -> None:
        if enabled:
            from tqdm import tqdm

            self._bar = tqdm(total=total, leave=False, unit="image")

    def step(self, number: int, name: str) -> None:
        """Show which image is at hand, counted from 0."""
        if self._bar is not None:
            self._bar.n = number
            self._bar.set_description_str(name)


class TransferBar(_Bar):
    """Bytes, rate and time left of one file, on standard error if it is a terminal."""

    _PAUSE = 0.1  # seconds between two pictures

    def __init__(self, *, enabled: bool) -> None:
        self._shown: tuple[str, str] = ("", "")
        self._next = 0.0
        if enabled and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                total=100,
                leave=False,
                dynamic_ncols=True,
                delay=1,  # nothing is drawn before there is something to say
                # Where the words are long, the bar has what is left.
                bar_format="{percentage:3.0f}% {desc} |{bar}|",
            )

    def __call__(self, transfer: Transfer) -> None:
        """Show a report of the store."""
        if self._bar is None:
            return
        what, now = (transfer.card, transfer.step), time.monotonic()
        if what == self._shown and now < self._next:
            return
        self._shown, self._next = what, now + self._PAUSE
        from ..models.bring import describe_transfer

        self._bar.n = round(100 * min(1, transfer.done / max(1, transfer.total)))
        self._bar.set_description_str(describe_transfer(transfer))
