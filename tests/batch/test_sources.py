"""Where images lie that were moved, and as what they are read."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_s2clip.batch import find_inputs, run_job
from napari_s2clip.batch.finished import FinishedImage, finished_images
from napari_s2clip.batch.reading import Reading
from napari_s2clip.batch.sources import Sources, moved_to
from napari_s2clip.batch.training import FolderItems
from napari_s2clip.datasets import DatasetWriter, SemanticPNG
from napari_s2clip.datasets.export import export_items
from napari_s2clip.io.open_image import open_image

from .conftest import photo


def test_a_file_is_found_with_the_most_of_its_folders(tmp_path: Path) -> None:
    source = Path("/data/set/day 1/a.png")
    assert moved_to(source, tmp_path) is None
    alone = photo(tmp_path / "a.png")
    assert moved_to(source, tmp_path) == alone
    inside = photo(tmp_path / "day 1" / "a.png")
    assert moved_to(source, tmp_path) == inside
    whole = photo(tmp_path / "data" / "set" / "day 1" / "a.png")
    assert moved_to(source, tmp_path) == whole


@pytest.mark.parametrize("source", [r"C:\set\day 1\a.png", r"\\host\set\day 1\a.png"])
def test_a_path_of_another_system_is_understood(source: str, tmp_path: Path) -> None:
    inside = photo(tmp_path / "day 1" / "a.png")
    assert moved_to(Path(source), tmp_path) == inside


def test_images_of_one_name_find_their_own_pixels(job, model, tmp_path: Path) -> None:
    for number, name in enumerate(("one", "two")):
        photo(tmp_path / "in" / name / "a.png", number)
    out = tmp_path / "out"
    list(run_job(job, find_inputs([tmp_path / "in"]), out, model=model))
    before = [item.image for item in FolderItems(finished_images(out))]
    (tmp_path / "in").rename(tmp_path / "moved")
    items = FolderItems(finished_images(out), sources=tmp_path / "moved")
    for item, pixels in zip(items, before, strict=True):
        np.testing.assert_array_equal(item.image, pixels)
    assert items.skipped == []


def test_no_way_back_is_followed(tmp_path: Path) -> None:
    photo(tmp_path / "slides" / "a.png")
    inside = photo(tmp_path / "new" / "a.png")
    source = Path("/x/work/../slides/a.png")
    assert moved_to(source, tmp_path / "new") == inside


@pytest.fixture
def two(job, model, tmp_path: Path) -> Path:
    """Results of two images of one name, in folders of their own."""
    for number, name in enumerate(("one", "two")):
        photo(tmp_path / "in" / name / "a.png", number)
    list(run_job(job, find_inputs([tmp_path / "in"]), tmp_path / "out", model=model))
    return tmp_path / "out"


@pytest.mark.parametrize("journal", [True, False])
def test_one_file_is_not_the_image_of_two(
    two: Path, tmp_path: Path, journal: bool
) -> None:
    (tmp_path / "in").rename(tmp_path / "gone")
    if not journal:
        shutil.rmtree(two / ".s2clip")
    moved = photo(tmp_path / "moved" / "a.png").parent
    items = FolderItems(finished_images(two), sources=moved)
    for _ in range(2):  # as often as one likes
        assert [(i.name, i.image is None) for i in items] == [
            ("one__a", True),
            ("two__a", True),
        ]
        assert [name for name, _ in items.skipped] == ["one/a", "two/a"]
        first, second = (tmp_path / "in" / name / "a.png" for name in ("one", "two"))
        assert items.skipped[1][1] == (
            f"no image: {moved / 'a.png'} may be {second} or {first}"
        )


def test_what_is_in_its_place_is_taken_from_there(two: Path, tmp_path: Path) -> None:
    """One of two was moved; the file is not that of the other."""
    moved = tmp_path / "moved"
    moved.mkdir()
    (tmp_path / "in" / "one" / "a.png").rename(moved / "a.png")
    one, other = (Sources(two, moved).find(i).path for i in finished_images(two))
    assert (one, other) == (moved / "a.png", tmp_path / "in" / "two" / "a.png")


def test_an_empty_folder_costs_no_labels(two: Path, tmp_path: Path) -> None:
    (tmp_path / "in").rename(tmp_path / "gone")
    empty = tmp_path / "empty"
    empty.mkdir()
    items = FolderItems(finished_images(two), sources=empty)
    assert len(list(items)) == 2
    assert [why for _, why in items.skipped] == [
        f"no image: {empty / 'a.png'} is not there"
    ] * 2
    items = FolderItems(finished_images(two), sources=empty, with_images=False)
    assert len(list(items)) == 2
    assert items.skipped == []


def test_images_are_exported_as_they_were_segmented(job, model, tmp_path: Path) -> None:
    """The channels and the brightness of the job, not those that are usual."""
    pixels = np.zeros((3, 9, 12), np.uint16)
    pixels[2, :, 6:] = 4000
    path = tmp_path / "dyes.tif"
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata={"axes": "CYX"})
    read = replace(job, channels=(2,), contrast_limits=(0.0, 4000.0))
    out = tmp_path / "out"
    list(run_job(read, find_inputs([path]), out, model=model))
    (item,) = FolderItems(finished_images(out))
    assert item.image is not None
    np.testing.assert_array_equal(item.image, pixels[2])
    assert item.levels is not None
    assert item.levels.limits == ((0.0, 4000.0),)
    np.testing.assert_array_equal(item.labels, np.where(pixels[2], 2, 1))


def test_dyes_are_exported_as_bright_as_they_were_segmented(
    job, model, tmp_path: Path
) -> None:
    """Each channel by itself: one that is dim is seen too."""
    ramp = np.linspace(0, 1, 108).reshape(9, 12)
    pixels = np.stack([ramp * 40, ramp[::-1] * 40_000]).astype(np.uint16)
    path = tmp_path / "dyes.tif"
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata={"axes": "CYX"})
    out = tmp_path / "out"
    list(run_job(job, find_inputs([path]), out, model=model))
    with open_image(path) as opened:
        seen = Reading().target(opened, "dyes").planes[0].tile().pixels
    assert seen[..., 0].max() == 255
    export_items(
        FolderItems(finished_images(out)),
        DatasetWriter(tmp_path / "set", SemanticPNG(), job.classes),
    )
    (file,) = (tmp_path / "set" / "images").rglob("*.png")
    np.testing.assert_array_equal(np.asarray(Image.open(file)), seen)


def test_reading_comes_back(tmp_path: Path) -> None:
    for reading in (Reading(), Reading((1, 0)), Reading((2,), (0.5, 3.0))):
        assert Reading.of({"reading": reading.to_dict()}) == reading


@pytest.mark.parametrize(
    "about",
    [
        None,
        [],
        {"channels": 3},
        {"channels": ["0"], "contrast_limits": [1]},
        {"channels": [True], "contrast_limits": ["0", "1"]},
        {"contrast_limits": [2, 1]},
    ],
)
def test_what_is_not_said_as_it_should_be_is_usual(about: object) -> None:
    assert Reading.of({"reading": about}) == Reading.of({}) == Reading()


def test_a_channel_that_is_not_there_is_named(job, model, tmp_path: Path) -> None:
    path = tmp_path / "dyes.tif"

    def write(count: int) -> None:
        dyes = np.zeros((count, 9, 12), np.uint16)
        options = {"photometric": "minisblack", "metadata": {"axes": "CYX"}}
        tifffile.imwrite(path, dyes, **options)

    write(3)
    out = tmp_path / "out"
    list(run_job(replace(job, channels=(2,)), find_inputs([path]), out, model=model))
    assert FinishedImage(out, "dyes").description["reading"]["channels"] == [2]
    write(2)
    items = FolderItems(finished_images(out))
    assert list(items) == []
    assert "there is no channel 2" in items.skipped[0][1]
