"""A module that ``torch.compile`` makes faster, and a clear word where it cannot."""

from __future__ import annotations

import logging
import time

import torch
from torch import Tensor, nn

from .memory import is_out_of_memory

__all__ = ["Compiled"]

log = logging.getLogger(__name__)


class Compiled:
    """A frozen module, compiled when it is first called, for images of one shape.

    They are taken one by one: a batch of another size would be compiled anew, up to a
    limit after which nothing is compiled at all.

    Parameters
    ----------
    module : torch.nn.Module
        Takes and gives one tensor, (batch, …). It is left as it is.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._run = torch.compile(module, dynamic=False)
        self._ready = False

    def __call__(self, x: Tensor) -> Tensor:
        """What the module gives.

        Raises
        ------
        RuntimeError
            If it cannot be compiled, as without a C++ compiler or triton. What goes
            wrong without compiling too, or because memory runs out, is raised as it is.
        """
        return torch.cat([self._one(image) for image in torch.split(x, 1)])

    def _one(self, x: Tensor) -> Tensor:
        if self._ready:
            result: Tensor = self._run(x)
            return result
        log.warning(
            "compiling SAM's image encoder, once; this takes from seconds to minutes"
        )
        started = time.perf_counter()
        try:
            result = self._run(x)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            self._module(x)  # raises where compiling is not to blame
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise RuntimeError(
                f"SAM's image encoder cannot be compiled ({lines[0]}); load the models "
                "without compiled=True (command line: --compile)"
            ) from error
        log.info("compiled in %.0f s", time.perf_counter() - started)
        self._ready = True
        return result
