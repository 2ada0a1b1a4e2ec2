"""Linear maps in bf16 on a CPU, with the weights laid out once.

PyTorch multiplies bf16 with oneDNN, which rearranges the weights at every call and adds
the bias in a second pass; both take a tenth of the time of a vision transformer's
maps. These two operators of PyTorch's own compiler do that once and in one pass.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor, nn

from .precision import cpu_has_bf16

__all__ = ["PackedLinear", "can_pack", "pack_linears"]

_REARRANGE: Final = "_reorder_linear_weight"
_MULTIPLY: Final = "_linear_pointwise"


def can_pack() -> bool:
    """Whether this CPU has instructions for bf16, and this PyTorch the operators."""
    operators = torch.ops.mkldnn
    return cpu_has_bf16() and all(
        hasattr(operators, n) for n in (_REARRANGE, _MULTIPLY)
    )


class PackedLinear(nn.Module):
    """x Wᵀ + b, as `torch.nn.Linear` has it; it keeps the weights in oneDNN's layout.

    Parameters
    ----------
    linear : torch.nn.Linear
        Frozen, in bf16, on the CPU.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        # No parameters: the layout can neither be moved to a device nor saved.
        rearrange: Any = getattr(torch.ops.mkldnn, _REARRANGE)
        self._weight = rearrange(linear.weight.detach())
        bias: Tensor | None = linear.bias
        self._bias = None if bias is None else bias.detach()
        self._multiply: Any = getattr(torch.ops.mkldnn, _MULTIPLY)

    def forward(self, x: Tensor) -> Tensor:
        """(…, in_features) to (…, out_features), both bf16."""
        x = x.to(torch.bfloat16)
        # No function after the map: its name, arguments and variant.
        after: tuple[str, list[float], str] = ("none", [], "none")
        result: Tensor = self._multiply(x, self._weight, self._bias, *after)
        return result

    def extra_repr(self) -> str:
        """Sizes, as `torch.nn.Linear` shows them."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self._bias is not None}"
        )


def pack_linears(module: nn.Module) -> None:
    """Put a `PackedLinear` in the place of every linear map in bf16 on the CPU.

    Nothing is done where `can_pack` says no. Maps whose weights another module reads,
    such as those within `torch.nn.MultiheadAttention`, stay.
    """
    if not can_pack():
        return
    for parent in module.modules():
        if isinstance(parent, nn.MultiheadAttention):
            continue
        for name, child in parent.named_children():
            if (
                type(child) is nn.Linear
                and child.weight.dtype == torch.bfloat16
                and child.weight.device.type == "cpu"
            ):
                setattr(parent, name, PackedLinear(child))
