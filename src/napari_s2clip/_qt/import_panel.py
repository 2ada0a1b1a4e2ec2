"""Training data into the viewer, read in a thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from napari.qt.threading import create_worker
from qtpy.compat import isalive
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog, QWidget

from ..datasets import FORMATS, DatasetError, Item
from ..datasets.listing import Listing, look
from ..errors import EXPECTED, sentence
from ..layers import add_item
from ..progress import Cancelled, CancelToken
from .export_worker import counted
from .format_options import about
from .import_form import ImportForm
from .worker import Worker

__all__ = ["ImportPanel"]

_log = logging.getLogger(__name__)


class ImportPanel(ImportForm):
    """Looks into a dataset and adds images of it to the viewer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    """

    _found = Signal(object, object)
    """In the thread: the token of the work, and what it has found.

    That is a `Listing`, a list of names, an `Item`, or the name of one that cannot be
    read and why.
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._cancel: CancelToken | None = None
        self._adding = False
        self._listing: Listing | None = None
        self._added = self._failed = 0
        self._notes: list[str] = []
        self._found.connect(self._on_found)
        self.path.returnPressed.connect(self.look)
        self.folder_button.clicked.connect(self._choose_folder)
        self.file_button.clicked.connect(self._choose_file)
        self.search.textChanged.connect(self._filter)
        self.list.itemSelectionChanged.connect(self._show_button)
        self.list.itemDoubleClicked.connect(lambda _: self.start())
        self.button.clicked.connect(self._on_button)
        self._show_button()

    @property
    def busy(self) -> bool:
        """Whether a dataset is being read."""
        return self._cancel is not None

    def look(self) -> None:
        """Look into the dataset at the path, and list its images."""
        self.cancel()
        self.list.clear()
        self._listing = None
        self.show_kind("")
        path = self.path.text().strip()
        if not path:
            self.summary.say("Choose the folder of a dataset first.")
            return
        self.summary.say("Looking…")
        self._start(lambda tell, cancel: _list(Path(path), tell, cancel), adding=False)

    def start(self) -> None:
        """Add the images that are chosen."""
        listing, names = self._listing, self.chosen()
        if listing is None or not names or self._adding:
            return
        # What is not listed by now need not be.
        self.cancel()
        self._added = self._failed = 0
        self._notes = []
        self.summary.say(f"Reading {counted(len(names), 'image')}…")
        self._start(
            lambda tell, cancel: _pick(listing, names, tell, cancel), adding=True
        )

    def cancel(self) -> None:
        """Stop to read; what was added stays."""
        if self._cancel is not None:
            self._cancel.cancel()
            self._cancel = None
            if self._adding:
                self._adding = False
                self.summary.say(f"Cancelled: {self._what()}.", self._notes)
        self._show_button()

    def chosen(self) -> list[str]:
        """Names of the images that are selected and in sight."""
        return [i.text() for i in self.list.selectedItems() if not i.isHidden()]

    def _start(
        self, work: Callable[[Callable[[Any], None], CancelToken], str], *, adding: bool
    ) -> None:
        cancel = self._cancel = CancelToken()
        self._adding = adding
        create_worker(
            _run,
            work,
            partial(self._tell, cancel),
            cancel=cancel,
            _worker_class=Worker,
            _connect={"returned": self._on_ended},
        )
        self._show_button()

    def _tell(self, cancel: CancelToken, found: object) -> None:
        """In the thread."""
        with suppress(RuntimeError):  # the window was closed meanwhile
            self._found.emit(cancel, found)

    def _on_button(self) -> None:
        if self._adding:
            self.cancel()
        else:
            self.start()

    def _on_found(self, cancel: CancelToken, found: object) -> None:
        if cancel is not self._cancel:
            return
        if isinstance(found, Listing):
            self._listing = found
            name = found.format.name
            self.show_kind(f"{name}: {about(FORMATS[name])}")
        elif isinstance(found, Item):
            _, notes = add_item(self._viewer, found)
            self._added += 1
            self._notes += [f"{found.name}: {note}" for note in notes]
            self.summary.say(f"{self._what()}…", self._notes)
        elif isinstance(found, tuple):
            self._failed += 1
            self._notes.append(": ".join(found))
        elif isinstance(found, list):
            self.list.addItems(found)
            self._filter()
            self.summary.say(f"Looking… {counted(self.list.count(), 'image')}")

    def _on_ended(self, end: tuple[CancelToken, str]) -> None:
        cancel, problem = end
        if not isalive(self) or cancel is not self._cancel:
            return
        self._cancel = None
        adding, self._adding = self._adding, False
        if problem:
            self.summary.say(problem, self._notes if adding else ())
        elif adding:
            self.summary.say(f"{self._what()}.", self._notes)
        else:
            count = self.list.count()
            some = "; choose some" if count > 1 else ""
            self.summary.say(f"{counted(count, 'image')}{some}.")
            if count == 1:
                self.list.setCurrentRow(0)
        self._show_button()

    def _what(self) -> str:
        failed = f", {self._failed:,} cannot be read" if self._failed else ""
        return f"{counted(self._added, 'image')} added{failed}"

    def _filter(self) -> None:
        wanted = self.search.text().strip().casefold()
        for row in range(self.list.count()):
            item = self.list.item(row)
            assert item is not None
            item.setHidden(wanted not in item.text().casefold())
        self._show_button()

    def _show_button(self) -> None:
        self.button.setText("Cancel" if self._adding else "&Add to the viewer")
        self.button.setEnabled(self._adding or bool(self.chosen()))

    def _choose_folder(self) -> None:
        self._chose(
            QFileDialog.getExistingDirectory(
                self, "Folder of a dataset", self.path.text()
            )
        )

    def _choose_file(self) -> None:
        kinds = "Datasets (*.json *.yaml *.txt);;All files (*)"
        chosen, _ = QFileDialog.getOpenFileName(
            self, "File of a dataset", self.path.text(), kinds
        )
        self._chose(chosen)

    def _chose(self, path: str) -> None:
        if path:
            self.path.setText(path)
            self.look()

    def state(self) -> dict[str, Any]:
        """What is set, as plain data."""
        return {"path": self.path.text()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Set what `state` gave."""
        if isinstance(state.get("path"), str):
            self.path.setText(state["path"])


_BATCH = 50
"""Names that are listed at once."""


def _list(path: Path, tell: Callable[[Any], None], cancel: CancelToken) -> str:
    listing = look(path)
    tell(listing)
    names: list[str] = []
    for name in listing.names():
        cancel.raise_if_cancelled()
        names.append(name)
        if len(names) == _BATCH:
            tell(names)
            names = []
    tell(names)
    return ""


def _pick(
    listing: Listing,
    names: Sequence[str],
    tell: Callable[[Any], None],
    cancel: CancelToken,
) -> str:
    for entry in listing.pick(names):
        cancel.raise_if_cancelled()
        try:
            tell(entry.read())
        except EXPECTED as error:
            tell((entry.name, sentence(error)))
    return ""


def _run(
    work: Callable[[Callable[[Any], None], CancelToken], str],
    tell: Callable[[Any], None],
    *,
    cancel: CancelToken,
) -> tuple[CancelToken, str]:
    """Runs in the thread; gives what went wrong."""
    try:
        return cancel, work(tell, cancel)
    except Cancelled:
        return cancel, ""
    except (DatasetError, ValueError, OSError, MemoryError) as error:
        _log.debug("the import failed", exc_info=True)
        return cancel, str(error) or type(error).__name__
    except Exception as error:  # noqa: BLE001
        _log.exception("the import failed")
        return cancel, f"{type(error).__name__}: {error}"
