"""Where classes are written: a table, its buttons, and the background words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ..classes import ClassEntry, ClassSet
from .class_menu import ClassMenu
from .class_model import ClassModel, Column
from .class_view import ClassView
from .texts import breakable

__all__ = ["ClassPanel"]

_BUTTONS = {
    "add": ("+", "Add a class", "Add a class (Enter in the last row)."),
    "remove": ("−", "Remove classes", "Remove the selected classes (Delete)."),
    "up": ("↑", "Move up", "Move the selected classes up (Alt+Up)."),
    "down": ("↓", "Move down", "Move the selected classes down (Alt+Down)."),
    "more": ("☰", "More", "Paste, load and save lists; presets; undo."),
}


class ClassPanel(QWidget):
    """A table of classes, and background words."""

    classes_changed = Signal()
    """What is looked for has changed, not only what it is called."""

    look_changed = Signal(object)
    """Classes of the same list have another name or colour; gives the `ClassSet`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = ClassModel(self)
        self.view = ClassView(self.model)
        self.background = QLineEdit()
        self.background.setPlaceholderText("sky; road")
        self.background.setToolTip(
            "Words for what no class should claim, separated by semicolons.\n"
            "Their pixels become 0. May be empty."
        )
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.message.setVisible(False)
        self.message.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
        )
        self.buttons = {name: _button(*words) for name, words in _BUTTONS.items()}
        self.menu = ClassMenu(self.view, self.buttons["more"])
        self._offered: tuple[ClassEntry, ...] = ()
        self._asked_for = self._what_is_asked_for()
        self._look: tuple[int, dict[int | None, tuple[str, str]]] = (-1, {})
        self._lay_out()
        self._connect()
        self._show_columns()
        self._on_selection()

    def _lay_out(self) -> None:
        label = QLabel("&Classes")
        label.setBuddy(self.view)
        head = QHBoxLayout()
        head.setSpacing(2)
        head.addWidget(label)
        head.addStretch(1)
        for button in self.buttons.values():
            head.addWidget(button)
        background_label = QLabel("&Background words")
        background_label.setBuddy(self.background)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(head)
        column.addWidget(self.view, 1)
        column.addWidget(self.message)
        column.addWidget(background_label)
        column.addWidget(self.background)

    def _connect(self) -> None:
        acts: dict[str, Callable[[], object]] = {
            "add": self.view.start_new,
            "remove": self.view.remove_chosen,
            "up": lambda: self.view.move_chosen(-1),
            "down": lambda: self.view.move_chosen(1),
        }
        for name, act in acts.items():
            self.buttons[name].clicked.connect(lambda _=False, act=act: act())
        self.buttons["more"].setMenu(self.menu)
        self.buttons["more"].setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu.taken.connect(self.set_classes)
        self.menu.said.connect(self._say)
        self.menu.thresholds_wanted.connect(self._show_columns)
        self.model.edited.connect(self._on_edit)
        self.model.refused.connect(self._say)
        self.background.textChanged.connect(self._on_background)
        self.view.selectionModel().selectionChanged.connect(self._on_selection)

    def class_set(self) -> ClassSet:
        """The classes as written; `ValueError` says what is wrong with them."""
        self.view.commit()
        return self.model.table.class_set()

    def set_classes(self, classes: ClassSet) -> None:
        """Begin another list; what was there can be had back by undo."""
        self.model.apply(lambda: self.model.table.replace(classes))
        if any(classes.thresholds):
            self.menu.thresholds.setChecked(True)

    def set_lines(self, text: str) -> None:
        """Begin another list with the names of a text; background words stay."""
        self.model.apply(lambda: self.model.table.replace(text))

    def paste(self, text: str) -> None:
        """Add the names of a text, one a line or separated by semicolons or tabs."""
        self.view.paste(text)

    def offer(self, classes: Sequence[str] | ClassSet) -> None:
        """Fill in what an image brings along, unless the user wrote something."""
        if not len(classes) or self.model.table.rows not in ((), self._offered):
            return
        if isinstance(classes, ClassSet):
            self.set_classes(classes)
        else:
            self.set_lines("\n".join(classes))
        self._offered = self.model.table.rows

    def show_counts(
        self, pixels: Mapping[int, int], regions: Mapping[int, int]
    ) -> None:
        """Show how many pixels and regions each class has, by id.

        Counts are shown until another list begins.
        """
        self.model.show_counts(pixels, regions)
        self._show_columns()

    def _on_background(self, text: str) -> None:
        table = self.model.table
        self.model.apply(lambda: table.set_background(text.split(";")))

    def _on_edit(self) -> None:
        table = self.model.table
        shown = [w for w in map(_tidy, self.background.text().split(";")) if w]
        if shown != list(table.background):
            self.background.setText("; ".join(table.background))
        problems = table.problems()
        self._say(problems[0].text if problems else "")
        self._show_columns()
        self._on_selection()
        asked_for = self._what_is_asked_for()
        changed, self._asked_for = asked_for != self._asked_for, asked_for
        if not problems and table.rows:
            self._follow_look(table.class_set())
        if changed:
            self.classes_changed.emit()

    def _what_is_asked_for(self) -> object:
        table = self.model.table
        # A name may only be called otherwise; the next run looks for the new one.
        rows = [(e.id, e.synonyms, e.threshold) for e in table.rows]
        return table.number, rows, table.background

    def _follow_look(self, classes: ClassSet) -> None:
        """Tell the layers; those of another list are no concern of this one."""
        number, known = self._look
        look = {e.id: (e.name, e.colour) for e in classes}
        self._look = (self.model.table.number, look)
        same_list = number == self.model.table.number
        if same_list and any(known.get(i, new) != new for i, new in look.items()):
            self.look_changed.emit(classes)

    def _show_columns(self) -> None:
        """Columns that say nothing leave their room to the names."""
        for column in (Column.PIXELS, Column.REGIONS):
            self.view.setColumnHidden(column, not self.model.has_counts)
        self.view.setColumnHidden(
            Column.THRESHOLD, not self.menu.thresholds.isChecked()
        )

    def _on_selection(self) -> None:
        rows, count = self.view.chosen_rows(), self.model.count
        several = len(rows)
        self.buttons["remove"].setEnabled(bool(rows))
        self.buttons["up"].setEnabled(bool(rows) and rows != list(range(several)))
        self.buttons["down"].setEnabled(
            bool(rows) and rows != list(range(count - several, count))
        )

    def _say(self, text: str) -> None:
        self.message.setText(breakable(text))
        self.message.setVisible(bool(text))


def _tidy(word: str) -> str:
    return " ".join(word.split())


def _button(text: str, name: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setAccessibleName(name)
    button.setAutoRaise(True)
    # Qt's arrow for a menu would lie across the letter.
    button.setStyleSheet("QToolButton::menu-indicator { image: none; }")
    side = 2 * button.fontMetrics().height()
    button.setMinimumSize(3 * side // 4, 3 * side // 4)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button
