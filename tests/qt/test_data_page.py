"""Training data out of a real window and into another."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.qt.threading import FunctionWorker
from pycocotools.coco import COCO
from qtpy.QtCore import Qt, QUrl
from qtpy.QtWidgets import QCheckBox, QComboBox, QFileDialog

from napari_s2clip import ClassSet
from napari_s2clip._qt import export_panel, export_worker
from napari_s2clip._qt.export_panel import ExportPanel
from napari_s2clip._qt.format_options import FormatOptions, about
from napari_s2clip._qt.import_panel import ImportPanel
from napari_s2clip.datasets import (
    FORMATS,
    Coco,
    DatasetWriter,
    Item,
    Panoptic,
    SemanticPNG,
)
from napari_s2clip.layers import outputs_of

from .heartbeat import Heartbeat

if TYPE_CHECKING:
    from collections.abc import Callable

CLASSES = ClassSet(["cat", "dog"])


def click(qtbot: Any, button: Any) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.fixture
def export(qtbot: Any) -> Callable[[ExportPanel], str]:
    """Press the button and wait for the end: what was said."""

    def act(panel: ExportPanel) -> str:
        click(qtbot, panel.button)
        qtbot.waitUntil(lambda: not panel.busy, timeout=20_000)
        return panel.summary.said()

    return act


@pytest.fixture
def model() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def panel(model: ViewerModel, show: Any, tmp_path: Path) -> ExportPanel:
    """The export in a window of its own; layers are in a model of a viewer."""
    panel = ExportPanel(model)
    panel.dock_classes = lambda: CLASSES
    panel.folder.setText(str(tmp_path / "out"))
    show(panel, 300, 600)
    model.layers.events.inserted.connect(lambda _: panel.follow(model.layers[-1]))
    return panel


def dataset(folder: Path, count: int = 3, form: Any = None) -> Path:
    writer = DatasetWriter(folder, form or Coco(), CLASSES)
    for number in range(count):
        labels = np.zeros((4, 5), int)
        labels[number % 4, :2] = 1 + number % 2
        image = np.full((4, 5), 10 * number, np.uint8)
        ids = (labels > 0).astype(int) * 7
        item = Item(
            f"photo {number}",
            labels,
            CLASSES,
            image,
            ids,
            {7: 1 + number % 2},
            {7: {"score": 0.5}},
        )
        writer.add(item)
    writer.finish()
    return folder


def test_from_the_window_to_pycocotools_and_back(
    viewer: Any,
    widget: Any,
    finish: Any,
    qtbot: Any,
    export: Any,
    tmp_path: Path,
    make_napari_viewer: Any,
) -> None:
    from napari_s2clip._qt.widget import S2CLIPWidget

    viewer.show()
    widget.start()
    finish(widget)
    refined = viewer.layers["photo refined"]
    widget.pages.setCurrentWidget(widget.pages.data_page)
    panel = widget.data.exporting
    assert panel.labels.labels() is refined
    refined.selected_label = 2
    refined.brush_size = 1
    refined.paint((0, 0), 2)
    assert panel.format.currentData() == "coco"
    panel.options.editors["segmentation"].setCurrentText("rle")
    panel.folder.setText(str(tmp_path / "set"))
    said = export(panel)
    assert said == "1 image, 3 objects written (1 train)."
    assert panel.summary.list.isHidden()

    coco = COCO(str(tmp_path / "set" / "annotations" / "instances_train.json"))
    found = np.zeros(refined.data.shape, int)
    annotations = coco.loadAnns(coco.getAnnIds())
    for one in annotations:
        assert isinstance(one["segmentation"], dict)
        found[coco.annToMask(one) > 0] = one["category_id"]
    np.testing.assert_array_equal(found, refined.data)
    assert {c["name"] for c in coco.loadCats(coco.getCatIds())} == {"cat", "dog"}
    scores = [a["attributes"].get("sam_score") for a in annotations]
    assert 0.91234 in scores

    # Not again, if it is not wanted.
    said = export(panel)
    assert said.startswith("0 images, 0 objects written; the dataset has 1 image now.")
    assert "photo: it is in" in panel.summary.list.toPlainText()
    panel.overwrite.setChecked(True)
    assert export(panel).startswith("1 image, 3 objects")

    opened: list[QUrl] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            export_panel.QDesktopServices, "openUrl", lambda url: opened.append(url)
        )
        click(qtbot, panel.open_button)
    assert opened == [QUrl.fromLocalFile(str(tmp_path / "set"))]

    second = make_napari_viewer()
    again = S2CLIPWidget(napari_viewer=second)
    second.window.add_dock_widget(again, name="S2CLIP")
    second.show()
    again.pages.setCurrentWidget(again.pages.data_page)
    importing = again.data.importing
    # The folder comes from the last window; Enter looks into it.
    assert again.data.exporting.folder.text() in ("", str(tmp_path / "set"))
    importing.path.setText(str(tmp_path / "set"))
    qtbot.keyClick(importing.path, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not importing.busy, timeout=20_000)
    assert importing.kind.text().startswith("coco: ")
    assert importing.chosen() == ["photo"]
    again.pages.data_page.ensureWidgetVisible(importing.button)
    click(qtbot, importing.button)
    qtbot.waitUntil(lambda: not importing.busy, timeout=20_000)
    assert [layer.name for layer in second.layers] == [
        "photo",
        "photo labels",
        "photo objects",
    ]
    image, labels, objects = second.layers
    np.testing.assert_array_equal(image.data, viewer.layers["photo"].data)
    np.testing.assert_array_equal(labels.data, refined.data)
    for value in (1, 2):
        np.testing.assert_array_equal(labels.get_color(value), refined.get_color(value))
    assert labels.features.set_index("index")["class"][2] == "dog"
    assert not objects.visible
    names = objects.features.set_index("index")
    for one in annotations:
        number = one["attributes"]["instance"]
        assert (objects.data[coco.annToMask(one) > 0] == number).all()
        assert names["class"][number] == ("cat", "dog")[one["category_id"] - 1]
    assert importing.summary.said() == "1 image added."

    # What was imported is exported with the same objects.
    panel = again.data.exporting
    panel.labels.choose(objects)
    panel.folder.setText(str(tmp_path / "again"))
    assert panel.objects.currentData() == "ids"
    assert export(panel).startswith("1 image, 3 objects")
    (one,) = Coco().read(tmp_path / "set")
    (other,) = Coco().read(tmp_path / "again")
    np.testing.assert_array_equal(one.instances, other.instances)
    assert one.instance_classes == other.instance_classes


def test_a_stack_becomes_images(
    model: ViewerModel, panel: ExportPanel, export: Any, tmp_path: Path
) -> None:
    data = np.zeros((3, 6, 6), np.uint8)
    data[0, 0, 0] = data[2, 5, 5] = 1
    image = model.add_image(data * 9, name="stack")
    panel.image = lambda: image
    assert panel.slices.isHidden()
    model.add_labels(data, name="l")
    assert not panel.slices.isHidden()
    assert [panel.slices.itemText(i) for i in range(2)] == ["All 3", "Current"]
    panel.val.setValue(50)
    said = export(panel)
    assert said.startswith("2 images, 2 objects written (")
    assert said.endswith("1 note on what is not as in the layer:")
    assert panel.summary.list.toPlainText() == "stack_z001: it has no labels"
    assert [i.name for i in Coco().read(tmp_path / "out")] == [
        "stack_z000",
        "stack_z002",
    ]
    panel.empty.setChecked(True)
    panel.tile.setValue(4)
    panel.overlap.setValue(2)
    model.dims.current_step = (1, 0, 0)
    panel.slices.setCurrentIndex(1)
    assert export(panel).startswith("4 images, 0 objects written (")


def test_a_lazy_stack_stays_lazy_and_the_window_turns(
    model: ViewerModel,
    panel: ExportPanel,
    qtbot: Any,
    tmp_path: Path,
) -> None:
    read: list[int] = []
    go_on = threading.Event()
    threads = set()

    def make(block_info: Any = None) -> Any:
        at = block_info[None]["chunk-location"][0]
        if armed:
            read.append(at)
            threads.add(threading.current_thread())
            if at == 2:
                go_on.wait(10)
        return np.ones((1, 8, 8), np.uint8)

    armed = False
    lazy = da.map_blocks(
        make,
        chunks=((1,) * 6, (8,), (8,)),
        dtype=np.uint8,
        meta=np.empty((0, 0, 0), np.uint8),
    )
    model.add_labels(lazy, name="lazy")
    armed = True
    with Heartbeat() as heart:
        click(qtbot, panel.button)
        qtbot.waitUntil(lambda: panel.bar.value() == 1, timeout=10_000)
        assert panel.button.text() == "Cancel"
        assert not panel.bar.isHidden()
        qtbot.wait(100)
    assert max(read) == 2
    assert heart.longest < 0.5
    click(qtbot, panel.button)
    assert panel.button.text() == "Cancelling…"
    assert not panel.button.isEnabled()
    go_on.set()
    qtbot.waitUntil(lambda: not panel.busy, timeout=10_000)
    # The slice it was at is written.
    assert panel.summary.said().startswith("Cancelled: 3 images")
    assert panel.button.text() == "E&xport"
    assert sorted(set(read)) == [0, 1, 2]
    assert threading.main_thread() not in threads
    assert len(list(Coco().read(tmp_path / "out"))) == 3


def test_what_goes_wrong_is_one_sentence(
    model: ViewerModel, panel: ExportPanel, export: Any, tmp_path: Path
) -> None:
    assert not panel.button.isEnabled()
    labels = model.add_labels(np.ones((4, 4), np.uint8), name="l")
    panel.folder.setText(" ")
    panel.button.click()
    assert not panel.busy
    assert panel.summary.said() == (
        "Folder: it is empty; choose where the dataset goes"
    )
    panel.val.setValue(60)
    panel.test.setValue(60)
    panel.folder.setText(str(tmp_path / "out"))
    panel.button.click()
    assert panel.summary.said().startswith("Shares: ")
    panel.val.setValue(0)
    panel.test.setValue(0)
    (tmp_path / "out").write_text("a file is there")
    said = export(panel)
    assert "out" in said
    assert "not written" in said
    assert panel.open_button.isHidden()
    panel.folder.setText(str(tmp_path / "classes"))
    assert export(panel).startswith("1 image")
    panel.dock_classes = lambda: ClassSet(["owl"])
    assert "holds a dataset with other classes" in export(panel)
    panel.folder.setText(str(tmp_path / "zeros"))
    labels.data = np.zeros((4, 4), np.uint8)
    said = export(panel)
    assert said.startswith("0 images, 0 objects written")
    assert panel.summary.list.toPlainText() == "l: it has no labels"


def test_surprises_are_told_too(
    model: ViewerModel,
    panel: ExportPanel,
    export: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("surprise")

    monkeypatch.setattr(export_worker, "export_items", fail)
    model.add_labels(np.ones((4, 4), np.uint8))
    assert export(panel) == "RuntimeError: surprise"


def test_classes_of_other_layers(
    model: ViewerModel, panel: ExportPanel, export: Any, tmp_path: Path
) -> None:
    def offered() -> list[str]:
        return [panel.classes.itemText(i) for i in range(panel.classes.count())]

    kinds = model.add_labels(np.array([[1, 1, 2, 2]]), name="kinds")
    model.add_labels(np.array([[5, 6, 7, 7]]), name="cells")
    assert offered() == ["those of the Segment page", "one a label"]
    panel.objects.setCurrentIndex(panel.objects.findData("ids"))
    assert offered() == ["all are cat", "all are dog", "as in kinds"]
    assert not panel.classes.isHidden()
    panel.classes.setCurrentText("as in kinds")
    kinds.features = {"index": [1, 2], "class": ["round", "long"]}
    assert export(panel).startswith("1 image, 3 objects")
    (item,) = Coco().read(tmp_path / "out")
    assert item.classes.names == ("round", "long")
    assert sorted(item.instance_classes.items()) == [(5, 1), (6, 1), (7, 2)]
    panel.folder.setText(str(tmp_path / "dogs"))
    panel.classes.setCurrentText("all are dog")
    export(panel)
    (item,) = Coco().read(tmp_path / "dogs")
    assert set(item.instance_classes.values()) == {2}
    panel.labels.choose(kinds)
    assert panel.classes.isHidden()
    panel.dock_classes = lambda: None
    kinds.features = {}
    panel.refresh()
    assert offered() == ["one a label"]


def test_the_choice_stays_while_runs_write_into_the_same_layer(
    model: ViewerModel, panel: ExportPanel
) -> None:
    first = model.add_labels(np.ones((4, 4), int))
    second = model.add_labels(np.ones((4, 4), int))
    assert panel.labels.labels() is second
    panel.labels.choose(first)
    panel.follow(second)
    assert panel.labels.labels() is first
    panel.follow(None)
    panel.follow(second)
    assert panel.labels.labels() is second
    model.layers.remove(second)
    panel.labels.refresh()
    assert panel.labels.labels() is first


def test_every_format_has_a_line_and_options(panel: ExportPanel, qtbot: Any) -> None:
    offered = [panel.format.itemData(i) for i in range(panel.format.count())]
    assert offered == list(FORMATS)
    for name, form in FORMATS.items():
        panel.format.setCurrentIndex(panel.format.findData(name))
        assert panel.about.text() == about(form) != ""
        made = form(**panel.options.options())
        assert made == form()
        for editor in panel.options.editors.values():
            assert editor.toolTip()
            assert editor.accessibleName()


def test_options_are_made_of_fields(qtbot: Any) -> None:
    from dataclasses import dataclass
    from typing import ClassVar, Literal

    @dataclass(frozen=True)
    class Form:
        """A format.

        Parameters
        ----------
        many : bool
            Whether there
            are many.
        """

        many: bool = True
        count: int = 3
        share: float = 0.25
        word: str = "x"
        kind: Literal["a", "b"] = "b"
        names: tuple[str, ...] = ("p",)
        other: object = None
        name: ClassVar[str] = "form"

    globals()["Literal"], globals()["ClassVar"] = Literal, ClassVar
    options = FormatOptions()
    qtbot.addWidget(options)
    options.set_format(Form)  # type: ignore[type-abstract]
    plain = {
        "many": True,
        "count": 3,
        "share": 0.25,
        "word": "x",
        "kind": "b",
        "names": ("p",),
    }
    assert options.options() == plain
    assert options.editors["many"].toolTip() == "Whether there\nare many."
    other = {
        "many": False,
        "count": 4,
        "share": 0.5,
        "word": "",
        "kind": "a",
        "names": ("q", "r s"),
    }
    options.restore(other)
    assert options.options() == other
    options.restore({"kind": 3, "count": "x", "names": 2, "gone": 1})
    assert options.options() == other
    assert isinstance(options.editors["many"], QCheckBox)
    assert isinstance(options.editors["kind"], QComboBox)


def test_settings_come_back(panel: ExportPanel, qtbot: Any) -> None:
    panel.format.setCurrentIndex(panel.format.findData("panoptic"))
    panel.options.editors["stuff"].setText("sky; grass")
    for name, value in (("val", 20), ("test", 10), ("tile", 256), ("overlap", 32)):
        getattr(panel, name).setValue(value)
    panel.empty.setChecked(True)
    state = json.loads(json.dumps(panel.state()))
    other = ExportPanel(ViewerModel())
    qtbot.addWidget(other)
    other.restore(state)
    assert other.state() == panel.state()
    assert other.options.options() == {"stuff": ("sky", "grass")}
    assert not other.overwrite.isChecked()
    other.restore({"format": "gone", "val": "x", "folder": 3, "empty": True})
    assert other.state() == panel.state()


def test_the_dock_remembers_them(
    viewer: Any, widget: Any, make_napari_viewer: Any, tmp_path: Path
) -> None:
    from napari_s2clip._qt.widget import S2CLIPWidget

    widget.data.exporting.folder.setText(str(tmp_path))
    widget.data.exporting.tile.setValue(512)
    widget.data.importing.path.setText("somewhere")
    viewer.window.remove_dock_widget(widget)
    second = make_napari_viewer()
    again = S2CLIPWidget(napari_viewer=second)
    second.window.add_dock_widget(again, name="S2CLIP")
    second.add_image(np.zeros((4, 4)))
    assert again.data.state() == widget.data.state()


@pytest.mark.parametrize("deleted", [False, True])
def test_removing_the_dock_cancels(
    viewer: Any, widget: Any, qtbot: Any, tmp_path: Path, deleted: bool
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def make(block_info: Any = None) -> Any:
        if armed and block_info[None]["chunk-location"][0] == 2:
            begun.set()
            go_on.wait(10)
        return np.ones((1, 4, 4), np.uint8)

    armed = False
    lazy = da.map_blocks(
        make,
        chunks=((1,) * 6, (4,), (4,)),
        dtype=np.uint8,
        meta=np.empty((0, 0, 0), np.uint8),
    )
    viewer.add_labels(lazy, name="lazy")
    armed = True
    panel = widget.data.exporting
    panel.folder.setText(str(tmp_path))
    panel.start()
    qtbot.waitUntil(begun.is_set)
    viewer.window.remove_dock_widget(widget)
    if deleted:
        widget.deleteLater()
    qtbot.wait(50)
    go_on.set()
    FunctionWorker.await_workers(10_000)
    qtbot.wait(50)
    # What was written is whole.
    assert len(list(Coco().read(tmp_path))) == 3


def test_a_folder_is_chosen(
    panel: ExportPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = iter(["/some/where", ""])
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: next(chosen))
    panel.browse.click()
    panel.browse.click()
    assert panel.folder.text() == "/some/where"


def test_the_tabs_fit_into_a_narrow_dock(viewer: Any, widget: Any, qtbot: Any) -> None:
    viewer.show()
    tabs = widget.pages.tabBar()
    assert tabs is not None
    assert tabs.sizeHint().width() <= 292
    for index in range(tabs.count()):
        text = tabs.fontMetrics().horizontalAdvance(tabs.tabText(index))
        assert tabs.tabRect(index).width() >= text
    widget.pages.setCurrentWidget(widget.pages.data_page)
    widget.setFixedWidth(300)
    qtbot.waitUntil(lambda: widget.width() == 300)
    bar = widget.pages.data_page.horizontalScrollBar()
    assert bar.maximum() == 0


# ------------------------------------------------------------------------ import


@pytest.fixture
def importing(model: ViewerModel, show: Any) -> ImportPanel:
    panel = ImportPanel(model)
    show(panel, 300, 500)
    return panel


@pytest.fixture
def look(importing: ImportPanel, qtbot: Any) -> Callable[[Path], str]:
    def act(path: Path) -> str:
        importing.path.setText(str(path))
        importing.look()
        qtbot.waitUntil(lambda: not importing.busy, timeout=20_000)
        return importing.summary.said()

    return act


def names(panel: ImportPanel) -> list[str]:
    items = [panel.list.item(i) for i in range(panel.list.count())]
    return [item.text() for item in items if not item.isHidden()]


def test_the_chosen_images_are_added(
    model: ViewerModel,
    importing: ImportPanel,
    look: Any,
    qtbot: Any,
    tmp_path: Path,
) -> None:
    assert look(dataset(tmp_path, 12)) == "12 images; choose some."
    assert not importing.button.isEnabled()
    qtbot.keyClicks(importing.search, "TO 1")
    assert names(importing) == ["photo 1", "photo 10", "photo 11"]
    importing.list.selectAll()
    importing.search.setText("1")
    importing.list.item(1).setSelected(False)
    assert importing.chosen() == ["photo 10", "photo 11"]
    click(qtbot, importing.button)
    qtbot.waitUntil(lambda: not importing.busy, timeout=20_000)
    assert importing.summary.said() == "2 images added."
    assert [layer.name for layer in model.layers][::3] == ["photo 10", "photo 11"]
    objects = model.layers["photo 11 objects"]
    assert objects.features["score"].tolist()[1:] == [0.5]
    assert not outputs_of(model, model.layers[0])


def test_notes_are_shown(
    model: ViewerModel, importing: ImportPanel, look: Any, qtbot: Any, tmp_path: Path
) -> None:
    folder = dataset(tmp_path, 2, Panoptic())
    images = sorted(folder.glob("images/*/*.png"))
    images[0].unlink()
    images[1].write_bytes(images[1].read_bytes()[:20])
    look(folder)
    importing.list.selectAll()
    click(qtbot, importing.button)
    qtbot.waitUntil(lambda: not importing.busy, timeout=20_000)
    lines = importing.summary.list.toPlainText().splitlines()
    assert any("photo 0: " in line and "not found" in line for line in lines)
    assert any("photo 1: the image cannot be read" in line for line in lines)
    assert [layer.name for layer in model.layers][:2] == [
        "photo 0 labels",
        "photo 0 objects",
    ]


def test_what_cannot_be_imported_is_one_sentence(
    importing: ImportPanel, look: Any, qtbot: Any, tmp_path: Path
) -> None:
    importing.look()
    assert importing.summary.said() == "Choose the folder of a dataset first."
    assert "is not there" in look(tmp_path / "gone")
    said = look(tmp_path)
    assert "format is not known" in said
    assert "coco" in said
    folder = dataset(tmp_path / "set")
    index = folder / "annotations" / "instances_train.json"
    whole = index.read_text(encoding="utf-8")
    assert look(index) == "3 images; choose some."
    assert names(importing) == ["photo 0", "photo 1", "photo 2"]
    index.write_text(whole.replace('"image_id": 1', '"image_id": 9'))
    assert "there is no image 9" in look(index)
    # The index changes after it was listed.
    index.write_text(whole)
    look(folder)
    index.write_text(whole.replace("photo 2", "photo 3"))
    importing.list.setCurrentRow(2)
    click(qtbot, importing.button)
    qtbot.waitUntil(lambda: not importing.busy, timeout=20_000)
    assert "it has no image 'photo 2'" in importing.summary.said()


def test_an_image_that_cannot_be_read_is_passed(
    model: ViewerModel, importing: ImportPanel, look: Any, qtbot: Any, tmp_path: Path
) -> None:
    folder = dataset(tmp_path, 3, SemanticPNG())
    mask = next(folder.rglob("masks/*/photo 1.png"))
    mask.write_bytes(mask.read_bytes()[:40])
    assert look(folder) == "3 images; choose some."
    importing.list.selectAll()
    click(qtbot, importing.button)
    qtbot.waitUntil(lambda: not importing.busy, timeout=20_000)
    assert importing.summary.said() == "2 images added, 1 cannot be read."
    (line,) = importing.summary.list.toPlainText().splitlines()
    assert line.startswith(f"photo 1: {mask}: ")
    names = {layer.name.removesuffix(" labels") for layer in model.layers}
    assert names >= {"photo 0", "photo 2"}
    assert "photo 1" not in names


def test_reading_can_be_cancelled(
    model: ViewerModel,
    importing: ImportPanel,
    look: Any,
    qtbot: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    look(dataset(tmp_path))
    go_on = threading.Event()
    entries = Coco.entries

    def slow(self: Any, path: Path) -> Any:
        for number, entry in enumerate(entries(self, path)):
            if number:
                go_on.wait(10)
            yield entry

    monkeypatch.setattr(Coco, "entries", slow)
    importing.list.selectAll()
    click(qtbot, importing.button)
    qtbot.waitUntil(lambda: len(model.layers) == 3, timeout=10_000)
    assert importing.button.text() == "Cancel"
    click(qtbot, importing.button)
    assert importing.summary.said() == "Cancelled: 1 image added."
    go_on.set()
    qtbot.wait(200)
    assert len(model.layers) == 3
    assert importing.button.isEnabled()


def test_a_dataset_is_chosen(
    importing: ImportPanel,
    qtbot: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = dataset(tmp_path)
    index = folder / "annotations" / "instances_train.json"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(index), ""))
    for button, path in (
        (importing.folder_button, folder),
        (importing.file_button, index),
    ):
        click(qtbot, button)
        assert importing.path.text() == str(path)
        qtbot.waitUntil(lambda: not importing.busy, timeout=20_000)
        assert importing.list.count() == 3
