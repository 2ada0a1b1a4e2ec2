"""Save, close, open again: annotations in real windows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari import Viewer
from napari.components import ViewerModel
from napari.layers import Labels
from npe2 import PluginManager
from qtpy.QtWidgets import QFileDialog

from napari_s2clip import ClassSet
from napari_s2clip._qt import annotation_jobs
from napari_s2clip._qt.annotations_row import AnnotationsRow
from napari_s2clip.io import sidecar
from napari_s2clip.io.sidecar import SidecarError, load_annotations, save_annotations
from napari_s2clip.layers import (
    KEY,
    add_segmentation,
    collect_annotations,
    is_edited,
    outputs_of,
)

CLASSES = ClassSet(["große Katze", "dog"])
REVIEW = {"accepted": [1], "note": "ok"}
PHOTO = np.arange(8 * 12, dtype=np.uint8).reshape(8, 12)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    path = folder / "photo.tif"
    tifffile.imwrite(path, PHOTO)
    return path


class Window:
    """A viewer with the row, and as much of the panels as it needs.

    A `ViewerModel` does in most tests; a window takes a second each time.
    """

    def __init__(self, viewer: Any, path: Path | None, qtbot: Any) -> None:
        self.viewer, self.qtbot = viewer, qtbot
        if path is None:
            self.image = viewer.add_image(PHOTO, name="array")
        else:
            (self.image,) = viewer.open(str(path), plugin="napari")
        self.row = AnnotationsRow(viewer)
        self.row.collect = self.collect
        self.row.restored.connect(self.on_restored)
        self.review: dict[str, Any] = {}
        self.restored: list[Any] = []
        if isinstance(viewer, Viewer):
            viewer.window.add_dock_widget(self.row, name="Annotations")
        else:
            qtbot.addWidget(self.row)
        self.row.show()

    def collect(self, layer: Any) -> Any:
        return collect_annotations(self.viewer, layer, review=self.review)

    def on_restored(self, annotations: Any) -> None:
        self.restored.append(annotations)
        self.review = dict(annotations.review)

    def choose(self, layer: Any = None) -> None:
        self.row.set_layer(self.image if layer is None else layer)
        self.wait()

    def wait(self) -> None:
        self.qtbot.waitUntil(lambda: not self.row.busy, timeout=20_000)

    def run(self, make_result: Any) -> Any:
        result = make_result(PHOTO.shape, CLASSES)
        return add_segmentation(self.viewer, self.image, result)

    def save(self) -> None:
        self.row.button.click()
        self.wait()

    @property
    def text(self) -> str:
        return self.row.status.text().replace("\u200b", "")

    @property
    def outputs(self) -> Any:
        return outputs_of(self.viewer, self.image)[0]

    def paint(self, value: int = 2, at: int = 0) -> None:
        where = np.array([at]), np.array([0])
        self.outputs.refined.data_setitem(where, value)


@pytest.fixture(scope="module", autouse=True)
def readers() -> None:
    """napari's own readers, which else come with the first window."""
    PluginManager.instance().discover()


@pytest.fixture
def open_window(make_napari_viewer: Any, qtbot: Any) -> Any:
    def act(path: Path | None) -> Window:
        return Window(make_napari_viewer(), path, qtbot)

    return act


@pytest.fixture
def open_model(qtbot: Any) -> Any:
    """As `open_window`, without a window."""

    def act(path: Path | None) -> Window:
        return Window(ViewerModel(), path, qtbot)

    return act


@pytest.fixture
def ran(open_model: Any, photo: Path, make_result: Any) -> Window:
    """The photo is chosen and has layers that were not saved."""
    window = open_model(photo)
    window.choose()
    window.run(make_result)
    return window


@pytest.fixture
def saved(ran: Window) -> Window:
    """The photo is chosen and its annotations were saved."""
    ran.save()
    return ran


def test_save_edit_restart_reopen(
    open_window: Any, photo: Path, make_result: Any
) -> None:
    first = open_window(photo)
    first.choose()
    assert first.text == ""
    assert not first.row.restore_button.isVisible()
    first.run(make_result)
    assert first.row.unsaved
    assert first.text == "Unsaved changes"
    first.review = REVIEW
    first.paint()
    first.save()
    assert first.text.startswith("Saved ")
    assert first.text.endswith(" to photo.tif.s2clip")
    assert not first.row.unsaved
    labels = first.outputs.refined.data.copy()

    again = open_window(photo)
    again.choose()
    assert again.text.startswith("Restored the annotations of 20")
    (annotations,) = again.restored
    assert annotations.classes == CLASSES
    assert again.review == REVIEW
    np.testing.assert_array_equal(again.outputs.refined.data, labels)
    assert again.outputs.classes == CLASSES
    assert is_edited(again.outputs.refined)
    assert not is_edited(again.outputs.coarse)
    assert not again.row.unsaved
    # It was read, so it may be replaced.
    again.paint(1, at=3)
    again.save()
    assert again.text.startswith("Saved ")
    assert load_annotations(f"{photo}.s2clip").maps["refined"][3, 0] == 1


def test_layers_that_are_there_are_not_touched_until_asked(
    saved: Window, open_model: Any, photo: Path, make_result: Any
) -> None:
    second = open_model(photo)
    second.run(make_result)  # before the row knows the image
    second.choose()
    assert second.restored == []
    assert second.text.startswith("There are annotations of 20")
    count = len(second.viewer.layers)
    # To save would replace what was not read: that takes a second click.
    second.save()
    assert "that this window has not read; save again to replace them" in second.text
    assert second.row.unsaved
    second.row.restore_button.click()
    second.wait()
    assert len(second.restored) == 1
    assert len(second.viewer.layers) == count + 3
    assert not second.row.restore_button.isVisible()


def test_saving_again_replaces_what_was_not_read(saved: Window, photo: Path) -> None:
    saved.paint()
    # Another window saves meanwhile.
    there = load_annotations(f"{photo}.s2clip")
    save_annotations(there, f"{photo}.s2clip")
    saved.save()
    assert "has not read; save again" in saved.text
    saved.save()
    assert saved.text.startswith("Saved ")
    assert load_annotations(f"{photo}.s2clip").maps["refined"][0, 0] == 2


def test_another_image_under_the_same_name_is_noticed(
    saved: Window, open_model: Any, photo: Path
) -> None:
    tifffile.imwrite(photo, PHOTO[::-1])
    second = open_model(photo)
    second.choose()
    assert second.restored == []
    assert "are of another image of this name, or the image has changed" in second.text
    assert len(second.viewer.layers) == 1
    second.row.restore_button.click()
    second.wait()
    assert len(second.restored) == 1
    assert len(second.viewer.layers) == 4


def test_changes_are_saved_by_themselves_once_the_user_has_saved(
    open_model: Any, photo: Path, make_result: Any, qtbot: Any
) -> None:
    window = open_model(photo)
    window.row.timer.setInterval(50)
    window.choose()
    window.run(make_result)
    window.paint()
    qtbot.wait(200)
    assert not Path(f"{photo}.s2clip").exists()
    window.save()
    window.paint(1)
    assert window.row.unsaved
    qtbot.waitUntil(lambda: not window.row.unsaved and not window.row.busy)
    assert load_annotations(f"{photo}.s2clip").maps["refined"][0, 0] == 1
    # What panels do counts too.
    window.review = REVIEW
    window.row.mark_unsaved()
    qtbot.waitUntil(lambda: not window.row.unsaved and not window.row.busy)
    assert load_annotations(f"{photo}.s2clip").review == REVIEW


def test_changes_of_restored_annotations_are_saved(
    saved: Window, open_model: Any, photo: Path, qtbot: Any
) -> None:
    before = load_annotations(f"{photo}.s2clip").state
    second = open_model(photo)
    second.row.timer.setInterval(20)
    second.choose()
    second.paint()
    assert second.row.unsaved
    qtbot.waitUntil(lambda: not second.row.unsaved and not second.row.busy)
    assert load_annotations(f"{photo}.s2clip").state != before


@pytest.mark.parametrize("by_script", [False, True])
def test_closing_the_window_saves_what_is_pending(
    open_window: Any, photo: Path, make_result: Any, by_script: bool
) -> None:
    window = open_window(photo)
    window.choose()
    window.run(make_result)
    window.save()
    window.paint(1)
    if by_script:
        window.viewer.close()
    else:
        window.viewer.window._qt_window.close()
    assert load_annotations(f"{photo}.s2clip").maps["refined"][0, 0] == 1


def test_closing_while_it_is_saving_loses_nothing(
    saved: Window, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved.paint(1)
    saved.row.button.click()
    assert saved.row.busy
    saved.paint(2, at=4)
    saved.row.flush()
    found = load_annotations(f"{photo}.s2clip").maps["refined"]
    assert (found[0, 0], found[4, 0]) == (1, 2)


def test_choosing_another_image_saves_the_one_before(
    saved: Window, photo: Path
) -> None:
    saved.paint(1)
    other = saved.viewer.add_image(PHOTO, name="other")
    saved.choose(other)
    assert load_annotations(f"{photo}.s2clip").maps["refined"][0, 0] == 1
    assert not saved.row.unsaved
    saved.choose()
    assert saved.text.startswith("Saved ")
    saved.row.set_layer(None)
    assert not saved.row.button.isEnabled()
    assert saved.text == ""


def test_an_image_without_a_file_is_saved_where_the_user_says(
    open_model: Any, tmp_path: Path, make_result: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = ["", str(tmp_path)]
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: answers.pop(0))
    window = open_model(None)
    window.image.name = "a/b: c"
    window.choose()
    window.run(make_result)
    window.save()  # the dialog was closed
    assert window.row.unsaved
    window.save()
    assert window.text.endswith(" to a b c.s2clip")
    assert (tmp_path / "a b c.s2clip" / "annotations.json").is_file()
    window.save()  # without asking again
    assert window.text.startswith("Saved ")


def test_a_place_that_may_not_be_written_to(
    ran: Window,
    open_model: Any,
    photo: Path,
    monkeypatch: pytest.MonkeyPatch,
    fresh_user: Path,
) -> None:
    real = save_annotations

    def refuse(annotations: Any, folder: Path, **options: Any) -> str:
        if folder.parent == photo.parent:
            error = SidecarError("no")
            raise error from PermissionError(13, "Permission denied")
        return real(annotations, folder, **options)

    monkeypatch.setattr(annotation_jobs, "save_annotations", refuse)
    ran.save()
    (folder,) = (fresh_user / "config" / "annotations").iterdir()
    assert ran.text.endswith(f" to {folder.name}")
    assert ran.row.status.toolTip() == str(folder)
    again = open_model(photo)
    again.choose()
    assert len(again.restored) == 1


def test_what_fails_is_said_and_nothing_counts_as_saved(
    open_model: Any, photo: Path, make_result: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_model(photo)
    window.choose()
    window.save()
    assert window.text == "photo: it has no labels to save yet; press Run first"
    window.run(make_result)

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sidecar, "write_labels", fail)
    window.save()
    assert window.text.startswith("The annotations were not saved: the disk is full")
    assert window.row.status.toolTip().startswith(str(photo))
    assert window.row.unsaved


@pytest.mark.parametrize("damage", ["header", "map"])
def test_damaged_annotations_are_said(
    saved: Window, open_model: Any, photo: Path, damage: str
) -> None:
    folder = Path(f"{photo}.s2clip")
    if damage == "header":
        (folder / "annotations.json").write_text("{")
    else:
        next(folder.glob("maps-*/refined.tif")).write_bytes(b"II*\0")
    second = open_model(photo)
    second.choose()
    assert "it is damaged" in second.text
    assert second.restored == []
    assert list(second.viewer.layers) == [second.image]


def test_a_duplicate_that_was_edited_is_saved_too(
    open_model: Any, photo: Path, make_result: Any
) -> None:
    first = open_model(photo)
    first.choose()
    shown = first.run(make_result)
    copy = Labels(
        shown["refined"].data.copy(),
        name="mine",
        metadata={KEY: dict(shown["refined"].metadata[KEY])},
    )
    first.viewer.add_layer(copy)
    first.save()
    copy.data_setitem((np.array([1]), np.array([1])), 2)
    assert first.row.unsaved
    first.save()
    second = open_model(photo)
    second.choose()
    np.testing.assert_array_equal(second.viewer.layers["mine"].data, copy.data)


def test_an_image_that_is_gone_is_not_restored(
    saved: Window, open_model: Any, photo: Path
) -> None:
    second = open_model(photo)
    second.row.set_layer(second.image)
    second.viewer.layers.remove(second.image)
    second.wait()
    assert second.restored == []
    assert list(second.viewer.layers) == []


def test_two_layers_of_one_file(open_model: Any, photo: Path, make_result: Any) -> None:
    first = open_model(photo)
    (other,) = first.viewer.open(str(photo), plugin="napari")
    other.data = PHOTO + 1
    for layer in (first.image, other):
        first.choose(layer)
        result = make_result(PHOTO.shape, CLASSES)
        add_segmentation(first.viewer, layer, result)
        first.save()
    assert sorted(p.name for p in photo.parent.iterdir()) == [
        "photo.tif",
        "photo.tif.2.s2clip",
        "photo.tif.s2clip",
    ]


def test_long_names_do_not_widen_the_dock(
    open_model: Any, photo: Path, make_result: Any
) -> None:
    long = photo.with_name("a_photograph_with_a_name" * 6 + "x" * 60 + ".tif")
    photo.rename(long)
    window = open_model(long)
    window.choose()
    window.run(make_result)
    narrow = window.row.minimumSizeHint().width()
    window.save()
    assert window.text.endswith(f" to {long.name}.s2clip")
    assert window.row.minimumSizeHint().width() <= max(narrow, 230)


def test_everything_is_reachable_and_explained(open_model: Any, photo: Path) -> None:
    row = open_model(photo).row
    for button in (row.button, row.restore_button):
        assert button.toolTip()
        assert "&" in button.text()


def test_the_row_may_go_while_it_works(
    open_window: Any, photo: Path, make_result: Any, qtbot: Any
) -> None:
    window = open_window(photo)
    window.row.set_layer(window.image)
    window.viewer.window.remove_dock_widget(window.row)
    window.row.deleteLater()
    qtbot.wait(300)
    window.viewer.add_labels(np.zeros((3, 3), int))
