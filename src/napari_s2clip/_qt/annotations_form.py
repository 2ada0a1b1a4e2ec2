"""What is seen of the annotations of an image: two buttons and some words."""

from __future__ import annotations

from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from .annotations_known import Known

__all__ = ["AnnotationsForm"]


class AnnotationsForm(QWidget):
    """Lays the controls out; what they do is elsewhere."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.button = QPushButton("&Save annotations")
        self.button.setToolTip(
            "Save the labels, classes and review of this image in a folder beside it.\n"
            "From then on changes are saved by themselves."
        )
        self.restore_button = QPushButton("Resto&re")
        self.restore_button.setToolTip(
            "Bring back the annotations that are beside this image.\n"
            "Layers that are in the viewer stay."
        )
        self.status = QLabel()
        self.status.setWordWrap(True)
        buttons = QHBoxLayout()
        buttons.addWidget(self.button, 1)
        buttons.addWidget(self.restore_button, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(buttons)
        layout.addWidget(self.status)

    def show_known(self, known: Known | None, *, busy: bool) -> None:
        """Show what is known of the chosen image; None for no image."""
        self.button.setEnabled(known is not None and not busy)
        self.restore_button.setEnabled(not busy)
        self.restore_button.setVisible(known is not None and known.header is not None)
        words = "" if known is None else known.words(busy=busy)
        self.status.setText(words)
        self.status.setVisible(bool(words))
