"""Measuring results: metrics."""
