from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from napari_s2clip import _triton


@pytest.fixture
def maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for the list of the libraries of this process; triton is not loaded."""
    path = tmp_path / "maps"
    monkeypatch.setattr(_triton, "_MAPS", path)
    # Recorded first, so that the end of the test restores what was there.
    monkeypatch.setitem(sys.modules, "triton", None)
    del sys.modules["triton"]
    return path


def test_triton_is_hidden_where_another_llvm_is_loaded(maps: Path) -> None:
    maps.write_text("7f00-7f01 r-xp 0 08:01 1 /usr/lib/libLLVM-15.so.1\n")
    assert _triton.avoid_triton()
    with pytest.raises(ModuleNotFoundError):
        __import__("triton")
    assert _triton.avoid_triton()


def test_triton_stays_where_it_is_safe(maps: Path) -> None:
    maps.write_text("7f00-7f01 r-xp 0 08:01 1 /usr/lib/libGLX_nvidia.so.0\n")
    assert not _triton.avoid_triton()
    assert "triton" not in sys.modules


def test_triton_that_is_loaded_already_stays(
    maps: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps.write_text("7f00-7f01 r-xp 0 08:01 1 /usr/lib/libLLVM-15.so.1\n")
    loaded = ModuleType("triton")
    monkeypatch.setitem(sys.modules, "triton", loaded)
    assert not _triton.avoid_triton()
    assert sys.modules["triton"] is loaded


def test_systems_without_such_a_list_are_left_alone(maps: Path) -> None:
    assert not _triton.avoid_triton()
    assert "triton" not in sys.modules
