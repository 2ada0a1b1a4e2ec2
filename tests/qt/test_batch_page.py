"""Jobs over folders in a real window, and a look through their results."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image as Picture
from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QDesktopServices, QGuiApplication
from qtpy.QtWidgets import QFileDialog

from napari_s2clip import Segmentation, cli
from napari_s2clip._qt import folder_panel, folder_saving
from napari_s2clip._qt.widget import S2CLIPWidget
from napari_s2clip.batch.finished import FinishedImage
from napari_s2clip.io.overlay import overlay
from napari_s2clip.io.results import Stack, write_segmentation
from napari_s2clip.layers import KEY, outputs_of
from napari_s2clip.results import REGION_COLUMNS
from napari_s2clip.sample_data import demo_scene
from napari_s2clip.tiles import Tiling

from ..batch.conftest import CLASSES, QuickModel, photo
from .heartbeat import Heartbeat

if TYPE_CHECKING:
    import napari

    from napari_s2clip.progress import CancelToken


class Quick(QuickModel):
    """Stands for the class `S2CLIP`; it can be made to wait at an image."""

    def __init__(self) -> None:
        super().__init__()
        self.go, self.waiting = threading.Event(), threading.Event()
        self.stop_at = 0

    def load(self, *args: Any, **options: Any) -> Quick:
        return self

    def held(self) -> dict[str, int]:
        return {}

    def release(self) -> None:
        pass

    def segment(self, image: Any, classes: Any, **options: Any) -> Any:
        if len(self.seen) + 1 == self.stop_at:
            self.waiting.set()
            cancel: CancelToken = options["cancel"]
            while not self.go.wait(0.005):
                cancel.raise_if_cancelled()
        return super().segment(image, classes, **options)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[Quick]:
    model = Quick()
    monkeypatch.setattr("napari_s2clip.pipeline.S2CLIP", model)
    yield model
    model.go.set()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of four photographs."""
    for number in range(4):
        photo(tmp_path / "photos" / f"photo{number}.png", number)
    return tmp_path / "photos"


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Any]) -> napari.Viewer:
    return make_napari_viewer()


@pytest.fixture
def widget(viewer: napari.Viewer, quick: Quick, qtbot: Any) -> S2CLIPWidget:
    """The page in the dock of a window."""
    widget = S2CLIPWidget(napari_viewer=viewer)
    viewer.window.add_dock_widget(widget, name="S2CLIP")
    widget.classes.set_lines("dark\nbright")
    widget.pages.setCurrentWidget(widget.pages.batch_page)
    viewer.window._qt_window.show()
    qtbot.waitUntil(widget.batch.job.isVisible)
    return widget


@pytest.fixture
def wait(qtbot: Any) -> Callable[[S2CLIPWidget], None]:
    def wait(widget: S2CLIPWidget) -> None:
        qtbot.waitUntil(lambda: not widget.batch.busy, timeout=30_000)

    return wait


@pytest.fixture
def click(qtbot: Any) -> Callable[[Any], None]:
    def click(button: Any) -> None:
        assert button.isEnabled()
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    return click


@pytest.fixture
def done(widget: S2CLIPWidget, photos: Path, wait: Any) -> Path:
    """The folder is segmented; its results."""
    widget.batch.job.images.setText(str(photos))
    widget.batch.job.start()
    wait(widget)
    return photos.with_name("photos-s2clip")


@pytest.fixture
def reviewing(widget: S2CLIPWidget, done: Path, click: Any, wait: Any) -> Path:
    """The results are open, the first image is shown."""
    click(widget.batch.job.review_button)
    wait(widget)
    assert names(widget.batch.folder.table) == [f"photo{n}" for n in range(4)]
    return done


def names(table: Any) -> list[str]:
    images = table.images
    return [images.rows[n].name for n in images.shown]


def states(table: Any) -> list[str]:
    return [row.state for row in table.images.rows]


def said(label: Any) -> str:
    return label.text().replace("\u200b", "")


def refined(widget: S2CLIPWidget) -> Any:
    layer = widget.batch.folder.layer
    return outputs_of(widget._viewer, layer)[0].refined


def paint(widget: S2CLIPWidget, value: int | None = None) -> int:
    """Paint the first pixel with the other label."""
    labels = refined(widget)
    value = 3 - int(labels.data[0, 0]) if value is None else value
    labels.data_setitem((np.array([0]), np.array([0])), value)
    return value


def in_file(out: Path, name: str = "photo0") -> int:
    return int(tifffile.imread(out / f"{name}_refined.tif")[0, 0])


# ------------------------------------------------------------------------ the job


def test_what_will_be_done_is_said_before(
    widget: S2CLIPWidget, photos: Path, wait: Any
) -> None:
    job = widget.batch.job
    job.images.setText(str(photos))
    wait(widget)
    assert said(job.planned) == "4 images"
    assert said(job.about).startswith("2 classes (dark, bright); ")
    assert job.out.placeholderText() == str(photos.with_name("photos-s2clip"))
    assert states(job.table) == ["waiting"] * 4
    assert not photos.with_name("photos-s2clip").exists()
    job.images.setText(str(photos / "*2.png"))
    wait(widget)
    assert said(job.planned) == "1 image"
    job.images.setText(str(photos / "*.jpg"))
    wait(widget)
    assert "no file is called so" in said(job.planned)
    assert names(job.table) == []


def test_a_folder_is_segmented_by_a_click(
    widget: S2CLIPWidget,
    photos: Path,
    wait: Any,
    click: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = widget.batch.job
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *args: str(photos))
    click(job.folder_button)
    wait(widget)
    click(job.button)
    assert job.busy
    assert job.button.text() == "Cancel"
    assert not job.images.isEnabled()
    wait(widget)
    assert said(job.status) == "4 done."
    assert states(job.table) == ["done"] * 4
    assert job.classes.item(0, 0).text() == "dark"
    assert job.classes.item(1, 1).text() == "4"
    out = photos.with_name("photos-s2clip")
    assert (out / "photo3_refined.tif").exists()
    opened: list[QUrl] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    click(job.sheet_button)
    assert Path(opened[0].toLocalFile()) == out / "contact-sheet.html"
    job.look()
    wait(widget)
    assert said(job.planned) == "4 images, 4 done already"
    click(job.button)
    wait(widget)
    assert said(job.status) == "4 done before."


def test_other_classes_in_the_same_folder_change_no_numbers(
    widget: S2CLIPWidget, done: Path, wait: Any
) -> None:
    page = widget.batch.job
    widget.classes.set_lines("horse\ncow")
    page.start()
    wait(widget)
    assert said(page.status) == (
        "4 failed. 4 images with other classes are not in the table."
    )
    shown = [page.classes.item(row, 1).text() for row in range(2)]
    assert shown == ["0", "0"]


def test_what_a_job_came_to_is_not_said_of_another(
    widget: S2CLIPWidget, photos: Path, wait: Any, qtbot: Any
) -> None:
    page = widget.batch.job
    (photos / "broken.png").write_text("no image")
    page.images.setText(str(photos))
    page.start()
    wait(widget)
    page.look()
    qtbot.waitUntil(lambda: not page.looking)
    assert said(page.status) == "4 done, 1 failed."
    assert page.classes.isVisible()
    assert not page.copy_button.isVisible()  # nothing in the list has failed now
    page.images.setText(str(photos / "photo1.png"))
    qtbot.waitUntil(lambda: len(page.table.images.rows) == 1)
    assert not page.status.isVisible()
    assert not page.classes.isVisible()


def test_a_file_in_the_way_is_said_in_words(
    widget: S2CLIPWidget, photos: Path, wait: Any
) -> None:
    page, file = widget.batch.job, photos / "file"
    file.write_text("x")
    page.images.setText(str(photos))
    page.out.setText(str(file / "out"))
    page.start()
    wait(widget)
    assert said(page.status).endswith("a file, not a folder; choose another")
    assert "Errno" not in said(page.status)


def test_why_a_job_cannot_begin_stays(
    widget: S2CLIPWidget, photos: Path, qtbot: Any
) -> None:
    page = widget.batch.job
    widget.classes.set_lines("")
    page.images.setText(str(photos))
    page.start()
    assert page.status.isVisible()
    qtbot.waitUntil(lambda: not page.looking)
    assert page.status.isVisible()


def test_files_may_be_chosen(
    widget: S2CLIPWidget,
    photos: Path,
    wait: Any,
    click: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen = [str(photos / f"photo{n}.png") for n in (1, 3)]
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *args: (chosen, ""))
    click(widget.batch.job.files_button)
    wait(widget)
    assert names(widget.batch.job.table) == ["photo1", "photo3"]


def test_a_cancelled_job_goes_on(
    widget: S2CLIPWidget, quick: Quick, photos: Path, wait: Any, click: Any, qtbot: Any
) -> None:
    job, out = widget.batch.job, photos.with_name("photos-s2clip")
    quick.stop_at = 3
    job.images.setText(str(photos))
    click(job.button)
    qtbot.waitUntil(quick.waiting.is_set, timeout=10_000)
    click(job.button)
    assert job.button.text() == "Cancelling…"
    wait(widget)
    assert "Cancelled" in said(job.status)
    assert not list(out.glob(".napari-s2clip-*"))
    assert (out / "photo1.json").exists()
    assert not (out / "photo2.json").exists()
    quick.stop_at = 0
    click(job.button)
    wait(widget)
    assert states(job.table) == ["done"] * 4
    before = [row.more == "done before" for row in job.table.images.rows]
    assert before == [True, True, False, False]


def test_failures_are_shown_and_copied(
    widget: S2CLIPWidget, photos: Path, wait: Any, click: Any
) -> None:
    (photos / "photo1.png").write_bytes(b"nothing")
    job = widget.batch.job
    job.images.setText(str(photos))
    click(job.button)
    wait(widget)
    assert states(job.table) == ["done", "failed", "done", "done"]
    assert said(job.status) == "3 done, 1 failed."
    job.table.choose(1)
    assert str(photos / "photo1.png") in said(job.reason)
    click(job.copy_button)
    text = QGuiApplication.clipboard().text()
    assert text.startswith("photo1\t")
    assert len(text.splitlines()) == 1


def test_contrast_may_be_the_same_for_all(
    widget: S2CLIPWidget, viewer: napari.Viewer, tmp_path: Path, wait: Any, click: Any
) -> None:
    """Percentiles would make the brighter half of each image bright."""
    for name, most in (("dim", 900), ("bright", 4000)):
        ramp = np.tile(np.linspace(100, most, 12).astype(np.uint16), (9, 1))
        (tmp_path / "deep").mkdir(exist_ok=True)
        tifffile.imwrite(tmp_path / "deep" / f"{name}.tif", ramp)
    page, row = widget.batch.job, widget.batch.job.contrast
    page.images.setText(str(tmp_path / "deep"))
    assert not row.black.isVisible()
    viewer.add_image(ramp, name="bright", contrast_limits=(100, 3900.5))
    row.box.setCurrentIndex(1)
    assert row.black.isVisible()
    assert "Contrast: give the value that becomes black" in page.about.text()
    click(page.button)
    assert not page.busy
    assert "Contrast: give the value that becomes black" in said(page.status)
    row.box.activated.emit(1)  # chosen by hand
    assert (row.black.text(), row.white.text()) == ("100", "3900.5")
    viewer.layers["bright"].contrast_limits = (1000.000025, 3900.50000125)
    row.box.activated.emit(1)
    assert row.limits() == (1000.000025, 3900.50000125)  # to the last digit
    row.black.setText("100")
    row.white.setText("50")
    assert "white must be a larger value" in page.about.text()
    row.white.setText("4000")
    click(page.button)
    assert not row.isEnabled()
    wait(widget)
    out = tmp_path / "deep-s2clip"
    dim, bright = (
        tifffile.imread(out / f"{name}_refined.tif") for name in ("dim", "bright")
    )
    assert set(dim.ravel()) == {1}
    assert bright[0].tolist() == [1] * 6 + [2] * 6
    reading = json.loads((out / "dim.json").read_text())["reading"]
    assert reading["contrast_limits"] == [100, 4000]
    state = page.state()
    row.box.setCurrentIndex(0)
    row.black.setText("7")
    assert row.limits() is None
    page.restore(state)
    assert row.limits() == (100, 4000)
    page.restore({"contrast": "odd", "black": 3})
    assert row.limits() == (100, 4000)
    # Colours have no limits that could be taken.
    viewer.add_image(np.zeros((4, 4, 3), np.uint8), rgb=True)
    row.box.activated.emit(1)
    assert row.white.text() == "4000"


def test_one_at_a_time(
    widget: S2CLIPWidget,
    viewer: napari.Viewer,
    quick: Quick,
    photos: Path,
    wait: Any,
    click: Any,
    qtbot: Any,
) -> None:
    viewer.add_image(np.zeros((9, 12, 3), np.uint8), rgb=True, name="other")
    quick.stop_at = 1
    job = widget.batch.job
    job.images.setText(str(photos))
    click(job.button)
    qtbot.waitUntil(quick.waiting.is_set, timeout=10_000)
    widget.run.button.click()
    assert "job over many images" in said(widget.run.status)
    assert not widget.run.running
    quick.go.set()
    wait(widget)
    assert widget.runs.keep_for("something else")
    click(job.button)
    assert "A run uses the models" in said(job.status)
    assert not job.busy
    widget.runs.give_back()


def test_what_is_missing_is_said(
    widget: S2CLIPWidget, photos: Path, click: Any
) -> None:
    job = widget.batch.job
    click(job.button)
    assert "Images" in said(job.status)
    job.images.setText(str(photos))
    widget.classes.set_lines("")
    click(job.button)
    assert said(job.status)
    assert not job.busy


def test_a_closed_widget_stops_the_job(
    widget: S2CLIPWidget, quick: Quick, photos: Path, click: Any, qtbot: Any
) -> None:
    quick.stop_at = 2
    job = widget.batch.job
    job.images.setText(str(photos))
    click(job.button)
    qtbot.waitUntil(quick.waiting.is_set, timeout=10_000)
    widget.close()
    qtbot.waitUntil(lambda: not job.busy, timeout=10_000)
    out = photos.with_name("photos-s2clip")
    assert (out / "photo0.json").exists()
    assert not (out / "photo3.json").exists()


def test_the_window_lives_on_while_a_job_runs(
    widget: S2CLIPWidget, quick: Quick, photos: Path, click: Any, wait: Any, qtbot: Any
) -> None:
    quick.stop_at = 2
    job = widget.batch.job
    job.images.setText(str(photos))
    click(job.button)
    qtbot.waitUntil(quick.waiting.is_set, timeout=10_000)
    qtbot.waitUntil(lambda: states(job.table)[:1] == ["done"], timeout=10_000)
    assert job.bar.format() == "1 of 4"
    assert said(job.status).startswith("photo")
    quick.go.set()
    wait(widget)


def test_very_many_images_do_not_stop_the_window(
    widget: S2CLIPWidget,
    tmp_path: Path,
    wait: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(3000):
        (folder / f"{number:05}.png").touch()
    job = widget.batch.job
    with Heartbeat() as heart:
        job.images.setText(str(folder))
        wait(widget)
    assert said(job.planned) == "3,000 images"
    assert heart.longest < 1
    # What is no longer wanted is given up.
    job.images.setText(str(folder))
    job.look()
    job.images.setText("")
    wait(widget)
    assert names(job.table) == []


# --------------------------------------------------------------------- the review


def test_an_image_opens_with_its_results(
    widget: S2CLIPWidget, viewer: napari.Viewer, reviewing: Path
) -> None:
    layer = widget.batch.folder.layer
    assert [one.name for one in viewer.layers] == [
        "photo0",
        "photo0 coarse",
        "photo0 regions",
        "photo0 refined",
    ]
    assert widget.image.layer() is layer
    assert widget.results.output is not None
    assert len(widget.results.output.region_table) == 2
    assert widget.review.review is not None
    assert widget.annotations.isHidden()
    labels = refined(widget)
    np.testing.assert_array_equal(
        labels.data, tifffile.imread(reviewing / "photo0_refined.tif")
    )
    assert labels.metadata[KEY]["provenance"]["model"] == "quick"


def test_a_painted_pixel_is_saved_on_moving_on_and_there_again(
    widget: S2CLIPWidget,
    viewer: napari.Viewer,
    reviewing: Path,
    photos: Path,
    wait: Any,
    click: Any,
) -> None:
    mine = viewer.add_labels(np.zeros((9, 12), np.uint8), name="mine")
    folder = widget.batch.folder
    value = paint(widget)
    assert folder.unsaved
    click(folder.next_button)
    wait(widget)
    assert folder.layer.name == "photo1"
    assert mine in viewer.layers
    assert not any(layer.name.startswith("photo0") for layer in viewer.layers)
    assert in_file(reviewing) == value
    assert states(folder.table) == ["edited", "", "", ""]
    click(folder.previous_button)
    wait(widget)
    assert refined(widget).data[0, 0] == value
    about = json.loads((reviewing / "photo0.json").read_text())
    assert about["edited"] == ["refined"]
    # A job leaves it alone.
    click(folder.back_button)
    wait(widget)
    assert mine in viewer.layers
    assert len(viewer.layers) == 1
    job = widget.batch.job
    job.overwrite.setChecked(True)
    widget.classes.set_lines("night\nday")
    click(job.button)
    wait(widget)
    assert states(job.table)[0] == "kept"
    assert "1 kept as edited" in said(job.status)
    assert not job.copy_button.isVisible()
    assert "was edited" in job.table.images.rows[0].more
    assert in_file(reviewing) == value


def test_reviewed_images_are_exported(
    widget: S2CLIPWidget, reviewing: Path, tmp_path: Path, wait: Any, click: Any
) -> None:
    folder = widget.batch.folder
    value = paint(widget)
    click(folder.reviewed_button)
    wait(widget)
    assert folder.layer.name == "photo1"
    assert states(folder.table)[0] == "✓ edited"
    assert said(folder.count) == "1 of 4 reviewed"
    out = tmp_path / "set"
    options = ["--format", "png", "--reviewed", "--quiet"]
    assert cli.main(["export", str(reviewing), "--out", str(out), *options]) == 0
    masks = [p for p in out.rglob("*.png") if "photo0" in p.name]
    labelled = [np.asarray(Picture.open(p)) for p in masks]
    assert any(m.ndim == 2 and m[0, 0] == value for m in labelled)
    assert not [p for p in out.rglob("*") if "photo1" in p.name]
    text = "".join(p.read_text() for p in out.rglob("*.json*"))
    assert '"edited": true' in text
    assert '"reviewed": true' in text


def test_the_folder_is_exported_in_the_window(
    widget: S2CLIPWidget, reviewing: Path, tmp_path: Path, wait: Any, click: Any
) -> None:
    folder = widget.batch.folder
    value = paint(widget)
    folder.export_button.setChecked(True)
    export = folder.export
    assert export.isVisible()
    export.format.setCurrentText("png")
    export.button.click()
    wait(widget)
    assert "Folder: it is empty" in export.summary.said()
    out = tmp_path / "set"
    export.out.setText(str(out))
    export.button.click()
    wait(widget)
    assert export.summary.said().startswith("4 images")
    masks = [p for p in out.rglob("*.png") if "photo0" in p.name]
    found = [np.asarray(Picture.open(p)) for p in masks]
    assert any(m.ndim == 2 and m[0, 0] == value for m in found)


def test_decisions_come_back(
    widget: S2CLIPWidget, reviewing: Path, wait: Any, click: Any
) -> None:
    widget.review.next()
    widget.review.reject()
    decided = widget.review.state()["regions"]
    assert decided
    click(widget.batch.folder.next_button)
    wait(widget)
    assert not widget.review.state()["regions"]
    click(widget.batch.folder.previous_button)
    wait(widget)
    assert widget.review.state()["regions"] == decided
    about = json.loads((reviewing / "photo0.json").read_text())
    assert about["review"]["regions"] == decided
    assert about["reviewed"] is False


def test_decisions_are_kept_while_another_image_is_chosen(
    widget: S2CLIPWidget,
    viewer: napari.Viewer,
    reviewing: Path,
    wait: Any,
    click: Any,
) -> None:
    widget.review.next()
    widget.review.accept()
    decided = widget.review.state()["regions"]
    viewer.add_image(np.zeros((9, 12, 3), np.uint8), rgb=True, name="other")
    assert widget.image.layer().name == "other"
    assert widget.annotations.isVisibleTo(widget)
    click(widget.batch.folder.save_button)
    wait(widget)
    about = json.loads((reviewing / "photo0.json").read_text())
    assert about["review"]["regions"] == decided


def test_a_failed_save_stays_on_the_image(
    widget: S2CLIPWidget,
    reviewing: Path,
    wait: Any,
    click: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = widget.batch.folder
    value = paint(widget)
    with monkeypatch.context() as patch:

        def full(*args: Any, **options: Any) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr("napari_s2clip.batch.corrections.write_stage", full)
        click(folder.next_button)
        wait(widget)
    assert "photo0_refined.tif" in said(folder.status)
    assert "disk is full" in said(folder.status)
    assert folder.layer.name == "photo0"
    assert refined(widget).data[0, 0] == value
    assert folder.unsaved
    click(folder.next_button)
    wait(widget)
    assert folder.layer.name == "photo1"
    assert in_file(reviewing) == value


def test_changes_that_cannot_be_saved_may_be_discarded(
    widget: S2CLIPWidget,
    reviewing: Path,
    wait: Any,
    click: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = widget.batch.folder
    before = in_file(reviewing)
    paint(widget)
    assert not folder.discard_button.isVisible()
    with monkeypatch.context() as patch:

        def full(*args: Any, **options: Any) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr("napari_s2clip.batch.corrections.write_stage", full)
        click(folder.back_button)
        wait(widget)
        assert folder.isVisible()
        click(folder.discard_button)
        wait(widget)
        assert refined(widget).data[0, 0] == before
        assert not folder.unsaved
        assert said(folder.status) == ""
        assert not folder.discard_button.isVisible()
        click(folder.back_button)
        wait(widget)
    assert not folder.isVisible()
    assert in_file(reviewing) == before
    assert len(widget._viewer.layers) == 0


def test_pictures_and_numbers_follow_corrections(
    widget: S2CLIPWidget, reviewing: Path, wait: Any, click: Any
) -> None:
    sheet = reviewing / "contact-sheet.html"
    files = [reviewing / "photo0_refined.png", sheet]
    files.append(reviewing / ".s2clip" / "thumbnails" / "photo0.jpg")
    before = [file.read_bytes() for file in files]
    labels = refined(widget)
    labels.data_setitem(tuple(np.indices(labels.data.shape).reshape(2, -1)), 2)
    click(widget.batch.folder.next_button)
    wait(widget)
    click(widget.batch.folder.back_button)
    wait(widget)
    for file, content in zip(files, before, strict=True):
        assert file.read_bytes() != content, file
    assert "4 images (1 corrected)," in sheet.read_text(encoding="utf-8")


def test_pictures_that_cannot_be_drawn_are_told(
    widget: S2CLIPWidget,
    reviewing: Path,
    wait: Any,
    click: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*args: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device", "photo0_refined.png")

    monkeypatch.setattr("napari_s2clip.batch.redraw.draw_maps", full)
    folder = widget.batch.folder
    paint(widget)
    click(folder.save_button)
    wait(widget)
    assert said(folder.status).startswith("The pictures are not up to date: ")
    assert not folder.unsaved


def held(monkeypatch: pytest.MonkeyPatch, name: str) -> threading.Event:
    """Lets a function of a thread wait until the event is set."""
    go = threading.Event()
    real = getattr(folder_panel, name)

    def waits(*args: Any) -> Any:
        found = real(*args)
        go.wait(20)
        return found

    monkeypatch.setattr(folder_panel, name, waits)
    return go


def test_nobody_paints_while_changes_are_discarded(
    widget: S2CLIPWidget,
    reviewing: Path,
    wait: Any,
    click: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = widget.batch.folder
    before = in_file(reviewing)
    paint(widget)
    # Another program was faster, so saving anew would replace what it wrote.
    theirs = tifffile.imread(reviewing / "photo0_refined.tif")
    tifffile.imwrite(reviewing / "photo0_refined.tif", theirs)
    click(folder.save_button)
    wait(widget)
    assert "another program" in said(folder.status)
    go = held(monkeypatch, "load")
    click(folder.discard_button)
    assert folder.layer is None
    assert not widget._viewer.layers
    go.set()
    wait(widget)
    assert refined(widget).data[0, 0] == before == in_file(reviewing)
    assert not folder.unsaved
    value = paint(widget)
    click(folder.save_button)
    wait(widget)
    assert said(folder.status) == "Saved"
    assert in_file(reviewing) == value


def test_what_is_painted_while_the_image_is_read_again_stays(
    widget: S2CLIPWidget,
    reviewing: Path,
    wait: Any,
    click: Any,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = widget.batch.folder
    go = held(monkeypatch, "load")
    folder.reload()
    qtbot.wait(50)
    value = paint(widget)
    go.set()
    wait(widget)
    assert in_file(reviewing) == value
    assert refined(widget).data[0, 0] == value
    value = paint(widget)
    click(folder.save_button)
    wait(widget)
    assert said(folder.status) == "Saved"
    assert in_file(reviewing) == value


def test_what_is_painted_before_an_image_that_cannot_be_read_is_saved(
    widget: S2CLIPWidget,
    reviewing: Path,
    wait: Any,
    click: Any,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go = threading.Event()

    def fails(*args: Any) -> None:
        go.wait(20)
        raise OSError(5, "Input/output error", "photo1_refined.tif")

    monkeypatch.setattr(folder_panel, "load", fails)
    folder = widget.batch.folder
    click(folder.next_button)
    qtbot.waitUntil(lambda: said(folder.status) == "Opening…")
    value = paint(widget)
    go.set()
    wait(widget)
    assert "Input/output error" in said(folder.status)
    assert folder.layer is None
    assert in_file(reviewing) == value


def test_a_layer_that_is_removed_while_another_image_is_read_is_saved(
    widget: S2CLIPWidget,
    viewer: napari.Viewer,
    reviewing: Path,
    wait: Any,
    click: Any,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go = held(monkeypatch, "load")
    folder = widget.batch.folder
    click(folder.next_button)
    qtbot.waitUntil(lambda: said(folder.status) == "Opening…")
    value = paint(widget)
    viewer.layers.remove(refined(widget))
    go.set()
    wait(widget)
    assert folder.layer.name == "photo1"
    assert in_file(reviewing) == value


def test_a_layer_that_is_removed_while_it_is_saved_is_saved_too(
    widget: S2CLIPWidget,
    viewer: napari.Viewer,
    reviewing: Path,
    wait: Any,
    click: Any,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go, begun = threading.Event(), threading.Event()
    real = folder_saving.save_corrections

    def slow(*args: Any, **options: Any) -> Any:
        begun.set()
        go.wait(20)
        return real(*args, **options)

    monkeypatch.setattr(folder_saving, "save_corrections", slow)
    mine = viewer.add_labels(np.zeros((9, 12), np.uint8), name="mine")
    folder = widget.batch.folder
    labels = refined(widget)
    paint(widget)
    click(folder.next_button)
    qtbot.waitUntil(begun.is_set)
    other = 3 - int(labels.data[5, 5])
    labels.data_setitem((np.array([5]), np.array([5])), other)
    viewer.layers.remove(mine)
    viewer.layers.remove(labels)
    go.set()
    wait(widget)
    assert folder.layer.name == "photo1"
    saved = tifffile.imread(reviewing / "photo0_refined.tif")
    assert saved[5, 5] == other
    assert states(folder.table)[0] == "edited"


def test_what_is_painted_while_it_is_saved_is_saved_too(
    widget: S2CLIPWidget,
    reviewing: Path,
    wait: Any,
    click: Any,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go, begun = threading.Event(), threading.Event()
    real = folder_saving.save_corrections

    def slow(*args: Any, **options: Any) -> Any:
        begun.set()
        go.wait(20)
        return real(*args, **options)

    monkeypatch.setattr(folder_saving, "save_corrections", slow)
    folder = widget.batch.folder
    before = in_file(reviewing)
    paint(widget)
    click(folder.back_button)
    qtbot.waitUntil(begun.is_set)
    paint(widget, before)  # back again
    labels = refined(widget)
    other = 3 - int(labels.data[5, 5])
    labels.data_setitem((np.array([5]), np.array([5])), other)
    go.set()
    wait(widget)
    assert not folder.isVisible()
    saved = tifffile.imread(reviewing / "photo0_refined.tif")
    assert (saved[0, 0], saved[5, 5]) == (before, other)


def test_two_saves_at_once_are_one_after_the_other(
    widget: S2CLIPWidget, reviewing: Path, tmp_path: Path, wait: Any, click: Any
) -> None:
    """The second one does not take the first for another program."""
    folder = widget.batch.folder
    value = paint(widget)
    folder.export_button.setChecked(True)
    folder.export.format.setCurrentText("png")
    folder.export.out.setText(str(tmp_path / "set"))
    click(folder.save_button)
    assert folder.busy
    folder.export.button.click()
    wait(widget)
    assert folder.export.summary.said().startswith("4 images")
    assert in_file(reviewing) == value
    assert "another program" not in said(folder.status)


def test_a_contact_sheet_that_cannot_be_written_is_told_on_the_job(
    widget: S2CLIPWidget,
    reviewing: Path,
    wait: Any,
    click: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device", "contact-sheet.html")

    monkeypatch.setattr("napari_s2clip.batch.summary.write_summary", full)
    paint(widget)
    click(widget.batch.folder.back_button)
    wait(widget)
    assert widget.batch.job.status.isVisible()
    assert "contact-sheet.html: the disk is full" in said(widget.batch.job.status)


def test_another_program_is_asked_about_once(
    widget: S2CLIPWidget, reviewing: Path, wait: Any, click: Any
) -> None:
    folder = widget.batch.folder
    value = paint(widget)
    theirs = tifffile.imread(reviewing / "photo0_refined.tif") * 0
    tifffile.imwrite(reviewing / "photo0_refined.tif", theirs)
    click(folder.save_button)
    wait(widget)
    assert "another program" in said(folder.status)
    assert in_file(reviewing) == 0
    click(folder.save_button)
    wait(widget)
    assert said(folder.status) == "Saved"
    assert in_file(reviewing) == value


def test_a_closed_window_saves(
    widget: S2CLIPWidget, viewer: napari.Viewer, reviewing: Path
) -> None:
    value = paint(widget)
    viewer.close()
    assert in_file(reviewing) == value


def test_a_removed_layer_is_saved_before(
    widget: S2CLIPWidget, viewer: napari.Viewer, reviewing: Path, wait: Any
) -> None:
    value = paint(widget)
    viewer.layers.remove(refined(widget))
    wait(widget)
    assert in_file(reviewing) == value
    widget.batch.folder.move(1)
    wait(widget)
    assert in_file(reviewing) == value


def test_images_are_searched_and_filtered(
    widget: S2CLIPWidget, reviewing: Path, wait: Any, click: Any, qtbot: Any
) -> None:
    folder = widget.batch.folder
    click(folder.reviewed_button)
    wait(widget)
    folder.search.setText("O2")
    assert names(folder.table) == ["photo2"]
    folder.search.clear()
    folder.filter.setCurrentText("Reviewed")
    assert names(folder.table) == ["photo0"]
    assert said(folder.count) == "1 of 4 reviewed, 1 shown"
    folder.filter.setCurrentText("Not reviewed")
    assert names(folder.table) == ["photo1", "photo2", "photo3"]
    where = folder.table.visualRect(folder.table.images.index(2, 0)).center()
    qtbot.mouseClick(folder.table.viewport(), Qt.MouseButton.LeftButton, pos=where)
    wait(widget)
    assert folder.layer.name == "photo3"
    click(folder.next_button)
    assert "no other image" in said(folder.status)
    folder.filter.setCurrentText("Edited")
    assert names(folder.table) == []


def test_a_key_says_that_an_image_was_reviewed(
    widget: S2CLIPWidget, viewer: napari.Viewer, reviewing: Path, wait: Any
) -> None:
    from napari.utils.key_bindings import coerce_keybinding

    press = viewer.keymap[coerce_keybinding("Shift-K")]
    press(viewer)
    wait(widget)
    assert FinishedImage(reviewing, "photo0").reviewed is True
    assert widget.batch.folder.layer.name == "photo1"
    widget.batch.folder.close_folder()
    wait(widget)
    assert coerce_keybinding("Shift-K") not in viewer.keymap


def test_failed_and_damaged_images_are_in_the_list(
    widget: S2CLIPWidget, photos: Path, wait: Any, click: Any
) -> None:
    (photos / "photo1.png").write_bytes(b"nothing")
    job, folder = widget.batch.job, widget.batch.folder
    job.images.setText(str(photos))
    click(job.button)
    wait(widget)
    out = photos.with_name("photos-s2clip")
    (out / "photo2_refined.tif").write_bytes(b"nothing")
    click(job.review_button)
    wait(widget)
    assert states(folder.table) == ["", "failed", "", ""]
    for name, state in (("photo1.png", None), ("photo2_refined.tif", None)):
        click(folder.next_button)
        wait(widget)
        assert folder.layer is state
        assert name in said(folder.status)
    click(folder.next_button)
    wait(widget)
    assert folder.layer.name == "photo3"
    folder.filter.setCurrentText("Failed")
    assert names(folder.table) == ["photo1"]


def test_a_lost_image_is_no_loss_of_its_labels(
    widget: S2CLIPWidget, done: Path, photos: Path, wait: Any, click: Any
) -> None:
    (photos / "photo0.png").unlink()
    click(widget.batch.job.review_button)
    wait(widget)
    folder = widget.batch.folder
    assert "photo0.png is not there" in said(folder.status)
    assert folder.find_button.isVisible()
    value = paint(widget)
    click(folder.save_button)
    wait(widget)
    assert in_file(done) == value
    assert folder.find_button.isVisible()


def test_images_that_were_moved_are_found(
    widget: S2CLIPWidget,
    done: Path,
    photos: Path,
    tmp_path: Path,
    wait: Any,
    click: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pixels = np.asarray(Picture.open(photos / "photo0.png"))
    moved = photos.rename(tmp_path / "elsewhere")
    widget.batch.job.out.setText(str(done))
    click(widget.batch.job.review_button)
    wait(widget)
    folder = widget.batch.folder
    assert not folder.layer.data.any()
    value = paint(widget)
    chosen: list[str] = ["", str(moved)]
    monkeypatch.setattr(
        QFileDialog, "getExistingDirectory", lambda *a, **k: chosen.pop(0)
    )
    click(folder.find_button)  # and thinks better of it
    assert not folder.busy
    click(folder.find_button)
    wait(widget)
    np.testing.assert_array_equal(folder.layer.data, pixels)
    assert refined(widget).data[0, 0] == in_file(done) == value
    assert folder.find_button.isVisible()  # for whoever chose the wrong one
    assert said(folder.status) == ""
    click(folder.next_button)
    wait(widget)
    assert folder.layer.data.any()
    # What was corrected while its image was lost has its pictures by now.
    labels = tifffile.imread(done / "photo0_refined.tif")
    np.testing.assert_array_equal(
        np.asarray(Picture.open(done / "photo0_refined.png")),
        overlay(pixels, labels, CLASSES),
    )
    # The export finds them too.
    folder.export_button.setChecked(True)
    folder.export.format.setCurrentText("png")
    folder.export.out.setText(str(tmp_path / "set"))
    folder.export.button.click()
    wait(widget)
    assert folder.export.summary.said().startswith("4 images")
    found = [np.asarray(Picture.open(p)) for p in (tmp_path / "set").rglob("*0.png")]
    assert any(np.array_equal(one, pixels) for one in found)


def make_stack(folder: Path, pixels: Any, axes: str, shape: tuple[int, ...]) -> Path:
    """Results of a stack in which each slice is one region."""
    source = folder / "stack.tif"
    tifffile.imwrite(source, pixels, photometric="minisblack", metadata={"axes": axes})
    count = int(np.prod(shape[:-2]))
    labels = np.ones((count, *shape[-2:]), np.uint16)
    owners = (np.arange(count) + 1)[:, None, None] * labels.astype(np.int32)
    row = {**dict.fromkeys(REGION_COLUMNS, 0.5), "class_id": 1, "class_name": "dark"}
    rows = [{**row, "region": n + 1, "area": 108} for n in range(count)]
    table = pd.DataFrame(rows).astype(REGION_COLUMNS)
    result = Segmentation(
        CLASSES,
        labels,
        owners.astype(np.int32),
        table.assign(plane=range(count), position=[str((n,)) for n in range(count)]),
        labels,
        owners.astype(np.int32),
        np.zeros((0, 0, 0), np.float32),
        {},
    )
    write_segmentation(
        result,
        np.zeros((*shape[-2:], 3), np.uint8),
        folder / "out",
        "stack",
        stack=Stack(shape, "Z" * (len(shape) - 2) + "YX"),
        about={"source": {"path": str(source)}, "pixel_size": [0.5, 0.25]},
    )
    return folder / "out"


@pytest.mark.parametrize("limit", [1 << 29, 0], ids=["in memory", "read when shown"])
def test_stacks_with_channels_are_reviewed(
    widget: S2CLIPWidget,
    tmp_path: Path,
    wait: Any,
    click: Any,
    monkeypatch: pytest.MonkeyPatch,
    limit: int,
) -> None:
    monkeypatch.setattr("napari_s2clip._qt.folder_work._LIMIT", limit)
    pixels = np.random.default_rng(0).integers(0, 999, (3, 2, 9, 12), np.uint16)
    out = make_stack(tmp_path, pixels, "ZCYX", (3, 9, 12))
    folder = widget.batch.folder
    folder.open_folder(out)
    wait(widget)
    assert said(folder.status) == ""
    layer = folder.layer
    assert layer.data.shape == (2, 3, 9, 12)
    np.testing.assert_array_equal(np.asarray(layer.data), np.moveaxis(pixels, 1, 0))
    labels = refined(widget)
    assert labels.data.shape == (3, 9, 12)
    assert list(labels.scale) == [1.0, 0.5, 0.25]
    assert list(layer.scale[-2:]) == [0.5, 0.25]
    assert len(widget.results.output.region_table) == 3
    labels.data_setitem((np.array([2]), np.array([3]), np.array([4])), 2)
    click(folder.save_button)
    wait(widget)
    saved = tifffile.imread(out / "stack_refined.tif")
    assert np.argwhere(saved == 2).tolist() == [[2, 3, 4]]
    assert FinishedImage(out, "stack").is_edited("refined")


def test_an_image_of_another_size_is_refused(
    widget: S2CLIPWidget, tmp_path: Path, wait: Any
) -> None:
    pixels = np.zeros((3, 9, 11), np.uint16)
    folder = widget.batch.folder
    folder.open_folder(make_stack(tmp_path, pixels, "ZYX", (3, 9, 12)))
    wait(widget)
    assert "stack.tif: it is 3 × 9 × 11 px, its labels are 3 × 9 × 12" in said(
        folder.status
    )
    assert folder.layer is None


def test_a_removed_image_is_saved_and_left(
    widget: S2CLIPWidget, viewer: napari.Viewer, reviewing: Path, wait: Any, click: Any
) -> None:
    folder = widget.batch.folder
    value = paint(widget)
    viewer.layers.remove(folder.layer)
    wait(widget)
    assert in_file(reviewing) == value
    click(folder.next_button)
    wait(widget)
    assert folder.layer.name == "photo1"
    assert not any(layer.name.startswith("photo0") for layer in viewer.layers)


def test_a_folder_without_results_is_refused(
    widget: S2CLIPWidget, photos: Path, wait: Any, click: Any
) -> None:
    page = widget.batch.job
    page.out.setText(str(photos))
    click(page.review_button)
    wait(widget)
    assert widget.batch.folder.folder is None
    assert page.status.isVisible()
    assert f"{photos}: there are no results in it" in said(page.status)


@pytest.mark.parametrize(
    ("name", "stages"),
    [("colours", ("coarse", "regions", "refined")), ("stack", ("coarse", "refined"))],
)
def test_a_job_and_the_widget_give_the_same_labels(
    viewer: napari.Viewer,
    qtbot: Any,
    wait: Any,
    finish: Any,
    tmp_path: Path,
    name: str,
    stages: tuple[str, ...],
) -> None:
    """With the models of the demo: tile by tile, and slice by slice."""
    ((scene, *_),) = demo_scene()
    image = np.asarray(scene)[60:204, 40:248]
    if name == "stack":
        image = np.stack([image[..., 0], image[..., 1]]).astype(np.uint16) * 15
    path = tmp_path / f"{name}.tif"
    options = {"metadata": {"axes": "ZYX"}} if name == "stack" else {}
    tifffile.imwrite(
        path, image, photometric="minisblack" if options else "rgb", **options
    )
    widget = S2CLIPWidget(napari_viewer=viewer)
    viewer.window.add_dock_widget(widget, name="S2CLIP")
    widget.models.choose("demo")
    viewer.add_image(image, rgb=name == "colours", name=name)
    widget.classes.set_lines("gravel\nbrick\ngreen circle\npurple ring")
    widget.scope.tiles.choose(Tiling(128, 32))
    if name == "stack":  # a job has no viewer whose contrast it could take
        contrast = widget.scope.contrast
        contrast.setCurrentIndex(contrast.findData("percentile"))
    widget.start()
    finish(widget)
    output = widget.results.output
    assert output is not None
    widget.batch.job.images.setText(str(path))
    widget.batch.job.start()
    wait(widget)
    plane = viewer.dims.current_step[0] if name == "stack" else slice(None)
    for stage in stages:
        labels = np.asarray(getattr(output, stage).data[plane])
        out = path.parent.with_name(f"{path.parent.name}-s2clip")
        job = tifffile.imread(out / f"{name}_{stage}.tif")[plane]
        np.testing.assert_array_equal(labels, job)
    assert len(np.unique(labels)) > 1
