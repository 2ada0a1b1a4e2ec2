"""In which number format the models compute.

Only matrix products, convolutions and attention of the towers are lowered. Norms and
the residual stream stay in float32, and so does everything that is handed on.
"""

from __future__ import annotations

import logging
import platform
from pathlib import Path
from typing import Any, Final, get_args

import torch
from torch import Tensor, nn

from .parts import Computed, Precision

__all__ = ["DTYPES", "choose_precision", "cpu_has_bf16", "enter_float32", "lower"]

log = logging.getLogger(__name__)

DTYPES: Final[dict[Computed, torch.dtype]] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}

_X86: Final = frozenset({"x86_64", "amd64"})
_BF16_FLAGS: Final = frozenset({"avx512_bf16", "amx_bf16"})
_CPUINFO: Final = Path("/proc/cpuinfo")


def choose_precision(
    name: str, device: torch.device, preferred: Precision = "auto"
) -> Computed:
    """The number format to compute in.

    Parameters
    ----------
    name : {"auto", "fp32", "bf16", "fp16"}
        ``"auto"`` is what the specification prefers; if that is ``"auto"`` too: fp16
        with CUDA, as the public codes of the related methods have it; bf16 on a CPU
        that has instructions for it; else fp32.
    device : torch.device
    preferred : str
        `ModelSpec.precision`.

    Raises
    ------
    ValueError
        If the name is unknown, or the device cannot do it.
    """
    if name not in get_args(Precision):
        raise ValueError(
            f"precision: there is no {name!r}; choose one of "
            f"{', '.join(get_args(Precision))}"
        )
    wanted = preferred if name == "auto" else name
    if wanted == "auto":
        if device.type == "cuda":
            return "fp16"
        return "bf16" if device.type == "cpu" and cpu_has_bf16() else "fp32"
    if wanted == "fp32":
        return "fp32"
    if wanted == "bf16" and device.type in {"cpu", "cuda"}:
        if device.type == "cpu" and not cpu_has_bf16():
            log.warning("this CPU has no instructions for bf16; fp32 would be faster")
        return "bf16"
    if wanted == "fp16" and device.type == "cuda":
        return "fp16"
    others = "auto, fp32 or bf16" if device.type == "cpu" else "auto or fp32"
    raise ValueError(
        f"precision: {wanted} does not work on {device.type}; choose {others}"
    )


def cpu_has_bf16() -> bool:
    """Whether this CPU multiplies bf16 faster than float32 (AVX512-BF16 or AMX).

    Newer versions of PyTorch tell; with older ones the Linux kernel does, and elsewhere
    the answer is no.
    """
    if platform.machine().lower() not in _X86:
        return False
    ask = getattr(torch.cpu, "get_capabilities", None)
    if ask is not None:
        known = ask()
        return any(known.get(flag, False) for flag in _BF16_FLAGS)
    try:
        lines = _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return not _BF16_FLAGS.isdisjoint(flags.split())


def lower(module: nn.Module, dtype: torch.dtype) -> None:
    """Let the matrix products and convolutions of a frozen module compute in ``dtype``.

    Their weights are converted once, here; what goes into them is converted on the way.
    Nothing else changes, so sums with float32 and norms remain float32.

    Parameters
    ----------
    module : torch.nn.Module
    dtype : torch.dtype
        float32 leaves the module as it is.
    """
    if dtype == torch.float32:
        return

    def convert_first(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (args[0].to(dtype), *args[1:])

    def convert_all(
        _: nn.Module, args: tuple[Any, ...], options: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        # One result for one tensor: attention looks whether q, k and v are the same.
        known: dict[int, Tensor] = {}

        def to(value: Any) -> Any:
            if not isinstance(value, Tensor) or not value.is_floating_point():
                return value
            if id(value) not in known:
                known[id(value)] = value.to(dtype)
            return known[id(value)]

        return tuple(map(to, args)), {k: to(v) for k, v in options.items()}

    for part in module.modules():
        if isinstance(part, (nn.Linear, nn.Conv2d, nn.MultiheadAttention)):
            # New ones: the old may be another module's too.
            for name, weight in list(part.named_parameters(recurse=False)):
                low = nn.Parameter(weight.detach().to(dtype), requires_grad=False)
                setattr(part, name, low)
            if isinstance(part, nn.MultiheadAttention):
                part.register_forward_pre_hook(convert_all, with_kwargs=True)
            else:
                part.register_forward_pre_hook(convert_first)


def enter_float32(module: nn.Module) -> None:
    """Give a module its first argument in float32, whatever comes before it."""

    def convert(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (args[0].float(), *args[1:])

    module.register_forward_pre_hook(convert)
