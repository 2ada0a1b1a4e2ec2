"""The names of the parts of a specification, and of number formats."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["Computed", "PartName", "Precision"]

PartName: TypeAlias = Literal["clip", "vfm", "sam"]

Computed: TypeAlias = Literal["fp32", "bf16", "fp16"]
"""Number formats by name."""

Precision: TypeAlias = Literal["auto", "fp32", "bf16", "fp16"]
"""What can be asked for."""
