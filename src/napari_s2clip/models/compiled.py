"""A module that ``torch.compile`` makes faster, and a clear word where it cannot."""

from __future__ import annotations

import logging
import time

import torch
from torch import Tensor, nn

__all__ = ["Compiled"]

log = logging.getLogger(__name__)


class Compiled:
    """A frozen module, compiled when it is first called, for inputs of one shape.

    Parameters
    ----------
    module : torch.nn.Module
        Takes and gives one tensor. It is left as it is.
    """

    def __init__(self, module: nn.Module) -> None:
        self._run = torch.compile(module, dynamic=False)
        self._ready = False

    def __call__(self, x: Tensor) -> Tensor:
        """What the module gives.

        Raises
        ------
        RuntimeError
            If it cannot be compiled, as without a C++ compiler or triton.
        torch.cuda.OutOfMemoryError
        """
        if self._ready:
            result: Tensor = self._run(x)
            return result
        log.info("compiling; this takes minutes, once")
        started = time.perf_counter()
        try:
            result = self._run(x)
        except torch.cuda.OutOfMemoryError:
            raise
        except Exception as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise RuntimeError(
                f"SAM's image encoder cannot be compiled ({lines[0]}); load the models "
                "without compiled=True"
            ) from error
        log.info("compiled in %.0f s", time.perf_counter() - started)
        self._ready = True
        return result
