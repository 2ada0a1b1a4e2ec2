"""Pictures and numbers of a folder after corrections."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from napari_s2clip import ClassSet, Segmentation
from napari_s2clip.batch import find_inputs, refresh_summary, run_job, write_summary
from napari_s2clip.batch.corrections import save_corrections
from napari_s2clip.batch.finished import FinishedImage, finished_images
from napari_s2clip.batch.journal import Journal
from napari_s2clip.batch.redraw import redraw
from napari_s2clip.batch.reopen import open_results
from napari_s2clip.batch.sources import Sources
from napari_s2clip.batch.thumbnails import thumbnail_path
from napari_s2clip.batch.written import corrected_names
from napari_s2clip.image import to_rgb
from napari_s2clip.io.overlay import overlay
from napari_s2clip.io.results import Stack, write_segmentation
from napari_s2clip.results import REGION_COLUMNS

from .conftest import CLASSES, QuickModel, photo


@pytest.fixture
def folder(inputs, job, model, tmp_path: Path) -> Path:
    """Results of five photographs."""
    out = tmp_path / "out"
    list(run_job(job, inputs, out, model=model))
    write_summary(out, job.classes, {"model": "quick"})
    return out


@pytest.fixture
def image(folder: Path) -> FinishedImage:
    return finished_images(folder)[0]


def paint(image: FinishedImage, value: int = 2) -> None:
    """Give all pixels of the refined map one label."""
    opened = open_results(image)
    maps = dict(opened.annotations.maps)
    maps["refined"] = np.full_like(maps["refined"], value)
    save_corrections(opened, replace(opened.annotations, maps=maps))


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_pictures_are_as_the_maps_are_now(image: FinishedImage) -> None:
    before = {path.name: path.read_bytes() for path in image.folder.glob("*.png")}
    paint(image)
    assert redraw(image)
    assert {p.name for p in image.folder.glob("*.png")} == before.keys()
    changed = [n for n, b in before.items() if (image.folder / n).read_bytes() != b]
    assert changed == [f"{image.name}_refined.png"]
    labels = tifffile.imread(image.path("_refined.tif"))
    assert image.source is not None
    np.testing.assert_array_equal(
        pixels(image.path("_refined.png")),
        overlay(pixels(image.source), labels, CLASSES),
    )
    paint(image, 1)
    assert redraw(image)
    assert not list(image.folder.rglob("*.new"))


def test_the_thumbnail_too(job, model: QuickModel, tmp_path: Path) -> None:
    grey = np.full((288, 384, 3), 90, np.uint8)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    out = tmp_path / "out"
    list(run_job(job, find_inputs([tmp_path / "grey.png"]), out, model=model))
    (image,) = finished_images(out)
    path = thumbnail_path(out, "grey")
    before = pixels(path)
    assert before.shape == (192, 516, 3)
    assert np.ptp(before[20:-20, :240]) < 6
    colour = before[96, 400]
    assert np.ptp(colour) > 20
    paint(image, 0)
    redraw(image)
    # Without labels both halves show the image.
    assert np.ptp(pixels(path)[20:-20, [*range(240), *range(280, 500)]]) < 6


def test_a_lost_image_leaves_its_pictures(image: FinishedImage, tmp_path: Path) -> None:
    before = image.path("_refined.png").read_bytes()
    paint(image)
    assert image.source is not None
    moved = tmp_path / "moved"
    moved.mkdir()
    image.source.rename(moved / image.source.name)
    assert not redraw(image)
    assert image.path("_refined.png").read_bytes() == before
    assert redraw(image, Sources(image.folder, moved))
    assert image.path("_refined.png").read_bytes() != before


def test_pictures_that_nobody_wanted_are_not_made(
    job, inputs, model: QuickModel, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    list(run_job(replace(job, pictures=False), inputs[:1], out, model=model))
    (image,) = finished_images(out)
    thumbnail_path(out, image.name).unlink()
    assert image.source is not None
    image.source.unlink()  # it is not even looked for
    paint(image)
    assert redraw(image)
    assert not [p for p in out.rglob("*") if p.suffix in {".png", ".jpg"}]


def test_another_image_is_not_drawn_under_labels(image: FinishedImage) -> None:
    assert image.source is not None
    photo(image.source, shape=(7, 7))
    with pytest.raises(ValueError, match="is not of the size of its labels"):
        redraw(image)
    tifffile.imwrite(image.source, np.zeros((5, 9, 12), np.uint8))
    with pytest.raises(ValueError, match="is not of the size of its labels"):
        redraw(image)


def test_pictures_keep_their_size(
    job, model: QuickModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a large image that is one tile they have its size, of tiled ones less."""
    monkeypatch.setattr("napari_s2clip.batch.pictures._LARGEST", 200)
    pixels_ = np.random.default_rng(0).integers(0, 256, (300, 401, 3), np.uint8)
    Image.fromarray(pixels_).save(tmp_path / "large.png")
    out = tmp_path / "out"
    list(run_job(job, find_inputs([tmp_path / "large.png"]), out, model=model))
    (image,) = finished_images(out)
    before = {p.name: p.read_bytes() for p in out.glob("*.png")}
    redraw(image)
    assert {p.name: p.read_bytes() for p in out.glob("*.png")} == before
    for path in out.glob("*.png"):
        Image.fromarray(pixels(path)[:150, :350]).save(path)
    redraw(image)
    assert max(len(pixels(p)) for p in out.glob("*.png")) < 300


def test_the_slice_in_the_middle_is_drawn(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).integers(0, 256, (3, 9, 12), np.uint8)
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, stack, photometric="minisblack", metadata={"axes": "ZYX"})
    labels = np.ones((3, 9, 12), np.uint16)
    labels[1, :, :5] = 2
    regions = labels.astype(np.int32)
    rows = [
        [n, n, CLASSES.name_of(n), 60, 0.5, 0, 0, 9, 9, 3.5, 3.5, 0.8, True]
        for n in (1, 2)
    ]
    table = pd.DataFrame(rows, columns=[*REGION_COLUMNS]).astype(REGION_COLUMNS)
    table = table.assign(plane=1, position="(1,)")
    nothing = np.zeros((0, 0, 0), np.float32)
    result = Segmentation(CLASSES, labels, regions, table, labels, regions, nothing, {})
    out = tmp_path / "out"
    write_segmentation(
        result,
        to_rgb(stack[1]).pixels,
        out,
        "stack",
        stack=Stack(stack.shape, "ZYX", 1),
        about={"source": {"path": str(path)}},
    )
    drawn = {p.name: p.read_bytes() for p in out.glob("*.png")}
    assert len(drawn) == 3

    def correct(plane: int) -> dict[str, bytes]:
        opened = open_results(FinishedImage(out, "stack"))
        maps = dict(opened.annotations.maps)
        maps["refined"][plane] = 2
        save_corrections(opened, replace(opened.annotations, maps=maps))
        assert redraw(FinishedImage(out, "stack"))
        return {p.name: p.read_bytes() for p in out.glob("*.png")}

    assert correct(0) == drawn  # not the slice that is shown
    after = correct(1)
    assert [n for n in drawn if drawn[n] != after[n]] == ["stack_refined.png"]


def test_the_summary_counts_corrections(folder: Path, image: FinishedImage) -> None:
    def summary() -> dict:
        return json.loads((folder / ".s2clip" / "summary.json").read_text())

    before = summary()
    assert corrected_names(folder) == set()
    paint(image, 1)
    assert corrected_names(folder) == {image.name}
    refresh_summary(folder)
    after = summary()
    assert (before["corrected"], after["corrected"]) == (0, 1)
    assert after["model"] == "quick"
    known = {"dark": 5, "bright": 4}  # images in which they are
    assert {one["name"]: one["images"] for one in after["classes"]} == known
    total = sum((tifffile.imread(p) == 1).sum() for p in folder.glob("*_refined.tif"))
    assert after["classes"][0]["pixels"] == total
    sheet = (folder / "contact-sheet.html").read_text(encoding="utf-8")
    assert "5 images (1 corrected)," in sheet
    assert sheet.count("</b> dark (corrected)<") == 1
    # What was painted over is as it was.
    opened = open_results(image)
    maps = {**opened.annotations.maps, "refined": opened.annotations.written["refined"]}
    save_corrections(opened, replace(opened.annotations, maps=maps))
    refresh_summary(folder)
    assert summary() == before


def test_corrections_with_more_classes_are_counted_apart(
    folder: Path, image: FinishedImage
) -> None:
    opened = open_results(image)
    maps = dict(opened.annotations.maps)
    maps["refined"] = np.full_like(maps["refined"], 3)
    more = ClassSet([*CLASSES, "moss"])
    save_corrections(opened, replace(opened.annotations, maps=maps, classes=more))
    found, sheet = write_summary(folder, CLASSES, {})
    assert (found.images, found.others) == (4, 1)
    assert "</b> moss (corrected)<" in sheet.read_text(encoding="utf-8")


def test_renamed_classes_and_regions_are_counted_too(
    folder: Path, image: FinishedImage
) -> None:
    """Nothing is painted, so no map changes."""
    opened = open_results(image)
    table = opened.annotations.region_table
    assert table is not None
    save_corrections(opened, replace(opened.annotations, region_table=table[:1]))
    assert write_summary(folder, CLASSES, {})[0].regions == 9
    opened = open_results(image)
    night = ClassSet(["night", "bright"])
    save_corrections(opened, replace(opened.annotations, classes=night))
    found, sheet = write_summary(folder, CLASSES, {})
    assert (found.images, found.others) == (4, 1)
    assert "</b> night, bright" in sheet.read_text(encoding="utf-8")


def test_a_class_that_came_and_went_is_no_error(
    folder: Path, image: FinishedImage
) -> None:
    opened = open_results(image)
    maps = dict(opened.annotations.maps)
    maps["refined"] = np.full_like(maps["refined"], 3)
    more = ClassSet([*CLASSES, "moss"])
    opened = save_corrections(
        opened, replace(opened.annotations, maps=maps, classes=more)
    )
    assert FinishedImage(folder, image.name).description["pixels"]["coarse"]["3"] == 0
    save_corrections(opened, replace(opened.annotations, classes=CLASSES))
    pixels_ = FinishedImage(folder, image.name).description["pixels"]
    assert set(pixels_) == {"coarse", "regions", "refined"}
    assert all(set(of) == {"0", "1", "2"} for of in pixels_.values())
    assert write_summary(folder, CLASSES, {})[0].images == 5


def test_a_lost_description_is_what_the_journal_says(
    folder: Path, image: FinishedImage
) -> None:
    paint(image)
    for text in ("", "[]", "{}", '{"classes": 3}'):
        image.path(".json").write_text(text)
        found, _ = write_summary(folder, CLASSES, {})
        assert (found.images, found.corrected) == (5, 0)


def test_a_damaged_summary_is_named(folder: Path) -> None:
    path = folder / ".s2clip" / "summary.json"
    for text in ("", "[]", "{}", '{"classes": 3}'):
        path.write_text(text)
        with pytest.raises(ValueError, match="it is damaged") as caught:
            refresh_summary(folder)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)
    path.unlink()
    assert not refresh_summary(folder)


def test_a_job_that_did_nothing_changes_no_summary(
    folder: Path, image: FinishedImage, job
) -> None:
    """Of a job with other classes that was stopped only its file is there."""
    before = (folder / ".s2clip" / "summary.json").read_text()
    with Journal(folder, replace(job, classes=ClassSet(["moss"]))):
        pass
    assert refresh_summary(folder)
    assert (folder / ".s2clip" / "summary.json").read_text() == before
