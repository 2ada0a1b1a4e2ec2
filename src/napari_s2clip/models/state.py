"""What a weight file holds: tensors by name, and nothing that runs code."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

__all__ = ["read_state"]


def read_state(path: Path, role: str) -> dict[str, Tensor]:
    """A state dict from safetensors, or from a pickle that may hold tensors only.

    Floating-point tensors become float32. A dict under the key ``"state_dict"``, as
    training programs write it, is taken out.

    Parameters
    ----------
    path : Path
        Read as safetensors if its suffix says so, else as a file of PyTorch.
    role : str
        The part that errors name.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it holds anything else, or is damaged.
    """
    with path.open("rb"):
        pass  # what the system refuses is said in the system's words
    try:
        state = _load(path)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001
        # A reader that meets bytes of another kind may stop with any error, and
        # PyTorch's text recommends to let the file run code.
        state = None
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not _are_tensors(state):
        raise ValueError(
            f"weights[{role!r}]: {path.name} is no weight file; give safetensors or a "
            "PyTorch file of tensors"
        )
    return {
        name: value.float() if value.is_floating_point() else value
        for name, value in state.items()
    }


def _load(path: Path) -> Any:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    with warnings.catch_warnings():
        # Of odd pickles and TorchScript; the file is loaded or refused all the same.
        warnings.simplefilter("ignore", UserWarning)
        return torch.load(path, map_location="cpu", weights_only=True)


def _are_tensors(state: dict[Any, Any]) -> bool:
    """Whether there are tensors by name, and nothing else."""
    return bool(state) and all(
        isinstance(name, str) and isinstance(value, Tensor)
        for name, value in state.items()
    )
