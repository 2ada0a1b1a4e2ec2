"""Attention in bf16 on a CPU, a block of queries of one head at a time.

PyTorch's fused attention takes as long in bf16 as in float32 on CPUs with AVX512-BF16,
and with the many patches of a fine grid that is a third of a block's time. Products of
one block of queries fit into the CPU's cache, and take little more than half.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

__all__ = ["BlockedAttention", "blocked_attention"]

_ROWS: Final = 512
"""Queries at a time: their scores with 2000 keys take 2 MB, the cache of two cores."""


def blocked_attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """softmax(d^-½ q kᵀ) v: each (B, heads, N, d), and so is the result."""
    result = torch.empty(values.shape, dtype=values.dtype, device=values.device)
    queries = queries * queries.shape[-1] ** -0.5
    for image in range(queries.shape[0]):
        for head in range(queries.shape[1]):
            q, k, v = queries[image, head], keys[image, head].T, values[image, head]
            for first in range(0, len(q), _ROWS):
                rows = slice(first, first + _ROWS)
                weights = (q[rows] @ k).softmax(-1)
                torch.mm(weights, v, out=result[image, head, rows])
    return result


class BlockedAttention(TorchFunctionMode):
    """Within this context plain attention of bf16 on the CPU is `blocked_attention`.

    The vision transformers of timm are called as they are, and ask PyTorch for the
    attention.
    """

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Hand everything on but what `blocked_attention` computes."""
        options = kwargs or {}
        if (
            func is F.scaled_dot_product_attention
            and len(args) == 3
            and options.get("attn_mask") is None
            and options.get("scale") is None
            and not any(options.get(k) for k in ("is_causal", "dropout_p"))
            and all(x.shape == args[0].shape for x in args)
            and all(x.ndim == 4 and x.dtype == torch.bfloat16 for x in args)
            and all(x.device.type == "cpu" for x in args)
        ):
            return blocked_attention(*args)
        return func(*args, **options)
