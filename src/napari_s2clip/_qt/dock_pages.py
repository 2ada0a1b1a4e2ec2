"""The pages of the dock, in the order in which people go through them."""

from __future__ import annotations

from qtpy.QtWidgets import QTabWidget, QWidget

from .pages import Page

__all__ = ["DockPages"]


class DockPages(QTabWidget):
    """Pages with tabs; panels are put in by their place in the work.

    Parameters
    ----------
    classes, models : QWidget
        What is looked for, and by what.
    scope, outputs : QWidget
        Where it is looked for, and what becomes of it.
    tune, review, prompts : QWidget
        What is found, changed by settings, by decisions, and by clicks.
    data, batch : QWidget
        Training data, and many images.
    """

    def __init__(
        self,
        *,
        classes: QWidget,
        models: QWidget,
        scope: QWidget,
        outputs: QWidget,
        tune: QWidget,
        review: QWidget,
        prompts: QWidget,
        data: QWidget,
        batch: QWidget,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        # Seven titles beside each other in a dock of 300 px.
        self.tabBar().setStyleSheet(
            "QTabBar::tab { padding: 3px 1px; }"
            "QTabBar::tab:first, QTabBar::tab:last { padding: 3px 0px; }"
        )
        self.segment_page = Page(classes, models, stretched=classes)
        self.input_page = Page(scope, outputs)
        self.tune_page = Page(tune)
        self.review_page = Page(review, stretched=review)
        self.correct_page = Page(prompts)
        self.data_page = Page(data)
        self.batch_page = Page(batch, stretched=batch)
        for page, title, about in (
            (
                self.segment_page,
                "Segment",
                "What is looked for, and by which models.",
            ),
            (self.input_page, "Input", "Area, slices, channels; what becomes of it."),
            (self.tune_page, "Tune", "Thresholds that act at once."),
            (self.review_page, "Review", "Regions one by one, doubtful ones first."),
            (self.correct_page, "Correct", "Objects by clicks and boxes, with SAM."),
            (self.data_page, "Data", "Training data out and in: COCO and others."),
            (
                self.batch_page,
                "Batch",
                "All images of a folder, and a look through the results.",
            ),
        ):
            index = self.addTab(page, title)
            self.setTabToolTip(index, about)
