"""The versions that a result names."""

from __future__ import annotations

import torch

from napari_s2clip import versions


def test_versions_of_the_libraries(monkeypatch):
    found = versions.library_versions()
    assert set(found) == {
        "torch",
        "open_clip_torch",
        "timm",
        "segment-anything",
        "numpy",
    }
    assert torch.__version__.startswith(found["torch"])
    monkeypatch.setattr(versions, "_LIBRARIES", ("no such distribution",))
    assert versions.library_versions() == {"no such distribution": "unknown"}
