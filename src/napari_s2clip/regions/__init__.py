"""Connected regions of a coarse map: arrays in, arrays out.

`find_regions` is Algorithm 3 of the paper's appendix, `find_regions_reference` is
Algorithm 2; they give the same.
"""

from .components import find_regions
from .maps import Regions, full_resolution_regions, half_resolution
from .reference import find_regions_reference

__all__ = [
    "Regions",
    "find_regions",
    "find_regions_reference",
    "full_resolution_regions",
    "half_resolution",
]
