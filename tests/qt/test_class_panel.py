"""The table of classes under keys, clicks and drags, in a real window."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from qtpy.QtCore import QItemSelectionModel, QMimeData, QPointF, Qt
from qtpy.QtGui import QColor, QDropEvent, QKeyEvent
from qtpy.QtWidgets import QApplication, QDoubleSpinBox, QFileDialog, QLineEdit

from napari_s2clip._qt.class_model import Column
from napari_s2clip._qt.class_panel import ClassPanel
from napari_s2clip.class_presets import CLASS_PRESETS
from napari_s2clip.classes import ClassEntry, ClassSet, default_colour
from napari_s2clip.io.class_lists import read_classes

Key = Qt.Key
Alt, Control = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ControlModifier
Left, NoKeys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def panel(show: Any) -> ClassPanel:
    panel = ClassPanel()
    show(panel, 300, 320)
    panel.activateWindow()
    panel.view.setFocus()
    QApplication.clipboard().clear()
    return panel


@pytest.fixture
def heard(panel: ClassPanel) -> list[Any]:
    """What the panel tells: "classes", or the set that looks otherwise now."""
    told: list[Any] = []
    panel.classes_changed.connect(lambda: told.append("classes"))
    panel.look_changed.connect(told.append)
    return told


def names(panel: ClassPanel) -> list[str]:
    return [entry.name for entry in panel.model.table.rows]


def ids(panel: ClassPanel) -> list[int | None]:
    return [entry.id for entry in panel.model.table.rows]


def shown(panel: ClassPanel, row: int, column: Column = Column.NAME) -> str:
    return str(panel.model.index(row, column).data())


def choose(panel: ClassPanel, *rows: int) -> None:
    chosen, model = panel.view.selectionModel(), panel.model
    flags = QItemSelectionModel.SelectionFlag
    for row in rows:
        index = model.index(row, Column.NAME)
        how = flags.ClearAndSelect if row == rows[0] else flags.Select
        chosen.setCurrentIndex(index, how | flags.Rows)


def click(panel: ClassPanel, qtbot: Any, row: int, column: Column) -> None:
    rect = panel.view.visualRect(panel.model.index(row, column))
    qtbot.mouseClick(panel.view.viewport(), Left, NoKeys, rect.center())


def editor(panel: ClassPanel, qtbot: Any) -> Any:
    qtbot.waitUntil(lambda: panel.view.editor is not None)
    return panel.view.editor


def write(panel: ClassPanel, qtbot: Any, text: str, key: Any = Key.Key_Return) -> None:
    """Write into the open editor, and press a key; what follows is queued in Qt."""
    line = editor(panel, qtbot)
    line.selectAll()
    qtbot.keyClicks(line, text)
    qtbot.keyClick(line, key)
    qtbot.waitUntil(lambda: panel.view.editor is not line)


def test_name_enter_name_enter(panel: ClassPanel, qtbot: Any) -> None:
    assert shown(panel, 0) == "New class…"
    assert panel.view.hint.isVisible()
    assert "green star | green asterisk" in panel.view.hint.text()
    panel.buttons["add"].click()
    for text in ("cat", "car | automobile", "dog"):
        write(panel, qtbot, text)
    # Enter without a name ends it.
    write(panel, qtbot, "")
    qtbot.wait(20)
    assert panel.view.editor is None
    assert names(panel) == ["cat", "car", "dog"]
    assert ids(panel) == [1, 2, 3]
    assert shown(panel, 1, Column.SYNONYMS) == "automobile"
    assert not panel.view.hint.isVisible()
    assert panel.class_set() == ClassSet(["cat", "car | automobile", "dog"])


def test_the_last_row_is_written_with_a_click(panel: ClassPanel, qtbot: Any) -> None:
    click(panel, qtbot, 0, Column.NAME)
    write(panel, qtbot, "cat", Key.Key_Escape)
    assert names(panel) == []
    click(panel, qtbot, 0, Column.NAME)
    # What is still being written counts, too: a run may be started by a key.
    qtbot.keyClicks(editor(panel, qtbot), "cat")
    assert panel.class_set().names == ("cat",)
    assert panel.view.editor is None


def test_names_and_synonyms_are_written_in_their_cells(
    panel: ClassPanel, qtbot: Any, heard: list[Any]
) -> None:
    panel.paste("cat; dog; fox")
    heard.clear()
    choose(panel, 0)
    qtbot.keyClick(panel.view, Key.Key_Return)
    # Tab goes on to the synonyms.
    write(panel, qtbot, "lynx", Key.Key_Tab)
    write(panel, qtbot, "bobcat | wild cat")
    assert panel.view.editor is None
    assert panel.model.table.rows[0] == ClassEntry("lynx", ("bobcat", "wild cat"), id=1)
    # A name is what layers are called; synonyms are looked for.
    assert [type(h) for h in heard] == [ClassSet, str]
    assert heard[0].names == ("lynx", "dog", "fox")
    # In the last class Enter goes on with a new one.
    choose(panel, 2)
    qtbot.keyClick(panel.view, Key.Key_F2)
    write(panel, qtbot, "wolf")
    write(panel, qtbot, "owl", Key.Key_Escape)
    assert names(panel) == ["lynx", "dog", "wolf"]
    # A letter begins to write as well.
    qtbot.keyClick(panel.view, "x")
    assert isinstance(editor(panel, qtbot), QLineEdit)


def test_many_lines_are_pasted(panel: ClassPanel, qtbot: Any) -> None:
    panel.paste("cat")
    QApplication.clipboard().setText("dog | hound\nCAT; fox")
    qtbot.keyClick(panel.view, Key.Key_V, Control)
    assert names(panel) == ["cat", "dog", "fox"]
    assert panel.message.text().endswith("there already: CAT")
    assert panel.view.chosen_rows() == [1, 2]
    qtbot.keyClick(panel.view, Key.Key_C, Control)
    assert QApplication.clipboard().text() == "dog | hound\nfox"
    # Also where a name is being written.
    QApplication.clipboard().setText("owl\nowlet")
    panel.buttons["add"].click()
    qtbot.keyClick(editor(panel, qtbot), Key.Key_V, Control)
    assert names(panel) == ["cat", "dog", "fox", "owl", "owlet"]
    assert panel.view.editor is None
    assert panel.message.text() == ""
    QApplication.clipboard().setText("red panda")
    panel.buttons["add"].click()
    qtbot.keyClick(editor(panel, qtbot), Key.Key_V, Control)
    assert editor(panel, qtbot).text() == "red panda"
    panel.menu.paste.trigger()
    assert names(panel)[-1] == "red panda"


def test_classes_are_removed_and_moved_by_keys(
    panel: ClassPanel, qtbot: Any, heard: list[Any]
) -> None:
    panel.paste("a;b;c;d")
    heard.clear()
    choose(panel, 1, 2)
    qtbot.keyClick(panel.view, Key.Key_Up, Alt)
    assert (names(panel), panel.view.chosen_rows()) == (list("bcad"), [0, 1])
    qtbot.keyClick(panel.view, Key.Key_Up, Alt)
    assert names(panel) == list("bcad")
    qtbot.keyClick(panel.view, Key.Key_Down, Alt)
    qtbot.keyClick(panel.view, Key.Key_Down, Alt)
    qtbot.keyClick(panel.view, Key.Key_Down, Alt)
    assert (names(panel), ids(panel)) == (list("adbc"), [1, 4, 2, 3])
    assert panel.view.chosen_rows() == [2, 3]
    qtbot.keyClick(panel.view, Key.Key_Delete)
    assert (names(panel), panel.view.chosen_rows()) == (["a", "d"], [1])
    qtbot.keyClick(panel.view, Key.Key_Backspace)
    assert names(panel) == ["a"]
    qtbot.keyClick(panel.view, Key.Key_Z, Control)
    qtbot.keyClick(panel.view, Key.Key_Z, Control)
    assert names(panel) == list("adbc")
    panel.menu.redo.trigger()
    assert names(panel) == ["a", "d"]
    panel.menu.undo.trigger()
    assert ids(panel) == [1, 4, 2, 3]
    assert set(heard) == {"classes"}
    assert len(heard) == 9


def test_the_buttons_do_the_same(panel: ClassPanel) -> None:
    buttons = panel.buttons
    panel.paste("a;b;c")

    def enabled() -> list[str]:
        return [name for name in ("remove", "up", "down") if buttons[name].isEnabled()]

    # All are selected: there is nowhere to move them.
    assert enabled() == ["remove"]
    choose(panel, 2)
    assert enabled() == ["remove", "up"]
    buttons["up"].click()
    assert names(panel) == list("acb")
    assert enabled() == ["remove", "up", "down"]
    buttons["down"].click()
    buttons["remove"].click()
    assert (names(panel), panel.view.chosen_rows()) == (["a", "b"], [1])
    choose(panel, 2)  # the row that adds a class
    assert enabled() == []


@pytest.mark.parametrize(
    ("dragged", "to", "half", "order"),
    [(0, 2, 0.9, "bca"), (2, 0, 0.1, "cab"), (0, 1, 0.1, "abc"), (0, 3, 0.5, "bca")],
)
def test_rows_are_dragged(
    panel: ClassPanel,
    dragged: int,
    to: int,
    half: float,
    order: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    panel.paste("a;b;c")
    choose(panel, dragged)
    model, view = panel.model, panel.view
    rect = view.visualRect(model.index(to, Column.NAME))
    place = QPointF(rect.left() + 5, rect.top() + half * rect.height())
    data = model.mimeData([model.index(dragged, Column.NAME)])
    monkeypatch.setattr(QDropEvent, "source", lambda event: view, raising=False)
    event = QDropEvent(place, Qt.DropAction.MoveAction, data, Left, NoKeys)
    view.dropEvent(event)
    assert "".join(names(panel)) == order
    assert names(panel)[view.chosen_rows()[0]] == "abc"[dragged]
    # Else Qt would take the rows out that it was asked to move.
    assert event.dropAction() == Qt.DropAction.IgnoreAction


def test_what_comes_from_elsewhere_is_not_dropped(panel: ClassPanel) -> None:
    panel.paste("a;b")
    choose(panel, 0)
    point = QPointF(20, 60)
    event = QDropEvent(point, Qt.DropAction.MoveAction, QMimeData(), Left, NoKeys)
    panel.view.dropEvent(event)
    assert names(panel) == ["a", "b"]


def test_colours_are_chosen_from_safe_ones_or_any(
    panel: ClassPanel, qtbot: Any, heard: list[Any]
) -> None:
    panel.paste("cat; dog")
    heard.clear()
    click(panel, qtbot, 1, Column.COLOUR)
    menu = panel.view.menu
    qtbot.waitUntil(menu.isVisible)
    titles = [action.text() for action in menu.actions() if action.text()]
    assert titles == [
        "Sky blue",
        "Vermilion",
        "Yellow",
        "Bluish green",
        "Reddish purple",
        "Orange",
        "Blue",
        "Usual colour",
        "Other colour…",
    ]
    menu.actions()[3].trigger()
    assert [s.colours for s in heard] == [(default_colour(0), "#009e73")]
    menu.close()
    panel.view.setCurrentIndex(panel.model.index(1, Column.COLOUR))
    qtbot.keyClick(panel.view, Key.Key_Return)
    menu = panel.view.menu
    menu.actions()[-2].trigger()
    assert panel.class_set().colour_of(2) == default_colour(1)
    menu.actions()[-1].trigger()
    dialog = menu.dialog
    assert dialog.currentColor().name() == "#009e73"
    dialog.setCurrentColor(QColor("#123456"))
    # Meanwhile the class has moved.
    panel.view._move([1], 0)
    dialog.accept()
    assert panel.class_set().entries[0] == ClassEntry("dog", (), "#123456", 2)
    menu.close()
    swatch = panel.model.index(0, Column.COLOUR)
    assert swatch.data(Qt.ItemDataRole.AccessibleTextRole) == "label 2, #123456"


def test_thresholds_are_written_in_a_column_of_their_own(
    panel: ClassPanel, qtbot: Any, heard: list[Any]
) -> None:
    panel.paste("cat; dog")
    heard.clear()
    assert panel.view.isColumnHidden(Column.THRESHOLD)
    panel.menu.thresholds.trigger()
    assert not panel.view.isColumnHidden(Column.THRESHOLD)
    choose(panel, 1)
    panel.view.setCurrentIndex(panel.model.index(1, Column.THRESHOLD))
    qtbot.keyClick(panel.view, Key.Key_Return)
    box = editor(panel, qtbot)
    assert isinstance(box, QDoubleSpinBox)
    box.setValue(0.25)
    qtbot.keyClick(box, Key.Key_Return)
    qtbot.waitUntil(lambda: panel.view.editor is None)
    qtbot.wait(20)
    assert panel.view.editor is None
    assert panel.class_set().thresholds == (0, 0.25)
    assert shown(panel, 1, Column.THRESHOLD) == "0.25"
    assert shown(panel, 0, Column.THRESHOLD) == ""
    assert heard == ["classes"]
    panel.menu.thresholds.trigger()
    panel.set_classes(ClassSet([ClassEntry("a", threshold=0.5)]))
    assert not panel.view.isColumnHidden(Column.THRESHOLD)


def test_counts_are_shown_by_id(panel: ClassPanel) -> None:
    panel.paste("cat; dog; fox")
    assert panel.view.isColumnHidden(Column.PIXELS)
    panel.show_counts({1: 1_234_567, 3: 0}, {1: 12})
    panel.view._move([0], 3)
    assert [shown(panel, row, Column.PIXELS) for row in range(3)] == ["", "0", "1.23M"]
    assert shown(panel, 2, Column.REGIONS) == "12"
    assert not panel.view.isColumnHidden(Column.PIXELS)
    tip = panel.model.index(2, Column.PIXELS).data(Qt.ItemDataRole.ToolTipRole)
    assert tip == "1,234,567"
    # Another list has nothing to do with what was counted.
    panel.set_lines("owl")
    assert panel.view.isColumnHidden(Column.REGIONS)
    assert shown(panel, 0, Column.PIXELS) == ""


def test_what_is_wrong_is_marked_and_kept(panel: ClassPanel, heard: list[Any]) -> None:
    panel.paste("cat; dog")
    heard.clear()
    index = panel.model.index(1, Column.NAME)
    panel.model.setData(index, "Cat")
    text = "row 2: 'Cat' is named twice (also in row 1); once is enough"
    assert panel.message.text() == text
    assert panel.message.isVisible()
    assert index.data(Qt.ItemDataRole.ToolTipRole) == text
    assert index.data(Qt.ItemDataRole.BackgroundRole) is not None
    assert shown(panel, 1) == "Cat"
    with pytest.raises(ValueError, match="named twice"):
        panel.class_set()
    # Layers wait until the names make sense.
    assert heard == []
    panel.model.setData(index, "puma")
    assert not panel.message.isVisible()
    assert index.data(Qt.ItemDataRole.BackgroundRole) is None
    assert [h.names for h in heard if h != "classes"] == [("cat", "puma")]
    # A name that is there already is written in the row that adds a class.
    panel.model.setData(panel.model.index(2, Column.NAME), "puma")
    assert names(panel) == ["cat", "puma", "puma"]
    assert "row 3" in panel.message.text()


def test_background_words_are_part_of_the_list(
    panel: ClassPanel, qtbot: Any, heard: list[Any]
) -> None:
    panel.set_lines("cat\n\n  car | automobile \n")
    heard.clear()
    panel.background.setText("sky; ; road ")
    found = panel.class_set()
    assert found.entries[1].synonyms == ("automobile",)
    assert found.background == ("sky", "road")
    # What was typed is left as it was.
    assert panel.background.text() == "sky; ; road "
    assert heard == ["classes"]
    panel.background.setText("Car")
    assert "background: 'Car' is named twice (also in row 2)" in panel.message.text()
    panel.set_classes(ClassSet(["owl"], ["night", "moon"]))
    assert panel.background.text() == "night; moon"
    panel.view.undo()
    assert panel.background.text() == "Car"
    panel.view.undo()
    assert panel.background.text() == ""
    assert names(panel) == ["cat", "car"]


@pytest.mark.parametrize(
    ("lines", "background", "message"),
    [("", "", "empty"), ("cat\nCat", "", "twice"), ("sky", "sky", "twice")],
)
def test_wrong_classes_are_refused(
    panel: ClassPanel, lines: str, background: str, message: str
) -> None:
    panel.set_lines(lines)
    panel.background.setText(background)
    with pytest.raises(ValueError, match=message):
        panel.class_set()


def test_names_are_offered_to_an_empty_list_only(panel: ClassPanel) -> None:
    panel.offer(["cat", "dog | hound"])
    assert panel.class_set() == ClassSet(["cat", "dog | hound"])
    # Nobody changed them, so those of the next image take their place.
    panel.offer(["fox"])
    panel.offer([])
    assert names(panel) == ["fox"]
    panel.paste("owl")
    panel.offer(["cat"])
    assert names(panel) == ["fox", "owl"]


def test_layers_of_another_list_keep_their_look(
    panel: ClassPanel, heard: list[Any]
) -> None:
    panel.set_classes(ClassSet(["cat", "dog"]))
    panel.set_classes(ClassSet(["owl", "fox"]))
    assert heard == ["classes", "classes"]
    panel.view.undo()
    panel.model.setData(panel.model.index(0, Column.NAME), "lynx")
    assert [h.names for h in heard if h != "classes"] == [("lynx", "dog")]


def test_presets_take_the_place_of_the_list(panel: ClassPanel) -> None:
    panel.paste("owl")
    actions = panel.menu.presets.actions()
    assert len(actions) == len(CLASS_PRESETS) == 8
    assert actions[0].text() == "PASCAL VOC, with background (20)"
    actions[0].trigger()
    assert panel.class_set() == CLASS_PRESETS["voc21"].classes
    panel.view.undo()
    assert names(panel) == ["owl"]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path | str], None]:
    """What the dialogs for files give."""

    def give(path: Path | str) -> None:
        for dialog in ("getOpenFileName", "getSaveFileName"):
            monkeypatch.setattr(QFileDialog, dialog, lambda *args: (str(path), ""))

    return give


def test_lists_are_loaded(
    panel: ClassPanel, qtbot: Any, tmp_path: Path, answer: Any, heard: list[Any]
) -> None:
    panel.paste("owl")
    path = tmp_path / "instances.json"
    categories = [{"id": 9, "name": "dog"}, {"id": 4, "name": "cat"}]
    path.write_text(json.dumps({"annotations": [], "categories": categories}))
    answer(path)
    panel.menu.load.trigger()
    assert "Reading instances.json" in panel.message.text()
    qtbot.waitUntil(lambda: names(panel) == ["cat", "dog"])
    assert panel.message.text() == ""
    path = tmp_path / "data.yaml"
    path.write_text(yaml.safe_dump({"names": {0: "fox"}}))
    answer(path)
    panel.menu.load.trigger()
    qtbot.waitUntil(lambda: names(panel) == ["fox"])
    panel.view.undo()
    panel.view.undo()
    assert names(panel) == ["owl"]
    # Nothing was chosen.
    answer("")
    panel.menu.load.trigger()
    assert panel.message.text() == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "No such file"), ("{", "it is no JSON"), ('{"classes": []}', "is empty")],
)
def test_what_cannot_be_loaded_is_told(
    panel: ClassPanel,
    qtbot: Any,
    tmp_path: Path,
    answer: Any,
    text: str | None,
    message: str,
) -> None:
    panel.paste("owl")
    path = tmp_path / "x.json"
    if text is not None:
        path.write_text(text)
    answer(path)
    panel.menu.load.trigger()
    qtbot.waitUntil(lambda: message in panel.message.text())
    assert "x.json" in panel.message.text()
    assert names(panel) == ["owl"]


def test_lists_are_saved(panel: ClassPanel, tmp_path: Path, answer: Any) -> None:
    classes = ClassSet(
        [ClassEntry("cat", ("kitten",), "#123456", 7, 0.25), "dog"], ["sky"]
    )
    panel.set_classes(classes)
    for name in ("mine.json", "mine.yaml"):
        answer(tmp_path / name)
        panel.menu.save.trigger()
        assert read_classes(tmp_path / name) == classes
        assert name in panel.message.text()
    # The dialog has asked whether to overwrite it.
    panel.set_lines("owl")
    panel.menu.save.trigger()
    assert read_classes(tmp_path / "mine.yaml").names == ("owl",)
    # About this name it has not.
    answer(tmp_path / "mine")
    panel.menu.save.trigger()
    assert "mine.json: it exists" in panel.message.text().replace("\u200b", "")
    assert read_classes(tmp_path / "mine.json") == classes
    answer(tmp_path / "new")
    panel.menu.save.trigger()
    assert read_classes(tmp_path / "new.json").names == ("owl",)
    answer(tmp_path / "mine.txt")
    panel.menu.save.trigger()
    assert "name it .json or .yaml" in panel.message.text()
    answer(tmp_path / "none" / "mine.json")
    panel.menu.save.trigger()
    assert "No such file" in panel.message.text()
    panel.set_lines("owl; owl")
    panel.menu.save.trigger()
    assert "named twice" in panel.message.text()
    answer("")
    panel.set_lines("owl")
    panel.menu.save.trigger()
    assert panel.message.text() == ""


def test_the_menu_offers_what_can_be_done(panel: ClassPanel) -> None:
    menu = panel.menu

    def enabled() -> list[bool]:
        menu.aboutToShow.emit()
        return [a.isEnabled() for a in (menu.save, menu.undo, menu.redo)]

    assert enabled() == [False, False, False]
    panel.paste("owl")
    assert enabled() == [True, True, False]
    panel.view.undo()
    assert enabled() == [False, False, True]
    assert panel.buttons["more"].menu() is menu


def test_a_list_too_long_is_refused_in_a_line(panel: ClassPanel) -> None:
    panel.paste("\n".join(f"c{i}" for i in range(65_535)))
    assert "65,535 classes" in panel.message.text()
    assert names(panel) == []


def test_everything_can_be_reached_and_is_explained(
    panel: ClassPanel, qtbot: Any
) -> None:
    panel.paste("owl")
    for button in panel.buttons.values():
        assert button.toolTip()
        assert button.accessibleName()
        assert button.focusPolicy() & Qt.FocusPolicy.TabFocus
    # Tab does not go from cell to cell.
    qtbot.keyClick(panel.view, Key.Key_Tab)
    assert panel.focusWidget() is panel.background
    # The window's shortcuts must not take the table's keys.
    for key, modifier in ((Key.Key_Delete, NoKeys), (Key.Key_V, Control)):
        event = QKeyEvent(QKeyEvent.Type.ShortcutOverride, key, modifier)
        event.ignore()
        QApplication.sendEvent(panel.view, event)
        assert event.isAccepted()


@pytest.mark.parametrize("width", [230, 260, 340])
def test_nothing_is_cut_off(panel: ClassPanel, qtbot: Any, width: int) -> None:
    panel.paste("red circle; car | automobile")
    panel.show_counts({1: 1_200_000, 2: 950}, {1: 12, 2: 1003})
    panel.resize(width, 320)
    view = panel.view
    qtbot.waitUntil(lambda: view.viewport().width() <= width)
    if width >= 260:
        assert view.horizontalHeader().length() <= view.viewport().width()
    letters = view.fontMetrics()
    assert view.columnWidth(Column.NAME) >= letters.horizontalAdvance("red circle")
    assert view.columnWidth(Column.PIXELS) >= letters.horizontalAdvance("1.20M")
    panel.resize(width, 10)
    assert view.height() >= 3 * view.rowHeight(0)
