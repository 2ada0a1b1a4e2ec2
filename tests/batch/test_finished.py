"""What lies in a folder of results, and as what it is exported."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_s2clip import S2CLIP
from napari_s2clip.batch import Input, run_job
from napari_s2clip.batch.finished import finished_images
from napari_s2clip.batch.training import FolderItems
from napari_s2clip.io.files import read_image

from .conftest import photo


@pytest.fixture
def out(job, inputs, model, tmp_path) -> Path:
    folder = tmp_path / "out"
    inputs[4] = Input(inputs[4].path, "deep/photo 4")
    for outcome in run_job(job, inputs, folder, model=model):
        assert outcome.error == ""
    return folder


def items(folder, **options):
    found = FolderItems(finished_images(folder), **options)
    return list(found), found.skipped


def test_images_are_found_with_and_without_a_journal(out, job):
    names = ["deep/photo 4", "photo 0", "photo 1", "photo 2", "photo 3"]
    assert [image.name for image in finished_images(out)] == names
    (out / ".s2clip" / "journal.jsonl").unlink()
    found = finished_images(out)
    assert [image.name for image in found] == names
    assert found[0].classes == job.classes
    assert found[1].is_edited("refined") is False


def test_nothing_is_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="there is no such folder"):
        finished_images(tmp_path / "none")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match="run `napari-s2clip segment` first"):
        finished_images(tmp_path)


def test_an_item_is_the_image_with_its_labels(out, inputs):
    found, skipped = items(out)
    assert skipped == []
    assert [item.name for item in found] == [
        *("deep__photo 4", "photo 0", "photo 1", "photo 2", "photo 3")
    ]
    item = found[1]
    pixels = read_image(inputs[0].path)
    assert np.array_equal(item.image, pixels)
    assert np.array_equal(item.labels, np.where(pixels[..., 0] < 128, 1, 2))
    assert np.array_equal(item.instances, item.labels)
    assert dict(item.instance_classes) == {1: 1, 2: 2}
    assert item.attributes[1] == {
        "mean_probability": 0.5,
        "sam_score": 0.8,
        "score": 0.4,
    }
    assert (item.edited, item.reviewed) == (False, None)
    assert item.provenance["model"] == "quick"
    assert item.source == str(inputs[0].path)


def test_edits_are_included_and_said(out):
    path = out / "photo 0_refined.tif"
    labels = tifffile.imread(path)
    labels[0, 0] = 3 - labels[0, 0]
    labels[1, :] = 0
    tifffile.imwrite(path, labels)
    found, _ = items(out)
    item = found[1]
    assert item.edited is True
    assert found[2].edited is False
    assert np.array_equal(item.labels, labels)
    # Objects agree with the labels.
    inside = item.instances > 0
    of = np.array([0, *(item.instance_classes[n] for n in (1, 2))])
    assert np.array_equal(of[np.minimum(item.instances, 2)][inside], labels[inside])
    assert np.array_equal(inside, labels > 0)


@pytest.mark.parametrize("layer", ["coarse", "regions", "refined"])
@pytest.mark.parametrize("objects", ["regions", "connected"])
def test_every_layer_has_classes_and_objects(out, layer, objects):
    found, skipped = items(out, layer=layer, objects=objects)
    assert skipped == []
    reference, _ = items(out)
    for item, other in zip(found, reference, strict=True):
        assert np.array_equal(item.labels, other.labels)
        assert (item.instances is None) == (objects == "connected")


def test_a_region_that_nobody_knows_is_named(out):
    path = out / "photo 0_regions.tif"
    regions = tifffile.imread(path)
    regions[0, 0] = 77
    tifffile.imwrite(path, regions)
    found, skipped = items(out, layer="regions")
    assert len(found) == 4
    assert skipped == [("photo 0", f"{path}: region 77 is not in photo 0_regions.csv")]


def test_what_is_damaged_is_passed_with_a_reason(out):
    (out / "photo 0.json").write_text("{")
    (out / "photo 1_refined.tif").write_bytes(b"II*\0 no")
    (out / "photo 2_regions.csv").write_text("region\n1\n")
    labels = tifffile.imread(out / "photo 3_refined.tif")
    tifffile.imwrite(out / "photo 3_refined.tif", labels.astype(np.float32))
    found, skipped = items(out)
    assert [item.name for item in found] == ["deep__photo 4"]
    assert [name for name, _ in skipped] == [f"photo {i}" for i in range(4)]
    texts = [reason for _, reason in skipped]
    assert texts[0].startswith(f"{out / 'photo 0.json'}: it is no JSON")
    assert str(out / "photo 1_refined.tif") in texts[1]
    assert "the column 'class_id' is missing" in texts[2]
    assert "it holds float32, not one whole number a pixel" in texts[3]


def test_a_class_that_is_not_in_the_list_is_named(out):
    path = out / "photo 0_refined.tif"
    labels = tifffile.imread(path)
    labels[0, 0] = 9
    tifffile.imwrite(path, labels)
    _, skipped = items(out)
    assert skipped == [("photo 0", "labels: 9 is the id of no class")]


def test_images_may_have_moved_or_be_missing(out, inputs, tmp_path):
    moved = tmp_path / "moved"
    moved.mkdir()
    for item in inputs[1:]:
        item.path.rename(moved / item.path.name)
    found, skipped = items(out)
    assert [item.image is None for item in found] == [True, False, True, True, True]
    assert skipped[0][1] == f"no image: {inputs[4].path} is not there"
    inputs[0].path.rename(moved / "0.png")
    found, skipped = items(out, sources=moved)
    assert skipped == []
    assert all(item.image is not None for item in found)
    assert all(item.image is None for item in items(out, with_images=False)[0])
    # Another image of that name is noticed.
    photo(moved / "0.png", shape=(5, 5))
    _, skipped = items(out, sources=moved)
    ((name, reason),) = skipped
    assert name == "photo 0"
    assert reason == (
        f"{moved / '0.png'}: it is 5 × 5 px, its labels are 9 × 12 px; segment it again"
    )


def test_only_what_was_reviewed(out):
    path = out / "photo 2.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"reviewed": True}))
    found, skipped = items(out, reviewed_only=True)
    assert [(item.name, item.reviewed) for item in found] == [("photo 2", True)]
    assert ("photo 0", "nobody has reviewed it") in skipped


def test_stacks_are_an_item_a_slice(job, tmp_path):
    data = np.zeros((2, 3, 9, 12), np.uint8)
    data[1] = 200
    path = tmp_path / "stack.tif"
    about = {"axes": "TZYX", "pixel_size": [2.0, 0.5], "unit": "um"}
    tifffile.imwrite(path, data, photometric="minisblack", metadata=about)
    demo = S2CLIP.load("demo", device="cpu", weights="random")
    job = replace(job, pictures=False)
    (outcome,) = run_job(job, [Input(path, "s")], tmp_path / "out", model=demo)
    assert outcome.error == ""
    found, _ = items(tmp_path / "out")
    assert [item.name for item in found] == [
        f"s_t00{t}_z00{z}" for t in (0, 1) for z in (0, 1, 2)
    ]
    assert np.array_equal(found[4].image, data[1, 1])
    assert found[4].source == f"{path} [t=1 z=1]"
    assert (found[4].pixel_size, found[4].unit) == ((2.0, 0.5), "um")
    labels = tifffile.imread(tmp_path / "out" / "s_refined.tif")
    labels[0, 1] = 0
    edited = tmp_path / "out" / "s_refined.tif"
    tifffile.imwrite(edited, labels, photometric="minisblack")
    found, skipped = items(tmp_path / "out", empty=False)
    assert len(found) == 5
    assert skipped == [("s_t000_z001", "it has no labels")]
