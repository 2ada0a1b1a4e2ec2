"""Training recipes of the demo models: ``python -m napari_s2clip.demo.train NAME``.

Each recipe is seeded and counts steps, not minutes, so that it repeats on the same
machine and library versions. Needs nothing that the package does not already need.
"""
