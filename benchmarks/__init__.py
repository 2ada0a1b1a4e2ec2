"""Timed comparisons: two ways of doing the same work, interleaved in one run."""
