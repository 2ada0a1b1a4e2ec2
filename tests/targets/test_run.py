"""Runs over tiles and slices."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import zarr

from napari_s2clip import ClassSet, Settings
from napari_s2clip.maps import new_map
from napari_s2clip.progress import Cancelled, CancelToken, Progress
from napari_s2clip.targets import FeatureMemory, segment_target
from napari_s2clip.tiles import Tiling

from .conftest import GreyModel, blocks

TILES = Tiling(128, 32)


def test_one_tile_is_what_the_model_gives(
    model: GreyModel, classes: ClassSet, target_of: Any
) -> None:
    data = blocks((100, 120), 7)  # no whole cells of the coarser grid
    target = target_of(data)
    found = segment_target(model, target, classes, keep_probabilities=True)
    features = model.encode(target.planes[0].tile(), settings=model.complete(None))
    expected = model.segment(features, classes, settings=model.complete(None))
    for name in ("coarse", "regions", "refined", "owners", "probabilities"):
        np.testing.assert_array_equal(
            getattr(found, name)[0], getattr(expected, name), name
        )
    columns = list(expected.region_table)
    pd.testing.assert_frame_equal(found.region_table[columns], expected.region_table)
    assert "tiles" not in found.provenance
    assert found.provenance["model"] == "grey"
    assert found.seconds["classify"] == 0.25


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("overlap", [0, 32])
def test_tiles_give_what_the_whole_gives(
    model: GreyModel, classes: ClassSet, target_of: Any, seed: int, overlap: int
) -> None:
    data = blocks((300, 420), 4, seed)
    target = target_of(data)
    whole = segment_target(model, target, classes)
    tiled = segment_target(model, target, classes, tiling=Tiling(128, overlap))
    assert len(model.encoded) > 10
    for name in ("coarse", "regions", "refined", "owners"):
        np.testing.assert_array_equal(getattr(tiled, name), getattr(whole, name))
    close = ["mean_probability", "sam_score"]
    rest = [c for c in whole.region_table if c not in (*close, "point_x", "point_y")]
    pd.testing.assert_frame_equal(tiled.region_table[rest], whole.region_table[rest])
    for name in close:  # of pieces that overlap
        np.testing.assert_allclose(
            tiled.region_table[name], whole.region_table[name], atol=0.02
        )


def test_points_lie_in_their_regions(
    model: GreyModel, classes: ClassSet, target_of: Any
) -> None:
    target = target_of(blocks((300, 420), 20))
    result = segment_target(model, target, classes, tiling=TILES)
    table = result.region_table
    at = result.regions[0, table["point_y"].astype(int), table["point_x"].astype(int)]
    np.testing.assert_array_equal(at, table["region"])


def test_united_region_has_the_point_of_its_most_probable_piece(
    model: GreyModel, classes: ClassSet, target_of: Any
) -> None:
    data = np.full((100, 400), 75, np.uint8)
    data[:, 300:] = 60
    result = segment_target(model, target_of(data), classes, tiling=Tiling(128, 0))
    (row,) = result.region_table.itertuples()
    assert row.point_x >= 272
    assert row.area == 40_000
    assert row.mean_probability == pytest.approx((0.85 * 3 + 1) / 4, abs=0.01)
    assert (row.x_min, row.x_max, row.sam_score) == (0, 400, 0.5)


def test_slices_have_ids_of_their_own(
    model: GreyModel, classes: ClassSet, target_of: Any
) -> None:
    data = blocks((5, 140, 150), 10)
    target = target_of(data, ranges=((0, 1, 3),), window=(0, 20, 140, 150))
    result = segment_target(model, target, classes, tiling=TILES)
    table = result.region_table
    assert table["region"].tolist() == list(range(1, len(table) + 1))
    assert table["position"].tolist() == [(p + 1,) for p in table["plane"]]
    assert table["x_min"].min() == 20
    for row in table.itertuples():
        inside = result.regions[row.plane] == row.region
        assert inside.sum() == row.area
        assert (result.coarse[row.plane][inside] == row.class_id).all()
    alone = segment_target(
        model,
        target_of(data, ranges=((0, 2, 2),), window=(0, 20, 140, 150)),
        classes,
        tiling=TILES,
    )
    np.testing.assert_array_equal(alone.coarse[0], result.coarse[1])


def test_all_pixels_of_a_class_are_one_region_if_asked(
    model: GreyModel, classes: ClassSet, target_of: Any
) -> None:
    settings = Settings(connected_components=False)
    target = target_of(blocks((300, 200), 4))
    result = segment_target(model, target, classes, settings, tiling=TILES)
    assert result.region_table["class_name"].tolist() == ["cat", "dog", "cow"]


def test_progress_counts_tiles_and_slices(
    model: GreyModel, classes: ClassSet, target_of: Any
) -> None:
    reports: list[Progress] = []
    target = target_of(blocks((2, 200, 128), 4), ranges=((0, 0, 1),))
    segment_target(model, target, classes, tiling=TILES, progress=reports.append)
    messages = [report.message for report in reports]
    assert "tile 1 of 2, slice 1 of 2: window 1 of 1" in messages
    assert "tile 2 of 2, slice 2 of 2: reading the pixels" in messages
    assert {report.pieces for report in reports} == {4}
    assert sorted({report.piece for report in reports}) == [0, 1, 2, 3]
    overall = [report.overall for report in reports]
    assert overall == sorted(overall)
    assert overall[-1] == 1


def test_one_tile_is_not_counted(
    model: GreyModel, classes: ClassSet, target_of: Any
) -> None:
    reports: list[Progress] = []
    segment_target(
        model, target_of(blocks((9, 9), 3)), classes, progress=reports.append
    )
    assert [r.message for r in reports] == ["reading the pixels", "window 1 of 1"]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All maps of a run lie here on disk."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(
        "napari_s2clip.targets.run.new_map",
        lambda shape, dtype: new_map(shape, dtype, limit=0),
    )
    return tmp_path


def test_maps_on_disk_are_those_in_memory(
    model: GreyModel, classes: ClassSet, target_of: Any, temporary: Path
) -> None:
    target = target_of(blocks((300, 420), 4))
    found = segment_target(model, target, classes, tiling=TILES)
    assert len(list(temporary.iterdir())) == 4
    expected = segment_target(model, target, classes)
    for name in ("coarse", "regions", "refined", "owners"):
        assert isinstance(getattr(found, name), zarr.Array)
        np.testing.assert_array_equal(
            getattr(found, name)[:], getattr(expected, name)[:]
        )


def test_cancelled_run_leaves_nothing(
    model: GreyModel, classes: ClassSet, target_of: Any, temporary: Path
) -> None:
    cancel = CancelToken()

    def during() -> None:
        assert list(temporary.iterdir())
        if len(model.encoded) == 3:
            cancel.cancel()

    model.during = during
    with pytest.raises(Cancelled):
        segment_target(
            model,
            target_of(blocks((300, 300), 4)),
            classes,
            tiling=TILES,
            cancel=cancel,
        )
    assert len(model.encoded) == 3
    assert not list(temporary.iterdir())


def test_run_does_not_wait_for_a_slow_read_when_cancelled(
    model: GreyModel, classes: ClassSet, target_of: Any
) -> None:
    cancel, slow, go = CancelToken(), threading.Event(), threading.Event()

    def block(block_info: Any = None) -> np.ndarray:
        if slow.is_set() and block_info[None]["chunk-location"] != (0, 0):
            cancel.cancel()
            go.wait(60)
        return np.zeros((128, 128), np.uint8)

    data = da.map_blocks(block, chunks=((128,) * 3, (128,)), dtype=np.uint8)
    target = target_of(data)
    slow.set()
    with pytest.raises(Cancelled):
        segment_target(model, target, classes, tiling=Tiling(128, 0), cancel=cancel)
    assert not go.is_set()
    go.set()


def test_error_of_a_read_is_the_error_of_the_run(
    model: GreyModel, classes: ClassSet, target_of: Any, temporary: Path
) -> None:
    def block(block_info: Any = None) -> np.ndarray:
        if block_info[None]["chunk-location"] != (0, 0):
            raise OSError("the disk is gone")
        return np.zeros((128, 128), np.uint8)

    data = da.map_blocks(block, chunks=((128,) * 3, (128,)), dtype=np.uint8)
    with pytest.raises(OSError, match="the disk is gone"):
        segment_target(model, target_of(data), classes, tiling=Tiling(128, 0))
    assert not list(temporary.iterdir())


def test_full_memory_of_a_gpu_halves_the_tiles(
    model: GreyModel, classes: ClassSet, target_of: Any
) -> None:
    target = target_of(blocks((300, 420), 4))
    expected = segment_target(model, target, classes)
    tight = GreyModel(device="cuda:0", room=200)
    found = segment_target(tight, target, classes, tiling=Tiling(512, 64))
    assert max(max(shape) for shape in tight.encoded) <= 200
    np.testing.assert_array_equal(found.coarse, expected.coarse)
    np.testing.assert_array_equal(found.regions, expected.regions)
    assert [note for note in found.notes if "memory" in note] == [
        "the memory of cuda:0 was full: tiles of 256 px instead of 512 px",
        "the memory of cuda:0 was full: tiles of 128 px instead of 256 px",
    ]
    assert found.provenance["tiles"]["tile"] == 128


@pytest.mark.parametrize(
    ("device", "room", "full"),
    [
        ("cpu", 200, RuntimeError("out of memory")),
        ("cuda:0", 100, RuntimeError("out of memory")),  # even of the smallest tile
        ("cuda:0", 200, RuntimeError("shapes differ")),
    ],
)
def test_other_errors_end_the_run(
    classes: ClassSet, target_of: Any, device: str, room: int, full: Exception
) -> None:
    model = GreyModel(device=device, room=room, full=full)
    with pytest.raises(RuntimeError, match=str(full)):
        segment_target(model, target_of(blocks((300, 300), 4)), classes)


def test_known_tiles_are_not_encoded_again(
    model: GreyModel, classes: ClassSet, target_of: Any
) -> None:
    memory = FeatureMemory()
    target = target_of(blocks((300, 300), 4))
    for names in (classes, ClassSet(["one"])):
        segment_target(model, target, names, tiling=TILES, memory=memory)
        assert len(model.encoded) == len(memory) == 9
    other = model.complete(None).model_copy(update={"window": 64})
    segment_target(model, target, classes, other, tiling=TILES, memory=memory)
    assert len(model.encoded) == 18


def test_memory_forgets_what_was_used_longest_ago(
    classes: ClassSet, target_of: Any, model: GreyModel
) -> None:
    memory = FeatureMemory(limit=700)  # 300 a tile
    targets = [target_of(np.full((10, 10), v, np.uint8)) for v in (0, 60, 120)]
    for i in (0, 1, 0, 2):
        segment_target(model, targets[i], classes, memory=memory)
    assert (len(memory), memory.nbytes, len(model.encoded)) == (2, 600, 3)
    segment_target(model, targets[0], classes, memory=memory)
    assert len(model.encoded) == 3
    segment_target(model, targets[1], classes, memory=memory)
    assert len(model.encoded) == 4
    # The last one stays whatever it needs.
    memory.limit = 0
    memory.trim()
    assert len(memory) == 1
    # Another model knows nothing, and the first is let go.
    segment_target(GreyModel(), targets[1], classes, memory=memory)
    assert len(memory) == 1
