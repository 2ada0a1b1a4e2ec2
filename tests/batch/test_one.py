import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_s2clip import S2CLIP, ClassSet, Settings
from napari_s2clip.batch import Input, Job, run_job
from napari_s2clip.io.map_files import digest_of, write_map
from napari_s2clip.maps import new_map
from napari_s2clip.tiles import Tiling


@pytest.fixture(scope="module")
def demo() -> S2CLIP:
    return S2CLIP.load("demo", device="cpu", weights="random")


def segment(model, job, path, out):
    (outcome,) = run_job(job, [Input(path, path.stem)], out, model=model)
    assert outcome.error == ""
    return outcome.told


QUICK = Settings(short_side=64, coarse_threshold=0.0)
JOB = Job(ClassSet(["red circle", "grass"]), QUICK)
RANDOM = np.random.default_rng(1)


def test_a_stack_becomes_maps_of_its_shape(demo, tmp_path):
    data = RANDOM.integers(0, 255, (2, 3, 40, 56, 3), np.uint8)
    options = {"photometric": "rgb", "metadata": {"axes": "TZYXS"}}
    tifffile.imwrite(tmp_path / "stack.tif", data, **options)
    told = segment(demo, JOB, tmp_path / "stack.tif", tmp_path / "out")
    assert (told["planes"], told["height"], told["width"]) == (6, 40, 56)
    single = [
        demo.segment(plane, JOB.classes, settings=QUICK)
        for plane in data.reshape(-1, 40, 56, 3)
    ]
    shift = 0
    with tifffile.TiffFile(tmp_path / "out" / "stack_refined.tif") as tiff:
        assert tiff.series[0].axes == "TZYX"
        refined = tiff.asarray()
    regions = tifffile.imread(tmp_path / "out" / "stack_regions.tif")
    for number, one in enumerate(single):
        where = np.unravel_index(number, (2, 3))
        assert np.array_equal(refined[where], one.refined)
        # Ids are unique in the file.
        assert np.array_equal(
            regions[where], np.where(one.regions > 0, one.regions + shift, 0)
        )
        shift += len(one.region_table)
    about = json.loads((tmp_path / "out" / "stack.json").read_text())
    assert about["image"] == {
        "width": 56,
        "height": 40,
        "planes": [2, 3],
        "axes": "TZYX",
    }
    assert sum(about["pixels"]["refined"].values()) == 6 * 40 * 56
    assert about["maps"]["refined"] == digest_of(refined)
    table = (tmp_path / "out" / "stack_regions.csv").read_text().splitlines()
    assert table[0].endswith(",plane,position")
    assert len(table) == shift + 1
    # The picture is that of a slice in the middle.
    with Image.open(tmp_path / "out" / "stack_refined.png") as picture:
        assert picture.height >= 40


def test_a_large_plane_is_tiled_and_its_picture_is_smaller(demo, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_s2clip.batch.pictures._LARGEST", 150)
    data = RANDOM.integers(0, 255, (200, 320), np.uint16)
    tifffile.imwrite(tmp_path / "large.tif", data)
    job = replace(JOB, tiling=Tiling(128, 32))
    told = segment(demo, job, tmp_path / "large.tif", tmp_path / "out")
    assert (told["planes"], told["height"], told["width"]) == (1, 200, 320)
    labels = tifffile.imread(tmp_path / "out" / "large_refined.tif")
    assert labels.shape == (200, 320)
    about = json.loads((tmp_path / "out" / "large.json").read_text())
    assert about["provenance"]["tiles"]["count"] == 6
    thumbnail = tmp_path / "out" / ".s2clip" / "thumbnails" / "large.jpg"
    with Image.open(thumbnail) as picture:
        assert picture.width <= 2 * 256 + 4


@pytest.mark.parametrize(
    ("channels", "expected"),
    [((), [0, 1, 1]), ((1,), [1, 1, 1]), ((1, 0), [1, 0, 0]), ((0, 1, 0), [0, 1, 0])],
)
def test_channels_become_colours(demo, tmp_path, monkeypatch, channels, expected):
    data = np.zeros((2, 30, 30), np.uint8)
    data[0], data[1] = 10, 200
    tifffile.imwrite(tmp_path / "c.tif", data, metadata={"axes": "CYX"})
    seen = []
    segment_one = demo.segment
    monkeypatch.setattr(
        demo,
        "segment",
        lambda image, *a, **k: seen.append(image.pixels) or segment_one(image, *a, **k),
    )
    told = segment(demo, replace(JOB, channels=channels), tmp_path / "c.tif", tmp_path)
    assert seen[0][0, 0].tolist() == [(10, 200)[c] for c in expected]
    assert tifffile.imread(tmp_path / "c_refined.tif").shape == (30, 30)
    assert any(note.startswith("channel") for note in told["notes"])


def test_a_channel_that_is_not_there_is_named(demo, tmp_path):
    data = np.zeros((2, 30, 30), np.uint8)
    tifffile.imwrite(tmp_path / "c.tif", data, metadata={"axes": "CYX"})
    job = replace(JOB, channels=(2,))
    (outcome,) = run_job(job, [Input(tmp_path / "c.tif", "c")], tmp_path, model=demo)
    assert "channels: there is no channel 2; choose 0 to 1" in outcome.error


def test_contrast_limits_are_the_same_for_all(demo, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.full((30, 30), 500, np.uint16))
    job = replace(JOB, contrast_limits=(0.0, 1000.0))
    told = segment(demo, job, tmp_path / "a.tif", tmp_path)
    assert "contrast limits 0 to 1000" in told["notes"]


@pytest.mark.parametrize("shape", [(40, 30), (3, 40, 30), (3, 40, 1), (2, 1, 1)])
def test_maps_come_back_from_tiff(tmp_path: Path, shape):
    labels = RANDOM.integers(0, 300, shape).astype(np.int32)
    path = tmp_path / "a.tif"
    axes = "ZYX"[-len(shape) :]
    counts = write_map(path, labels, shape=shape, axes=axes, facts={})
    assert np.array_equal(tifffile.imread(path).reshape(shape), labels)
    assert counts == {v: int((labels == v).sum()) for v in np.unique(labels).tolist()}


@pytest.mark.parametrize("shape", [(1030, 1100), (2, 1030, 1100)])
def test_maps_on_disk_are_written_tile_by_tile(tmp_path: Path, shape):
    labels = new_map(shape, np.uint16, limit=0)
    whole = RANDOM.integers(0, 9, shape).astype(np.uint16)
    labels[...] = whole
    path = tmp_path / "a.tif"
    write_map(path, labels, shape=shape, axes="ZYX"[-len(shape) :], facts={})
    with tifffile.TiffFile(path) as tiff:
        assert tiff.pages[0].is_tiled
        assert np.array_equal(tiff.asarray(), whole)
    assert digest_of(labels) == digest_of(whole)


def test_a_digest_tells_values_and_not_types():
    labels = np.array([[1, 2], [3, 0]])
    same = [labels.astype(t) for t in (np.uint8, np.int32, ">u2")]
    assert {digest_of(one) for one in same} == {digest_of(labels)}
    assert digest_of(labels.T) != digest_of(labels)
    assert digest_of(labels.reshape(1, 4)) != digest_of(labels)
    assert digest_of(labels[None]) == digest_of(labels)
