from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_s2clip.maps import LIMIT, discard, new_map


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_small_map_is_in_memory(temporary: Path) -> None:
    found = new_map((3, 4), np.int32, limit=48)
    assert isinstance(found, np.ndarray)
    assert found.dtype == np.int32
    assert not found.any()
    assert not list(temporary.iterdir())


def test_map_larger_than_the_limit_is_on_disk_in_compressed_parts(
    temporary: Path,
) -> None:
    found = new_map((2, 1500, 3000), "uint16", limit=1000)
    assert isinstance(found, zarr.Array)
    assert found.chunks == (1, 1024, 1024)
    assert not found[1, 5:9].any()
    found[1, 1000:1200, 20:1100] = 7
    assert int((found[1] == 7).sum()) == 200 * 1080
    size = sum(p.stat().st_size for p in temporary.rglob("*") if p.is_file())
    assert size < 20_000


def test_the_limit_holds_4096_squared_of_int32() -> None:
    assert LIMIT == 4096 * 4096 * 4


def test_parts_lie_along_the_axes_of_a_plane() -> None:
    found = new_map((2000, 5, 3000), "u1", limit=0, plane=(0, 2))
    assert found.chunks == (1024, 1, 1024)


def test_files_go_with_the_array(temporary: Path) -> None:
    found = new_map((64, 64), "u1", limit=0)
    found[:] = 1
    part = found.store
    del found
    gc.collect()
    assert len(list(temporary.iterdir())) == 1  # something may still read
    del part
    gc.collect()
    assert not list(temporary.iterdir())


def test_discarded_map_leaves_no_files(temporary: Path) -> None:
    found = new_map((64, 64), "u1", limit=0)
    found[:] = 1
    discard(found)
    assert not list(temporary.iterdir())
    discard(np.zeros(3))


def test_files_go_at_the_end_of_the_program(temporary: Path, tmp_path: Path) -> None:
    code = (
        "from napari_s2clip.maps import new_map\n"
        "kept = new_map((64, 64), 'u1', limit=0)\n"
        "kept[:] = 1\n"
        "import os, tempfile\n"
        "print(len(os.listdir(tempfile.gettempdir())), len(os.listdir()))\n"
    )
    here = tmp_path / "here"
    here.mkdir()
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=here,
        env={**os.environ, "TMPDIR": str(temporary), "TEMP": str(temporary)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["1", "0"]
    assert not list(temporary.iterdir())


def test_map_in_a_folder_stays(tmp_path: Path, temporary: Path) -> None:
    folder = tmp_path / "mine"
    found = new_map((64, 64), "u1", limit=0, folder=folder)
    found[3, 4] = 9
    del found
    gc.collect()
    assert zarr.open_array(folder)[3, 4] == 9
    assert not list(temporary.iterdir())
    with pytest.raises(FileExistsError, match=r"^folder: .* is not empty; "):
        new_map((64, 64), "u1", limit=0, folder=folder)
