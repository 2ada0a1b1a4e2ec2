"""Fill a model from a weight file whose tensors fit it one by one, or say why not."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .recognise import recognise
from .state import WeightFile

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .cards import ModelCard

__all__ = ["PREFIXES", "UNUSED", "fill_weights"]

log = logging.getLogger(__name__)

PREFIXES: Final = ("module.", "_orig_mod.", "model.", "sam.", "backbone.")
"""What programs put before every name: the attribute that held the model."""

UNUSED: Final[Mapping[str, tuple[str, ...]]] = {
    # OpenAI's archives name these numbers beside the weights.
    "clip": ("input_resolution", "context_length", "vocab_size"),
    # What follows the tokens, and what stands for masked patches in training.
    "vfm": ("head.", "dino_head.", "ibot_head.", "mask_token"),
    "sam": (),
}
"""By part, the tensors of known files that the model does without: names, or with a
dot at the end what they begin with."""

_AT_ONCE: Final = 2**28
"""Bytes that are filled between two openings of a file. What has been read of a mapped
file counts as this program's memory until it is closed."""


def fill_weights(model: nn.Module, part: ModelCard, path: Path) -> None:
    """Copy a file's tensors into a model, all of them or none.

    Names may bear `PREFIXES`, any number of them, if all do; what `UNUSED` lists is
    left out. The file's numbers may be in another floating-point format of 16 bits or
    more, and single numbers may have the shape () or (1,).

    Parameters
    ----------
    model : torch.nn.Module
    part : ModelCard
        What the model is, for errors.
    path : Path

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it holds no weights or does not fit; the model is as it was.
    """
    file = WeightFile(path, part)
    target = model.state_dict()
    found = file.read()
    kind = "sam" if part.is_sam else part.role
    names = _model_names(found, target, UNUSED[kind])
    reason = _misfit({name: found[names[name]] for name in names}, target)
    if reason:
        raise ValueError(
            f"weights[{part.role!r}]: {path.name} does not fit {part.title} "
            f"({part.architecture}): {reason}"
        )
    unused = len(found) - len(names)
    if unused:
        log.info("%s: %s tensors of it are not used", path.name, unused)
    for number, some in enumerate(_portions(target)):
        if number and file.mapped:
            found = {}  # closes it
            found = file.read()
        if not all(
            names[name] in found and _fits(found[names[name]], target[name])
            for name in some
        ):
            raise ValueError(
                f"weights[{part.role!r}]: {path.name} has changed while it was read; "
                "load it again"
            )
        for name in some:
            target[name].copy_(found[names[name]].reshape_as(target[name]))


def _portions(target: Mapping[str, Tensor]) -> Iterator[list[str]]:
    """Names of a few tensors at a time."""
    some: list[str] = []
    size = 0
    for name, tensor in target.items():
        some.append(name)
        size += tensor.nbytes
        if size >= _AT_ONCE:
            yield some
            some, size = [], 0
    if some:
        yield some


def _model_names(
    found: Iterable[str], target: Mapping[str, Tensor], unused: tuple[str, ...]
) -> dict[str, str]:
    """The names in the file by those that the model has for them."""
    names = {name: name for name in found}
    while True:
        kept = {
            name: own
            for name, own in names.items()
            if name in target
            or not any(
                name == left or (left.endswith(".") and name.startswith(left))
                for left in unused
            )
        }
        common = next(
            (p for p in PREFIXES if kept and all(n.startswith(p) for n in kept)), None
        )
        if common is None:
            return kept
        names = {name.removeprefix(common): own for name, own in kept.items()}


def _fits(tensor: Tensor, target: Tensor) -> bool:
    same = tensor.shape == target.shape
    single = tensor.numel() == target.numel() == 1 and tensor.ndim + target.ndim <= 1
    return (same or single) and _converts(tensor, target)


def _converts(tensor: Tensor, target: Tensor) -> bool:
    """Whether the numbers mean the same in the model's format.

    Those of 8 bits do with a scale that is kept elsewhere.
    """
    if target.is_floating_point():
        return tensor.is_floating_point() and tensor.element_size() > 1
    return tensor.dtype == target.dtype


def _misfit(found: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> str:
    """Why tensors do not fit, as part of a line; empty if they do."""
    missing = [name for name in target if name not in found]
    unknown = [name for name in found if name not in target]
    other = [n for n in target if n in found and not _fits(found[n], target[n])]
    if not missing and not unknown and not other:
        return ""
    if len(missing) == len(target):
        has = f"it holds {_some(unknown)}" if unknown else "it holds nothing of use"
        reasons = [f"no name in common: {has}, expected {_some(missing)}"]
    elif other:
        name, others = other[0], len(other) + len(missing) + len(unknown) - 1
        a, b = found[name], target[name]
        say = _shape if a.shape != b.shape else _dtype
        more = f" (and {others} more)" if others else ""
        reasons = [f"{_shown(name)} is {say(a)}, expected {say(b)}{more}"]
    else:
        are = {True: "is", False: "are"}
        reasons = [
            f"{_some(names)} {are[len(names) == 1]} {what}"
            for names, what in ((missing, "missing"), (unknown, "not expected"))
            if names
        ]
    title = recognise({name: tuple(t.shape) for name, t in found.items()})
    if title and title != recognise({n: tuple(t.shape) for n, t in target.items()}):
        reasons.append(f"it looks like {title}")
    return "; ".join(reasons)


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _some(names: list[str]) -> str:
    more = f" (and {len(names) - 2} more)" if len(names) > 2 else ""
    return ", ".join(map(_shown, names[:2])) + more


def _shown(name: str) -> str:
    """A file's name for a tensor may be anything."""
    name = name if name.isprintable() and name else repr(name)
    return name if len(name) <= 80 else f"{name[:79]}…"
