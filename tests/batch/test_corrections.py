"""Results that are corrected: what is written, and what nobody replaces."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_s2clip import ClassSet, Segmentation
from napari_s2clip.batch import find_inputs, run_job
from napari_s2clip.batch.corrections import (
    CorrectionsError,
    ResultsChanged,
    save_corrections,
)
from napari_s2clip.batch.finished import FinishedImage, finished_images
from napari_s2clip.batch.listing import Listed, list_results
from napari_s2clip.batch.reopen import open_results
from napari_s2clip.batch.training import FolderItems
from napari_s2clip.batch.written import written_path
from napari_s2clip.io.results import Stack, write_segmentation
from napari_s2clip.maps import new_map
from napari_s2clip.progress import Cancelled, CancelToken
from napari_s2clip.results import REGION_COLUMNS

from .conftest import CLASSES, QuickModel, photo


@pytest.fixture
def folder(inputs, job, model, tmp_path: Path) -> Path:
    """Results of five photographs."""
    list(run_job(job, inputs, tmp_path / "out", model=model))
    return tmp_path / "out"


@pytest.fixture
def image(folder: Path) -> FinishedImage:
    return finished_images(folder)[0]


@pytest.fixture
def stack(tmp_path: Path) -> FinishedImage:
    """Results of a stack (2, 3, 9, 12): each slice is one region."""
    shape = (2, 3, 9, 12)
    owners = np.zeros((6, 9, 12), np.int32)
    owners[:] = np.arange(1, 7)[:, None, None]
    row = {**dict.fromkeys(REGION_COLUMNS, 0.5), "class_id": 1, "class_name": "dark"}
    table = pd.DataFrame(
        [
            {**dict.fromkeys(REGION_COLUMNS, 0.5), **row, "region": n}
            for n in range(1, 7)
        ]
    ).astype(REGION_COLUMNS)
    positions = [str(divmod(n, 3)) for n in range(6)]
    result = Segmentation(
        CLASSES,
        np.ones((6, 9, 12), np.uint16),
        owners,
        table.assign(plane=range(6), position=positions),
        np.ones((6, 9, 12), np.uint16),
        owners,
        np.zeros((0, 0, 0), np.float32),
        {},
    )
    picture = np.zeros((9, 12, 3), np.uint8)
    out = tmp_path / "stacks"
    write_segmentation(result, picture, out, "stack", stack=Stack(shape, "TZYX"))
    (found,) = finished_images(out)
    return found


def painted(opened, value: int = 2, at: tuple[int, ...] = (0, 0)):
    """The annotations with one pixel of the refined map painted."""
    refined = opened.annotations.maps["refined"].copy()
    refined[at] = value
    return replace(
        opened.annotations, maps={**opened.annotations.maps, "refined": refined}
    )


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def other(value: int) -> int:
    return 3 - value


def test_results_open_as_they_are(image: FinishedImage) -> None:
    opened = open_results(image)
    annotations = opened.annotations
    assert annotations.classes == CLASSES
    assert set(annotations.maps) == {"coarse", "regions", "refined", "owners"}
    assert annotations.maps["refined"].dtype == np.uint16
    assert annotations.maps["owners"].dtype == np.int32
    assert annotations.edited == ()
    assert annotations.provenance["model"] == "quick"
    assert opened.reviewed is None
    table = annotations.region_table
    assert list(table.columns) == [*REGION_COLUMNS, "plane", "position"]
    assert table["class_name"].tolist() == ["dark", "bright"]
    assert set(table["position"]) == {()}


def test_nothing_is_written_where_nothing_has_changed(
    folder: Path, image: FinishedImage
) -> None:
    before = files(folder)
    opened = open_results(image)
    empty = {"version": 1, "regions": []}
    assert save_corrections(opened, opened.annotations) is opened
    again = save_corrections(opened, replace(opened.annotations, review=empty))
    assert again is opened
    assert files(folder) == before


def test_a_painted_pixel_is_written_and_nothing_else(
    folder: Path, image: FinishedImage
) -> None:
    before = files(folder)
    opened = open_results(image)
    value = other(int(opened.annotations.maps["refined"][0, 0]))
    save_corrections(opened, painted(opened, value))
    now = files(folder)
    changed = {name for name in now if now[name] != before.get(name)}
    kept = written_path(image, "refined").relative_to(folder).as_posix()
    mark = ".s2clip/written/photo 0.corrected"
    assert changed == {"photo 0_refined.tif", "photo 0.json", kept, mark}
    assert now[kept] == before["photo 0_refined.tif"]
    assert tifffile.imread(image.path("_refined.tif"))[0, 0] == value
    old, new = (json.loads(these["photo 0.json"]) for these in (before, now))
    assert new["maps"] == old["maps"]
    assert new["edited"] == ["refined"]
    assert new["reviewed"] is False
    count = np.bincount(tifffile.imread(image.path("_refined.tif")).ravel())
    assert new["pixels"]["refined"] == {str(i): int(n) for i, n in enumerate(count)}
    assert new["pixels"]["coarse"] == old["pixels"]["coarse"]


def test_what_was_edited_is_known_again(image: FinishedImage) -> None:
    opened = open_results(image)
    job_wrote = opened.annotations.maps["refined"].copy()
    value = other(int(job_wrote[0, 0]))
    save_corrections(opened, painted(opened, value))
    again = open_results(image).annotations
    assert again.edited == ("refined",)
    assert again.maps["refined"][0, 0] == value
    np.testing.assert_array_equal(again.written["refined"], job_wrote)
    fresh = FinishedImage(image.folder, image.name)
    assert fresh.is_edited("refined")
    assert not fresh.is_edited("owners")


def test_painting_the_old_label_again_is_no_edit(image: FinishedImage) -> None:
    opened = open_results(image)
    first = int(opened.annotations.maps["refined"][0, 0])
    once = save_corrections(opened, painted(opened, other(first)))
    save_corrections(once, painted(opened, first))
    fresh = FinishedImage(image.folder, image.name)
    assert fresh.description["edited"] == []
    assert not fresh.is_edited("refined")


def test_edits_of_another_program_are_known_but_not_what_was_before(
    image: FinishedImage,
) -> None:
    labels = tifffile.imread(image.path("_refined.tif")).astype(np.int64)
    labels[0, 0] = other(int(labels[0, 0]))
    tifffile.imwrite(image.path("_refined.tif"), labels)
    annotations = open_results(image).annotations
    assert annotations.edited == ("refined",)
    assert annotations.written == {}
    assert annotations.maps["refined"].dtype == np.uint16


def test_a_kept_map_of_an_earlier_job_is_not_taken_for_the_last_ones(
    image: FinishedImage,
) -> None:
    opened = open_results(image)
    value = other(int(opened.annotations.maps["refined"][0, 0]))
    save_corrections(opened, painted(opened, value))
    path = written_path(image, "refined")
    tifffile.imwrite(path, np.zeros_like(tifffile.imread(path)))
    assert open_results(image).annotations.written == {}


def test_reviews_are_kept(image: FinishedImage) -> None:
    opened = open_results(image)
    decided = {
        "version": 1,
        "regions": [
            {
                "region": 1,
                "position": [],
                "proposed": 1,
                "area": 5,
                "box": [0.0, 0.0, 1.0, 1.0],
                "status": "accepted",
                "class": 1,
                "shape": "refined",
            }
        ],
    }
    save_corrections(opened, replace(opened.annotations, review=decided), reviewed=True)
    again = open_results(image)
    assert again.reviewed is True
    assert again.annotations.review == decided
    assert again.image.description["edited"] == []
    save_corrections(again, again.annotations, reviewed=False)
    assert open_results(image).reviewed is False


def test_a_job_leaves_corrections_alone(
    folder: Path, image: FinishedImage, inputs, job
) -> None:
    opened = open_results(image)
    value = other(int(opened.annotations.maps["refined"][0, 0]))
    save_corrections(opened, painted(opened, value), reviewed=True)
    before = files(folder)
    same = list(run_job(job, inputs, folder, model=QuickModel()))
    assert {outcome.state for outcome in same} == {"skipped"}
    new = replace(job, classes=ClassSet(["night", "day"]))
    outcomes = list(run_job(new, inputs, folder, model=QuickModel(), overwrite=True))
    assert outcomes[0].state == "kept"
    assert "was edited" in outcomes[0].error
    assert {outcome.state for outcome in outcomes[1:]} == {"done"}
    now = files(folder)
    for name in (n for n in before if n.startswith("photo 0")):
        assert now[name] == before[name]


def test_training_data_has_the_corrections(folder: Path, image: FinishedImage) -> None:
    opened = open_results(image)
    value = other(int(opened.annotations.maps["refined"][0, 0]))
    save_corrections(opened, painted(opened, value), reviewed=True)
    items = FolderItems(finished_images(folder), reviewed_only=True)
    (item,) = items
    assert item.labels[0, 0] == value
    assert (item.edited, item.reviewed) == (True, True)
    assert len(items.skipped) == 4


def test_another_program_is_not_written_over(image: FinishedImage) -> None:
    opened = open_results(image)
    value = other(int(opened.annotations.maps["refined"][0, 0]))
    theirs = tifffile.imread(image.path("_refined.tif")) * 0
    tifffile.imwrite(image.path("_refined.tif"), theirs)
    with pytest.raises(ResultsChanged, match=r"photo 0_refined\.tif: another program"):
        save_corrections(opened, painted(opened, value))
    assert not tifffile.imread(image.path("_refined.tif")).any()
    save_corrections(opened, painted(opened, value), force=True)
    assert tifffile.imread(image.path("_refined.tif"))[0, 0] == value


def test_a_failure_keeps_every_file(
    folder: Path, image: FinishedImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(folder)
    opened = open_results(image)

    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_s2clip.batch.corrections.write_stage", full)
    value = other(int(opened.annotations.maps["refined"][0, 0]))
    with pytest.raises(CorrectionsError, match=r"photo 0_refined\.tif: .*disk is full"):
        save_corrections(opened, painted(opened, value))
    (folder / ".s2clip" / "written" / "photo 0.corrected").unlink()
    assert files(folder) == before


def test_maps_that_are_missing_stay(image: FinishedImage) -> None:
    opened = open_results(image)
    value = other(int(opened.annotations.maps["refined"][0, 0]))
    now = painted(opened, value)
    save_corrections(opened, replace(now, maps={"refined": now.maps["refined"]}))
    assert image.path("_coarse.tif").exists()
    again = open_results(image).annotations
    assert set(again.maps) == {"coarse", "regions", "refined", "owners"}


def test_labels_of_another_size_are_refused(image: FinishedImage) -> None:
    opened = open_results(image)
    maps = {"refined": np.zeros((4, 5), np.uint16)}
    with pytest.raises(CorrectionsError, match=r"shape \(4, 5\)"):
        save_corrections(opened, replace(opened.annotations, maps=maps))


def test_new_regions_and_classes_are_written(image: FinishedImage) -> None:
    opened = open_results(image)
    annotations = opened.annotations
    classes = ClassSet(["night", "bright"])
    table = annotations.region_table.iloc[:1].assign(area=7)
    new = replace(annotations, classes=classes, region_table=table)
    saved = save_corrections(opened, new)
    again = open_results(image)
    assert again.annotations.classes.names == ("night", "bright")
    assert again.annotations.region_table["area"].tolist() == [7]
    assert again.image.description["regions"] == 1
    assert "plane" not in FinishedImage(image.folder, image.name).table
    assert save_corrections(saved, new) is saved


def test_stacks_keep_their_axes(stack: FinishedImage) -> None:
    opened = open_results(stack)
    assert opened.annotations.maps["refined"].shape == (2, 3, 9, 12)
    assert (1, 2) in set(opened.annotations.region_table["position"])
    value = other(int(opened.annotations.maps["refined"][1, 2, 3, 4]))
    save_corrections(opened, painted(opened, value, (1, 2, 3, 4)))
    with FinishedImage(stack.folder, stack.name).open("refined") as labels:
        assert labels.axes == ("t", "z", "y", "x")
        assert labels.data[1, 2, 3, 4] == value
    same = open_results(stack).annotations.maps["refined"]
    wanted = painted(opened, value, (1, 2, 3, 4)).maps["refined"]
    np.testing.assert_array_equal(same, wanted)


def test_maps_on_the_disk_are_written_as_those_in_memory(stack: FinishedImage) -> None:
    opened = open_results(stack, make=lambda s, d: new_map(s, d, limit=0))
    refined = opened.annotations.maps["refined"]
    assert not isinstance(refined, np.ndarray)
    was = np.asarray(refined[:])
    refined[1, 1, 0, 0] = other(int(was[1, 1, 0, 0]))
    save_corrections(opened, opened.annotations)
    now = open_results(stack).annotations.maps["refined"]
    assert np.argwhere(now != was).tolist() == [[1, 1, 0, 0]]


def test_damaged_decisions_are_not_lost(image: FinishedImage) -> None:
    path = image.path(".json")
    about = json.loads(path.read_text())
    about["review"] = {"version": 1, "regions": [{"region": 1}]}
    path.write_text(json.dumps(about))
    with pytest.raises(ValueError, match=r"photo 0\.json: review: regions\[0\]"):
        open_results(image)


@pytest.mark.parametrize(
    ("ending", "content", "words"),
    [
        (".json", b"{", r"photo 0\.json: it is no JSON"),
        ("_refined.tif", b"nothing", r"photo 0_refined\.tif"),
        ("_regions.csv", b"region\n1\n", r"photo 0_regions\.csv: the column"),
    ],
)
def test_damaged_files_are_named(
    image: FinishedImage, ending: str, content: bytes, words: str
) -> None:
    image.path(ending).write_bytes(content)
    with pytest.raises((ValueError, OSError), match=words):
        open_results(image)


def test_labels_that_are_none_are_refused(image: FinishedImage) -> None:
    labels = np.full((9, 12), 70_000, np.int32)
    tifffile.imwrite(image.path("_refined.tif"), labels)
    with pytest.raises(ValueError, match=r"_refined\.tif: labels must be 0 to 65535"):
        open_results(image)
    tifffile.imwrite(image.path("_refined.tif"), np.zeros((4, 12), np.uint16))
    with pytest.raises(ValueError, match=r"_refined\.tif.*shape"):
        open_results(image)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_what_is_saved_is_read(image: FinishedImage, data: st.DataObject) -> None:
    """However often, and whichever of the maps."""
    opened = open_results(image)
    maps = dict(opened.annotations.maps)
    for stage in data.draw(st.sets(st.sampled_from(sorted(maps)))):
        value = data.draw(st.integers(0, 2))
        row, column = data.draw(st.tuples(st.integers(0, 8), st.integers(0, 11)))
        maps[stage] = maps[stage].copy()
        maps[stage][row:, column:] = value
    save_corrections(opened, replace(opened.annotations, maps=maps))
    again = open_results(image)
    for stage, labels in maps.items():
        np.testing.assert_array_equal(again.annotations.maps[stage], labels)
    fresh = FinishedImage(image.folder, image.name)
    assert [s for s in maps if fresh.is_edited(s)] == list(again.annotations.edited)


def test_the_list_tells_what_became_of_each(folder: Path, job, tmp_path: Path) -> None:
    images = finished_images(folder)
    opened = open_results(images[0])
    value = other(int(opened.annotations.maps["refined"][0, 0]))
    save_corrections(opened, painted(opened, value), reviewed=True)
    images[1].path(".json").write_text("{")
    broken = tmp_path / "in" / "zz.png"
    broken.write_bytes(b"nothing")
    photo(tmp_path / "in" / "z.png")
    list(run_job(job, find_inputs([broken]), folder, model=QuickModel()))
    listed = list_results(folder)
    assert listed[0] == Listed("photo 0", reviewed=True, edited=True)
    assert "photo 1.json" in listed[1].error
    assert listed[2] == Listed("photo 2")
    assert (listed[-1].name, "zz.png" in listed[-1].error) == ("zz", True)
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        list_results(folder, cancel)
