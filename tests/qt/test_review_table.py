from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QModelIndex, Qt

from napari_s2clip import ClassSet
from napari_s2clip._qt.review_model import TITLES, Column
from napari_s2clip._qt.review_table import RegionTable
from napari_s2clip.review import Review

ROLE = Qt.ItemDataRole


def review(count: int = 4, **columns: Any) -> Review:
    """Regions of one pixel each in a row."""
    ids = np.arange(1, count + 1)
    values = {
        "class_id": 1 + ids % 2,
        "class_name": "",
        "area": ids * 1000,
        "mean_probability": np.linspace(0.2, 0.9, count),
        "sam_score": np.nan,
        "refined": True,
        "x_min": ids - 1.0,
        "x_max": ids * 1.0,
        "y_min": 0.0,
        "y_max": 1.0,
        **columns,
    }
    row = ids[None].astype(np.int32)
    labels = row.astype(np.uint16)
    return Review(pd.DataFrame({"region": ids, **values}), row, row, labels)


@pytest.fixture
def table(qtbot: Any) -> RegionTable:
    table = RegionTable()
    qtbot.addWidget(table)
    table.regions.set_review(review(), ClassSet(["zebra", "ant"]))
    return table


def texts(table: RegionTable, row: int) -> list[str]:
    model = table.regions
    return [model.data(model.index(row, c), ROLE.DisplayRole) for c in range(6)]


def test_a_row(table: RegionTable) -> None:
    assert texts(table, 0) == ["", "0.80", "ant", "0.20", "–", "1000"]
    table.regions.set_review(
        review(sam_score=0.5, refined=False), ClassSet(["zebra", "ant"])
    )
    assert texts(table, 0) == ["", "1.90", "ant", "0.20", "0.50", "1000"]


@pytest.mark.parametrize(
    ("column", "ascending"),
    [
        (0, [3, 4, 2, 1]),
        (1, [4, 3, 2, 1]),
        (2, [1, 3, 2, 4]),
        (3, [1, 2, 3, 4]),
        (5, [1, 2, 3, 4]),
    ],
)
def test_every_column_sorts(
    table: RegionTable, column: int, ascending: list[int]
) -> None:
    regions = table.regions._review
    regions.reject(1)
    regions.accept(2)
    table.sortByColumn(column, Qt.SortOrder.AscendingOrder)
    found = table.regions.regions().tolist()
    if column == 0:
        assert set(found[:2]) == {3, 4}
        assert found[2:] == [2, 1]
    else:
        assert found == ascending
    table.sortByColumn(column, Qt.SortOrder.DescendingOrder)
    assert table.regions.regions()[0] != found[0]


def test_what_is_seen_is_said(table: RegionTable) -> None:
    model = table.regions
    table.regions._review.reject(1)
    first = model.index(0, 0)
    assert model.data(first, ROLE.AccessibleTextRole) == "rejected"
    assert model.data(first, ROLE.FontRole).strikeOut()
    assert model.data(first, ROLE.ToolTipRole) == (
        "Region 1: ant, rejected, refined shape\np 0.20, SAM not asked, 1,000 px"
    )
    table.regions.set_review(review(sam_score=0.5, refined=False), ClassSet(["a", "b"]))
    score = model.index(0, Column.IOU)
    assert model.data(score, ROLE.FontRole).strikeOut()
    assert model.data(score, ROLE.AccessibleTextRole) == "0.50, refused"
    assert "IoU 0.50, mask refused" in model.data(first, ROLE.ToolTipRole)
    assert model.data(first, ROLE.FontRole) is None
    titles = [
        model.headerData(c, Qt.Orientation.Horizontal) for c in range(len(Column))
    ]
    assert titles == list(TITLES.values())
    assert model.headerData(0, Qt.Orientation.Vertical) is None
    assert model.data(QModelIndex()) is None
    assert model.rowCount(first) == model.columnCount(first) == 0


def test_the_next_open_one_is_below_and_then_from_the_top(table: RegionTable) -> None:
    model = table.regions
    assert model.regions().tolist() == [1, 2, 3, 4]
    model._review.accept(3)
    assert model.next_open(2) == 4
    assert model.next_open(4) == 1
    assert model.next_open(None) == 1
    for region in (1, 2, 4):
        model._review.accept(region)
    assert model.next_open(2) is None


@pytest.mark.parametrize(
    ("width", "hidden"),
    [(420, ""), (282, "p"), (250, "p IoU"), (205, "p IoU px")],
)
def test_names_have_room_and_nothing_scrolls_sideways(
    table: RegionTable, qtbot: Any, width: int, hidden: str
) -> None:
    """A dock of 300 px leaves the table 282; with many rows it has a scroll bar."""
    table.regions.set_review(review(50), ClassSet(["zebra", "ant"]))
    table.setStyleSheet("QScrollBar:vertical { width: 13px } * { font-size: 12px }")
    table.resize(width, 200)
    table.show()
    qtbot.waitUntil(table.verticalScrollBar().isVisible)
    assert not table.horizontalScrollBar().isVisible()
    assert table.horizontalHeader().length() <= table.viewport().width()
    titles = [TITLES[column] for column in Column if table.isColumnHidden(column)]
    assert " ".join(titles) == hidden
    letters = table.fontMetrics()
    room = table.columnWidth(Column.CLASS) - letters.height() - 8
    assert room >= 11 * letters.averageCharWidth()


def test_nothing_to_show(table: RegionTable) -> None:
    table.regions.set_review(None, None)
    assert table.regions.rowCount() == 0
    assert table.regions.next_open(None) is None
    assert table.current() is None
    table.regions.update()


def test_fifty_thousand_regions(qtbot: Any) -> None:
    """Six sorts, a filter and ten decisions; the bound is for a busy machine."""
    table = RegionTable()
    qtbot.addWidget(table)
    table.show()
    regions = review(50_000)
    start = time.perf_counter()
    table.regions.set_review(regions, ClassSet(["zebra", "ant"]))
    for column in range(len(Column)):
        table.sortByColumn(column, Qt.SortOrder.DescendingOrder)
    table.regions.set_filter(class_id=2, status="open")
    for region in range(1, 21, 2):
        table.choose(region)
        regions.accept(region)
        table.regions.next_open(region)
        table.regions.update()
    assert table.regions.rowCount() == 25_000 - 10
    assert time.perf_counter() - start < 10
