"""Which device to compute on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["available_devices", "choose_device", "describe_device"]


def available_devices() -> tuple[str, ...]:
    """Device names that work here, the best first; the CPU is always the last."""
    import torch

    names = []
    if torch.cuda.is_available():
        names.append("cuda")
        names += [f"cuda:{i}" for i in range(1, torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        names.append("mps")
    return (*names, "cpu")


def choose_device(name: str = "auto") -> torch.device:
    """A torch device by name; ``"auto"`` is CUDA, then MPS, then the CPU.

    Raises
    ------
    ValueError
        If the name is unknown or the device is not available here.
    """
    import torch

    usable = available_devices()
    if name == "auto":
        return torch.device(usable[0])
    known = name if name != "cuda:0" else "cuda"
    if known not in usable:
        raise ValueError(
            f"device: {name!r} is not available here (torch {torch.__version__}); "
            f"choose one of auto, {', '.join(usable)}"
        )
    return torch.device(name)


def describe_device(name: str = "auto") -> str:
    """What the device is, for people: ``"CPU, 8 threads"``."""
    import torch

    device = choose_device(name)
    if device.type == "cuda":
        found = torch.cuda.get_device_properties(device)
        return f"GPU: {found.name}, {found.total_memory / 2**30:.0f} GB"
    if device.type == "mps":
        return "GPU: Apple Metal"
    count = torch.get_num_threads()
    return f"CPU, {count} thread" + ("" if count == 1 else "s")
