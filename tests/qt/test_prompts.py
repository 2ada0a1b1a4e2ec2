from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import wrapt
from napari import Viewer
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer, Points, Shapes
from napari.utils.interactions import (
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)
from napari.utils.key_bindings import KeymapHandler, coerce_keybinding
from qtpy.compat import isalive
from qtpy.QtCore import Qt

from napari_s2clip import ClassSet
from napari_s2clip._qt.prompt_form import ERASE_COLOUR, PromptForm
from napari_s2clip._qt.prompt_keys import KEYS, REDO, UNDO
from napari_s2clip._qt.prompt_layers import LAYER_NAMES
from napari_s2clip._qt.prompt_panel import PromptPanel
from napari_s2clip.image import RGBImage
from napari_s2clip.planes import Channels, Scope
from napari_s2clip.progress import CancelToken, Progress

CLASSES = ClassSet(["cat", "dog"])


@dataclass
class Engine:
    """Makes squares of three pixels around each positive click, or fills the box."""

    seen: list[RGBImage] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    hold: bool = False
    go: threading.Event = field(default_factory=threading.Event)
    waiting: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None

    def embed(self, image: RGBImage, progress: Any, cancel: CancelToken) -> Any:
        self.seen.append(image)
        progress(Progress("refine", 0, 1, "SAM image embedding"))
        self.waiting.set()
        while self.hold and not self.go.wait(0.01):
            cancel.raise_if_cancelled()
        if self.error is not None:
            raise self.error
        return image.pixels.shape[:2]

    def predict(self, embedding: Any, **prompts: Any) -> Any:
        self.asked.append(prompts)
        mask = np.array(prompts.get("mask", np.zeros(embedding, bool)))
        if "box" in prompts:
            x0, y0, x1, y1 = (int(v) for v in prompts["box"])
            mask[y0:y1, x0:x1] = True
        points = prompts.get("points", np.zeros((0, 2)))
        for (x, y), sign in zip(
            points.astype(int), prompts.get("labels", ()), strict=True
        ):
            mask[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2] = bool(sign)
        return mask, 0.75


class Hand:
    """A user at the window: mouse, keys and patience."""

    def __init__(self, viewer: Any, panel: PromptPanel, engine: Engine, qtbot: Any):
        self.viewer, self.panel, self.engine = viewer, panel, engine
        self.qtbot = qtbot

    def event(self, kind: str, position: Any, pos: Any, **more: Any) -> Any:
        """As napari makes one: a point of the world, and one of the screen."""
        usual = {"button": 1, "modifiers": (), "is_dragging": False, "handled": False}
        known = {"type": kind, "position": tuple(position), "pos": np.array(pos, float)}
        # napari puts the next event of a drag into that of the press.
        return wrapt.ObjectProxy(SimpleNamespace(**{**usual, **known, **more}))

    def drag(self, *way: Any, step: float = 20, **more: Any) -> None:
        """Press at the first point of the world, release at the last."""
        layer = self.viewer.layers.selection.active
        mouse_press_callbacks(layer, self.event("mouse_press", way[0], (0, 0), **more))
        for number, point in enumerate(way[1:], 1):
            moved = self.event(
                "mouse_move", point, (step * number, 0), is_dragging=True, **more
            )
            mouse_move_callbacks(layer, moved)
        released = (step * (len(way) - 1), 0)
        mouse_release_callbacks(
            layer, self.event("mouse_release", way[-1], released, **more)
        )

    def click(self, *point: float, wait: bool = True, **more: Any) -> None:
        self.drag(point, **more)
        if wait:
            self.wait()

    def key(self, key: str) -> bool:
        """Press a key on the canvas; whether anybody listens."""
        handler = KeymapHandler()
        handler.keymap_providers = [
            one
            for one in (self.viewer.layers.selection.active, self.viewer)
            if one is not None
        ]
        return handler.press_key(key)

    def wait(self) -> None:
        self.qtbot.waitUntil(lambda: not self.panel.prompted.asker.busy, timeout=20_000)

    @property
    def said(self) -> str:
        return self.panel.form.status.text()

    @property
    def ours(self) -> list[Layer]:
        return [la for la in self.viewer.layers if la.name in LAYER_NAMES]

    @property
    def shown(self) -> list[tuple[int, ...]]:
        """World coordinates of what the preview shows, rounded."""
        preview = self.panel.layers.preview
        return [
            tuple(np.round(preview.data_to_world(p), 3).tolist())
            for p in np.argwhere(preview.data)
        ]


@pytest.fixture
def engine() -> Any:
    engine = Engine()
    yield engine
    engine.go.set()


@pytest.fixture
def hand(engine: Engine, qtbot: Any) -> Iterator[Hand]:
    """A panel with an image of 8 × 12 px and labels for it, without a window."""
    viewer = ViewerModel()
    viewer.add_image(np.full((8, 12, 3), 90, np.uint8), rgb=True, name="photo")
    labels = viewer.add_labels(np.zeros((8, 12), np.uint16), name="refined")
    yield from on_panel(viewer, engine, qtbot, viewer.layers["photo"], labels)


def on_panel(
    viewer: Any, engine: Engine, qtbot: Any, image: Image, labels: Labels
) -> Iterator[Hand]:
    panel = PromptPanel(viewer, engine)
    if hasattr(viewer, "window"):
        viewer.window.add_dock_widget(panel, name="Correct")
    else:
        qtbot.addWidget(panel)
        panel.show()
    panel.set_image(image)
    panel.set_classes(CLASSES)
    panel.set_target(labels)
    hand = Hand(viewer, panel, engine, qtbot)
    yield hand
    # No thread outlives its panel.
    engine.go.set()
    hand.wait()


@pytest.fixture
def windowed(viewer: Any, engine: Engine, qtbot: Any) -> Iterator[Hand]:
    """The same in the dock of a window, started."""
    labels = viewer.add_labels(np.zeros((8, 12), np.uint16), name="refined")
    for hand in on_panel(viewer, engine, qtbot, viewer.layers["photo"], labels):
        press(hand, "toggle")
        hand.wait()
        yield hand


def press(hand: Hand, name: str) -> None:
    hand.qtbot.mouseClick(getattr(hand.panel.form, name), Qt.MouseButton.LeftButton)


@pytest.fixture
def started(hand: Hand) -> Hand:
    press(hand, "toggle")
    hand.wait()
    return hand


def block(rows: Any, columns: Any) -> list[tuple[int, int]]:
    return [(r, c) for r in rows for c in columns]


def test_a_click_shows_a_mask_and_keeping_it_labels_the_pixels(started: Hand) -> None:
    started.click(3, 5)
    assert started.shown == block((2, 3, 4), (4, 5, 6))
    assert started.panel.form.score.text() == "Score: 0.75"
    heard: list[Any] = []
    started.panel.committed.connect(lambda *args: heard.append(args))
    press(started, "commit")
    labels = started.viewer.layers["refined"]
    assert np.argwhere(labels.data == 1).tolist() == [
        list(p) for p in block((2, 3, 4), (4, 5, 6))
    ]
    assert heard[0][0] is labels
    assert len(heard[0][1].index[0]) == 9
    assert started.said == "9 px of refined are now cat."
    assert started.shown == []
    assert not len(started.panel.layers.points.data)
    # One step of undo.
    labels.undo()
    assert not labels.data.any()


def test_the_second_click_encodes_nothing(started: Hand) -> None:
    started.click(3, 5)
    started.click(3, 9)
    assert len(started.engine.seen) == 1
    assert len(started.engine.asked) == 2
    np.testing.assert_array_equal(
        started.engine.asked[1]["points"], [(5.5, 3.5), (9.5, 3.5)]
    )
    press(started, "commit")
    started.click(6, 2)
    assert len(started.engine.seen) == 1


def test_pixels_that_changed_are_encoded_anew(started: Hand) -> None:
    started.click(3, 5)
    press(started, "commit")
    started.viewer.layers["photo"].data[:] = 7
    started.click(3, 5)
    assert [int(image.pixels[0, 0, 0]) for image in started.engine.seen] == [90, 7]
    started.viewer.layers["photo"].data = np.full((8, 12, 3), 8, np.uint8)
    started.click(3, 8)
    assert int(started.engine.seen[-1].pixels[0, 0, 0]) == 8


def test_pixels_that_change_meanwhile_are_encoded_too(hand: Hand) -> None:
    hand.engine.hold = True
    press(hand, "toggle")
    hand.engine.waiting.wait(10)
    hand.click(3, 5, wait=False)
    hand.viewer.layers["photo"].data = np.full((8, 12, 3), 8, np.uint8)
    hand.engine.go.set()
    hand.wait()
    assert int(hand.engine.seen[-1].pixels[0, 0, 0]) == 8
    assert len(hand.shown) == 9


@pytest.mark.parametrize(
    "how",
    [{"modifiers": ("Control",)}, {"modifiers": ("Meta",)}, {"button": 2}],
    ids=["control", "meta", "right button"],
)
def test_a_click_may_be_negative(started: Hand, how: dict[str, Any]) -> None:
    started.click(3, 5)
    started.click(3, 6, **how)
    assert started.engine.asked[-1]["labels"].tolist() == [1, 0]
    points = started.panel.layers.points
    # Told apart by form as well as by colour.
    assert [str(symbol) for symbol in points.symbol] == ["cross", "x"]
    assert not np.array_equal(points.face_color[0], points.face_color[1])
    assert started.shown == block((2, 3, 4), (4,))


def test_clicks_can_be_turned_to_mean_outside(started: Hand) -> None:
    started.click(3, 5)
    assert started.key("N")
    assert started.panel.form.negative.isChecked()
    started.click(3, 6)
    started.click(3, 9, modifiers=("Control",))
    assert started.engine.asked[-1]["labels"].tolist() == [1, 0, 1]
    assert started.key("N")
    assert not started.panel.form.negative.isChecked()


def test_what_is_only_outside_waits_for_the_object(started: Hand) -> None:
    started.click(3, 5, button=2)
    assert not started.engine.asked
    assert "Click on the object" in started.said
    started.key("K")
    assert "no mask yet" in started.said


def test_dragging_with_shift_draws_a_box(started: Hand) -> None:
    started.drag((1, 2), (3, 4), (4, 7), modifiers=("Shift",))
    started.wait()
    np.testing.assert_array_equal(started.engine.asked[-1]["box"], (2.5, 1.5, 7.5, 4.5))
    assert len(started.panel.layers.box.data) == 1
    np.testing.assert_allclose(
        started.panel.layers.box.data[0], [(1, 2), (1, 7), (4, 7), (4, 2)]
    )
    assert started.panel.layers.points.mouse_pan
    press(started, "clear")
    started.wait()
    assert not len(started.panel.layers.box.data)
    assert started.shown == []


def test_a_box_may_begin_outside_the_image(started: Hand) -> None:
    started.drag((-5, -5), (3, 4), modifiers=("Shift",))
    started.wait()
    np.testing.assert_array_equal(started.engine.asked[-1]["box"], (0, 0, 4.5, 3.5))


def test_the_view_stays_while_a_box_is_drawn(started: Hand) -> None:
    points = started.panel.layers.points
    event = started.event("mouse_press", (1, 2), (0, 0), modifiers=("Shift",))
    mouse_press_callbacks(points, event)
    assert not points.mouse_pan
    mouse_release_callbacks(
        points, started.event("mouse_release", (1, 2), (0, 0), modifiers=("Shift",))
    )
    assert points.mouse_pan
    assert not started.panel.prompted.session.prompts


def test_dragging_pans_and_is_no_prompt(started: Hand) -> None:
    started.drag((1, 2), (3, 4))
    started.drag((1, 2), (3, 4), button=2)
    started.drag((1, 2), (3, 4), button=3)
    started.drag((1, 2), modifiers=("Alt",))
    assert not started.panel.prompted.session.prompts
    # A trembling hand clicks.
    started.drag((1, 2), (1, 2), step=3)
    assert len(started.panel.prompted.session.prompts.clicks) == 1


def test_clicks_outside_the_image_are_refused(started: Hand) -> None:
    started.click(3, 30)
    assert "outside the image" in started.said
    assert not started.panel.prompted.session.prompts


def test_every_key_does_what_the_list_says(started: Hand) -> None:
    started.click(3, 5)
    started.click(6, 9)
    assert started.key("U")
    started.wait()
    assert started.shown == block((2, 3, 4), (4, 5, 6))
    assert started.key("Shift-U")
    started.wait()
    assert len(started.shown) == 18
    assert started.key("Q")
    started.wait()
    assert started.shown == []
    assert started.key("U")
    started.wait()
    assert len(started.panel.layers.points.data) == 2
    assert started.key(".")
    assert started.panel.form.classes.currentText() == "dog"
    assert started.key("K")
    labels = started.viewer.layers["refined"]
    assert set(np.unique(labels.data)) == {0, 2}
    # Without a prompt the last commit is taken back.
    assert started.key("U")
    assert not labels.data.any()
    assert started.key(",")
    assert started.panel.form.classes.currentText() == "cat"
    for _ in range(2):
        started.key(",")
    assert started.panel.form.classes.value == 2
    assert set(KEYS.values()) == {"K", "U", "Shift-U", "Q", "N", "G", ",", "."}


def test_no_key_is_naparis_own() -> None:
    """Neither of a layer, nor of the viewer, by default."""
    from napari.utils.shortcuts import default_shortcuts

    taken = {binding for bindings in default_shortcuts.values() for binding in bindings}
    for provider in (Image, Labels, Points, Shapes, Layer, Viewer):
        for cls in provider.__mro__:
            taken |= set(getattr(cls, "class_keymap", {}))
    ours = {coerce_keybinding(key) for key in KEYS.values()}
    assert len(taken) > 60
    assert not ours & taken


@pytest.mark.parametrize("layer", ["photo", "refined", *LAYER_NAMES, None])
def test_keys_act_whichever_layer_is_selected(started: Hand, layer: Any) -> None:
    started.click(3, 5)
    started.viewer.layers.selection.clear()
    if layer is not None:
        started.viewer.layers.selection.active = started.viewer.layers[layer]
    assert started.key("U")
    assert not started.panel.prompted.session.prompts
    assert started.key("Shift-U")
    started.wait()
    assert started.key("K")
    assert (started.viewer.layers["refined"].data == 1).sum() == 9


@pytest.mark.parametrize("layer", LAYER_NAMES)
def test_ctrl_z_on_our_layers_is_the_undo_of_the_panel(
    started: Hand, layer: str
) -> None:
    undo, redo = UNDO, REDO
    labels = started.viewer.layers["refined"]
    started.viewer.layers.selection.active = started.viewer.layers[layer]
    started.click(3, 5)
    started.drag((1, 2), (3, 4), modifiers=("Shift",))
    started.wait()
    assert started.key(undo)
    assert started.panel.prompted.session.prompts.box is None
    assert started.key(redo)
    assert started.panel.prompted.session.prompts.box is not None
    started.key(redo)
    assert started.said == "There is no prompt to bring back."
    started.wait()
    started.key("K")
    assert labels.data.any()
    started.key(undo)
    assert not labels.data.any()
    assert started.said == "The last commit into refined is undone."
    started.key(undo)
    assert started.said == "There is nothing to undo."
    # On the labels it stays their own.
    started.click(3, 5)
    started.key("K")
    started.viewer.layers.selection.active = labels
    started.key(undo)
    assert not labels.data.any()
    started.key("U")
    assert started.said == "Nothing is left of the last commit into refined."


def test_keys_act_in_the_panel_while_prompts_are_made(started: Hand) -> None:
    panel, qtbot = started.panel, started.qtbot
    labels = started.viewer.layers["refined"]
    panel.activateWindow()
    panel.form.toggle.setFocus()
    qtbot.waitUntil(panel.form.toggle.hasFocus)
    control = Qt.KeyboardModifier.ControlModifier
    started.click(3, 5)
    qtbot.keyClick(panel, Qt.Key.Key_K)
    assert labels.data.any()
    qtbot.keyClick(panel, Qt.Key.Key_Z, control)
    assert not labels.data.any()
    press(started, "toggle")
    qtbot.keyClick(panel, Qt.Key.Key_N)
    assert not panel.form.negative.isChecked()


def test_a_commit_is_taken_back_but_for_what_was_painted_since(started: Hand) -> None:
    labels = started.viewer.layers["refined"]
    started.click(3, 5)
    started.key("K")
    labels.data_setitem((np.array([3]), np.array([5])), 2)
    started.key("U")
    assert np.argwhere(labels.data).tolist() == [[3, 5]]
    started.click(6, 9)
    started.key("K")
    started.viewer.layers.remove(labels)
    started.key("U")
    assert started.said == "refined was removed, and the last commit with it."


def test_clicks_on_other_layers_are_theirs(started: Hand) -> None:
    started.viewer.layers.selection.active = started.viewer.layers["refined"]
    started.click(3, 5)
    assert not started.panel.prompted.session.prompts


def test_buttons_are_as_the_keys(started: Hand) -> None:
    form = started.panel.form
    names = ("commit", "clear", "undo", "redo")
    assert [getattr(form, n).isEnabled() for n in names] == [False] * 4
    started.click(3, 5)
    assert [getattr(form, n).isEnabled() for n in names] == [True, True, True, False]
    press(started, "undo")
    assert [getattr(form, n).isEnabled() for n in names] == [False, False, False, True]
    press(started, "redo")
    started.wait()
    assert len(started.shown) == 9
    press(started, "clear")
    assert started.shown == []


def test_other_classes_are_kept_unless_asked(started: Hand) -> None:
    labels = started.viewer.layers["refined"]
    labels.data[:, :6] = 2
    started.click(3, 5)
    started.key("K")
    assert [(labels.data == v).sum() for v in (1, 2)] == [3, 48]
    started.click(3, 2)
    started.key("K")
    assert "all pixels have a class" in started.said
    assert started.panel.prompted.session.prompts
    started.panel.form.overwrite.click()
    started.key("K")
    assert [(labels.data == v).sum() for v in (1, 2)] == [12, 39]
    started.click(3, 2)
    started.key("K")
    assert "all pixels are cat already" in started.said


def test_pixels_can_be_made_background(started: Hand) -> None:
    labels = started.viewer.layers["refined"]
    labels.data[:] = 2
    form = started.panel.form
    form.classes.setCurrentIndex(form.classes.findText("background (erase)"))
    started.click(3, 5)
    started.key("K")
    assert (labels.data == 0).sum() == 9


def test_a_label_under_the_pointer_is_improved(started: Hand) -> None:
    labels = started.viewer.layers["refined"]
    labels.data[1:3, 2:5] = 2
    labels.data[6, 8] = 2
    started.viewer.cursor.position = (2.2, 3.1)
    started.key("G")
    started.wait()
    mask = started.engine.asked[-1]["mask"]
    assert np.argwhere(mask).tolist() == [list(p) for p in block((1, 2), (2, 3, 4))]
    started.viewer.cursor.position = (5, 5)
    started.key("G")
    assert "no label under the pointer" in started.said


def test_the_preview_has_the_colour_of_the_class(started: Hand) -> None:
    started.click(3, 5)
    preview = started.panel.layers.preview

    def colour() -> list[int]:
        return [round(255 * v) for v in preview.colormap.color_dict[1][:3]]

    assert colour() == [0x56, 0xB4, 0xE9]
    started.key(".")
    assert colour() == [0xD5, 0x5E, 0x00]


def test_a_large_mask_has_an_inside_and_an_edge(started: Hand) -> None:
    started.drag((0.5, 0.5), (7.4, 11.4), modifiers=("Shift",))
    started.wait()
    assert set(np.unique(started.panel.layers.preview.data)) == {0, 1, 2}


def test_only_the_newest_prompt_waits(started: Hand) -> None:
    engine = started.engine
    started.viewer.layers["photo"].data = np.full((8, 12, 3), 8, np.uint8)
    engine.hold = True
    engine.waiting.clear()
    started.click(3, 5, wait=False)
    engine.waiting.wait(10)
    for column in (6, 7, 8):
        started.click(3, column, wait=False)
    started.qtbot.waitUntil(lambda: not started.panel.form.bar.isHidden())
    assert "Encoding" in started.said
    engine.go.set()
    started.wait()
    # The first and the last; nothing of the first was shown.
    assert [len(asked["points"]) for asked in engine.asked] == [1, 4]
    assert started.shown == block((2, 3, 4), (4, 5, 6, 7, 8, 9))
    assert started.panel.form.bar.isHidden()


def test_keeping_waits_for_the_mask_of_the_last_click(started: Hand) -> None:
    started.click(3, 5, wait=False)
    started.key("K")
    started.wait()
    assert (started.viewer.layers["refined"].data == 1).sum() == 9


def test_a_result_that_is_no_longer_wanted_is_not_shown(started: Hand) -> None:
    started.click(3, 5, wait=False)
    started.key("U")
    started.wait()
    assert started.shown == []
    assert started.panel.prompted.found is None


def test_encoding_can_be_cancelled(hand: Hand) -> None:
    hand.engine.hold = True
    press(hand, "toggle")
    hand.click(3, 5, wait=False)
    hand.qtbot.waitUntil(lambda: not hand.panel.form.cancel.isHidden())
    press(hand, "cancel")
    hand.wait()
    assert "Cancelled" in hand.said
    assert hand.panel.form.cancel.isHidden()
    assert len(hand.panel.prompted.session.prompts.clicks) == 1
    assert not hand.engine.asked
    hand.engine.go.set()
    hand.click(3, 8)
    assert len(hand.engine.asked[-1]["points"]) == 2


def test_stopping_while_encoding_leaves_nothing(hand: Hand) -> None:
    hand.engine.hold = True
    press(hand, "toggle")
    hand.engine.waiting.wait(10)
    press(hand, "toggle")
    hand.wait()
    assert not hand.ours
    assert hand.panel.form.bar.isHidden()
    hand.engine.go.set()
    press(hand, "toggle")
    hand.wait()
    hand.click(3, 5)
    assert len(hand.shown) == 9


OURS = {coerce_keybinding(key) for key in KEYS.values()}


def everything_is_gone(hand: Hand) -> bool:
    viewer = hand.viewer
    return (
        not hand.ours
        and not hand.panel.active
        and not hand.panel.form.toggle.isChecked()
        and not any(
            "prompt" in getattr(callback, "__module__", "")
            for callback in (
                *viewer.mouse_drag_callbacks,
                *(c for la in viewer.layers for c in la.mouse_drag_callbacks),
            )
        )
        and not OURS & set(viewer.keymap)
    )


def test_stopping_takes_everything_away(started: Hand) -> None:
    layers, viewer = started.ours, started.viewer
    assert len(layers) == 3
    assert set(viewer.keymap) >= OURS
    assert all(coerce_keybinding(UNDO) in layer.keymap for layer in layers)
    assert not any(layer.editable for layer in layers)
    started.click(3, 5)
    press(started, "toggle")
    assert everything_is_gone(started)
    assert not any(layer.keymap or layer.mouse_drag_callbacks for layer in layers)
    assert started.said == ""
    assert viewer.layers.selection.active is viewer.layers["refined"]


def test_leaving_the_page_takes_everything_away(windowed: Hand) -> None:
    """It is hidden, closed, or taken out of its dock."""
    panel, window = windowed.panel, windowed.viewer.window
    for leave, come_back in (
        (panel.hide, panel.show),
        (panel.close, panel.show),
        (lambda: window.remove_dock_widget(panel), None),
    ):
        assert not everything_is_gone(windowed)
        windowed.click(3, 5)
        leave()
        assert everything_is_gone(windowed)
        if come_back is not None:
            come_back()
            panel.start()
    windowed.qtbot.addWidget(panel)


def test_keys_go_with_a_panel_that_is_deleted(started: Hand) -> None:
    viewer, panel = started.viewer, PromptPanel(started.viewer, started.engine)
    started.panel.stop()
    panel.set_image(viewer.layers["photo"])
    panel.start()
    assert set(viewer.keymap) >= OURS
    started.qtbot.waitUntil(lambda: not panel.prompted.asker.busy)
    panel.deleteLater()
    started.qtbot.waitUntil(lambda: not isalive(panel))
    assert not OURS & set(viewer.keymap)


@pytest.mark.parametrize("name", ["photo", *LAYER_NAMES])
def test_removing_a_layer_takes_everything_away(started: Hand, name: str) -> None:
    started.click(3, 5)
    started.viewer.layers.remove(started.viewer.layers[name])
    started.qtbot.waitUntil(lambda: everything_is_gone(started))
    assert "was removed" in started.said
    if name == "photo":
        press(started, "toggle")
        assert "no image" in started.said
        assert not started.panel.form.toggle.isChecked()


def test_removing_the_image_while_it_is_encoded(hand: Hand) -> None:
    hand.engine.hold = True
    press(hand, "toggle")
    hand.click(3, 5, wait=False)
    hand.viewer.layers.remove("photo")
    hand.engine.go.set()
    hand.wait()
    hand.qtbot.waitUntil(lambda: everything_is_gone(hand))


def test_choosing_another_image_ends_the_prompts(started: Hand) -> None:
    other = started.viewer.add_image(np.zeros((8, 12)), name="other")
    started.panel.set_image(other)
    assert everything_is_gone(started)


def test_labels_that_are_gone_are_said_so(started: Hand) -> None:
    started.viewer.layers.remove("refined")
    started.click(3, 5)
    started.key("K")
    assert "no labels to correct" in started.said
    assert started.panel.prompted.session.prompts


@pytest.mark.parametrize(
    "options", [{"scale": (2, 2)}, {"translate": (0.5, 0)}, {"translate": (1, 0)}]
)
def test_labels_that_do_not_fit_are_said_so(
    started: Hand, options: dict[str, Any]
) -> None:
    other = started.viewer.add_labels(np.zeros((8, 12), int), name="odd", **options)
    started.panel.set_target(other)
    started.panel.layers.activate()
    started.click(3, 5)
    started.key("K")
    assert "'odd': its pixels do not lie on those of the image" in started.said
    assert not other.data.any()


def test_a_class_that_the_labels_cannot_hold_is_said_so(started: Hand) -> None:
    small = started.viewer.add_labels(np.zeros((8, 12), np.uint8), name="small")
    started.panel.set_target(small)
    started.panel.set_classes(ClassSet([f"class {i}" for i in range(300)]))
    started.panel.form.classes.setCurrentIndex(299)
    started.panel.layers.activate()
    started.click(3, 5)
    started.key("K")
    assert "class id 300" in started.said


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("points: give some"), "points: give some"),
        (RuntimeError("no idea"), "RuntimeError: no idea"),
        (MemoryError(), "there is not enough memory for this"),
    ],
)
def test_errors_are_one_line(hand: Hand, error: Exception, message: str) -> None:
    hand.engine.error = error
    press(hand, "toggle")
    hand.wait()
    assert hand.said == message
    hand.engine.error = None
    hand.click(3, 5)
    assert len(hand.shown) == 9


def test_a_missing_file_of_the_model_is_a_sentence(hand: Hand) -> None:
    from napari_s2clip.models.errors import WeightsNotFound

    hand.engine.error = WeightsNotFound("SAM ViT-B is not here", "pass weights=")
    press(hand, "toggle")
    hand.wait()
    assert hand.said == "SAM ViT-B is not here"


def test_without_a_model_one_is_asked_for(hand: Hand) -> None:
    hand.panel.set_engine(None)
    asked: list[bool] = []
    hand.panel.needs_model.connect(lambda: asked.append(True))
    press(hand, "toggle")
    assert asked == [True]
    assert "No model is loaded" in hand.said
    hand.click(3, 5)
    hand.panel.set_engine(hand.engine)
    hand.wait()
    assert len(hand.shown) == 9


def test_another_model_encodes_anew(started: Hand) -> None:
    started.click(3, 5)
    other = Engine()
    started.panel.set_engine(other)
    started.wait()
    assert len(other.seen) == 1
    assert len(other.asked) == 1


def test_an_embedding_of_a_run_is_used(hand: Hand) -> None:
    image = RGBImage(np.full((8, 12, 3), 90, np.uint8))
    hand.panel.remember(image, (8, 12))
    press(hand, "toggle")
    hand.wait()
    hand.click(3, 5)
    assert len(hand.shown) == 9
    assert not hand.engine.seen


def test_the_choice_of_a_class_stays(qtbot: Any) -> None:
    form = PromptForm()
    qtbot.addWidget(form)
    form.show_classes(CLASSES)
    assert form.classes.value == 1
    form.classes.setCurrentIndex(1)
    form.show_classes(ClassSet(["ant", "bee", "cat"]))
    assert form.classes.currentText() == "bee"
    form.show_classes(ClassSet(["ant"]))
    assert form.classes.currentText() == "ant"
    form.show_classes(None)
    assert form.classes.value is None
    assert form.colour == ERASE_COLOUR


@pytest.fixture
def other(engine: Engine, qtbot: Any) -> Iterator[Callable[..., Hand]]:
    """A panel for an image of one's own; labels are whole by default."""
    with ExitStack() as stack:

        def make(image: Any, labels: Any, place: Any = None, **options: Any) -> Hand:
            viewer = ViewerModel()
            layer = viewer.add_image(image, name="other", **options)
            if place is None:
                names = ("scale", "rotate", "translate", "shear")
                place = {name: options[name] for name in names if name in options}
            target = viewer.add_labels(labels, name="target", **place)
            scene = contextmanager(on_panel)(viewer, engine, qtbot, layer, target)
            return stack.enter_context(scene)

        yield make


def begin(hand: Hand) -> None:
    hand.panel.start()
    hand.wait()


def test_a_stack_is_corrected_slice_by_slice(other: Any) -> None:
    stack = np.arange(4, dtype=np.uint8)[:, None, None] * np.ones((4, 8, 12), np.uint8)
    hand = other(stack, np.zeros((4, 8, 12), np.uint16), contrast_limits=(0, 255))
    hand.viewer.dims.set_point(0, 2)
    begin(hand)
    assert int(hand.engine.seen[-1].pixels[0, 0, 0]) == 2
    hand.click(2, 3, 5)
    hand.key("K")
    labels = hand.viewer.layers["target"]
    assert np.argwhere(labels.data)[:, 0].tolist() == [2] * 9
    hand.viewer.dims.set_point(0, 1)
    hand.qtbot.waitUntil(lambda: hand.panel.layers.plane.position == (1,))
    hand.wait()
    assert hand.panel.layers.active
    hand.click(1, 6, 5)
    assert all(point[0] == 1 for point in hand.shown)
    hand.key("K")
    assert [int((labels.data[i] == 1).sum()) for i in range(4)] == [0, 9, 9, 0]
    assert hand.key("U")
    assert not labels.data[1].any()


def test_prompts_stay_when_one_looks_at_another_slice(other: Any) -> None:
    hand = other(np.zeros((4, 8, 12), np.uint8), np.zeros((4, 8, 12), np.uint16))
    hand.viewer.dims.set_point(0, 2)
    begin(hand)
    hand.click(2, 3, 5)
    hand.viewer.dims.set_point(0, 0)
    hand.qtbot.waitUntil(lambda: "another slice" in hand.said)
    assert len(hand.panel.prompted.session.prompts.clicks) == 1
    # A click there begins anew there.
    hand.drag((0, 3, 5))
    hand.qtbot.waitUntil(lambda: hand.panel.layers.plane.position == (0,))
    hand.wait()
    hand.click(0, 3, 5)
    hand.key("K")
    assert np.argwhere(hand.viewer.layers["target"].data)[:, 0].tolist() == [0] * 9


def test_labels_of_one_slice_are_no_labels_of_another(other: Any) -> None:
    hand = other(
        np.zeros((4, 8, 12), np.uint8),
        np.zeros((1, 8, 12), np.uint16),
        {"translate": (3, 0, 0)},
    )
    hand.viewer.dims.set_point(0, 3)
    begin(hand)
    hand.click(3, 3, 5)
    hand.key("K")
    target = hand.viewer.layers["target"]
    assert target.data.sum() == 9
    hand.viewer.dims.set_point(0, 1)
    hand.qtbot.waitUntil(lambda: hand.panel.layers.plane.position == (1,))
    hand.wait()
    hand.click(1, 6, 5)
    hand.key("K")
    assert "do not lie on those of the image" in hand.said
    assert target.data.sum() == 9


def test_a_scaled_and_rotated_image_is_clicked_where_one_looks(other: Any) -> None:
    place = {"scale": (0.5, 2), "rotate": 30, "translate": (10, -3), "shear": [0.2]}
    hand = other(np.zeros((8, 12), np.uint8), np.zeros((8, 12), np.uint16), **place)
    begin(hand)
    image = hand.viewer.layers["other"]
    hand.click(*image.data_to_world((3, 5)))
    np.testing.assert_allclose(hand.engine.asked[-1]["points"], [(5.5, 3.5)])
    middle = np.round(image.data_to_world((3, 5)), 3)
    assert tuple(middle.tolist()) in hand.shown
    hand.key("K")
    labels = hand.viewer.layers["target"].data
    assert np.argwhere(labels).tolist() == [
        list(p) for p in block((2, 3, 4), (4, 5, 6))
    ]


def test_transposed_axes_are_clicked_where_one_looks(other: Any) -> None:
    hand = other(np.zeros((4, 8, 12), np.uint8), np.zeros((4, 8, 12), np.uint16))
    # Columns are the slider, the first axis and rows are shown, upside down.
    hand.viewer.dims.order = (2, 1, 0)
    hand.viewer.dims.set_point(2, 9)
    begin(hand)
    assert hand.engine.seen[-1].pixels.shape == (4, 8, 3)
    hand.click(1, 6, 9)
    hand.key("K")
    assert np.argwhere(hand.viewer.layers["target"].data).tolist() == [
        [a, b, 9] for a in (0, 1, 2) for b in (5, 6, 7)
    ]


def test_three_dimensions_are_looked_at_only(other: Any) -> None:
    hand = other(np.zeros((4, 8, 12), np.uint8), np.zeros((4, 8, 12), np.uint16))
    told = hand.panel.form.in_3d
    hand.viewer.dims.ndisplay = 3
    assert told.isHidden()
    begin(hand)
    assert not told.isHidden()
    assert "Switch it back" in told.text()
    hand.click(2, 3, 5)
    hand.key("G")
    assert not hand.panel.prompted.session.prompts
    hand.viewer.dims.ndisplay = 2
    assert told.isHidden()
    hand.click(*hand.viewer.dims.point[:1], 3, 5)
    assert len(hand.panel.prompted.session.prompts.clicks) == 1
    hand.viewer.dims.ndisplay = 3
    assert not told.isHidden()
    hand.panel.stop()
    assert told.isHidden()


def test_a_level_of_a_pyramid_is_corrected(other: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("napari_s2clip.planes.target.MAX_SIDE", 20)
    levels = [np.zeros((32, 48), np.uint8), np.zeros((16, 24), np.uint8)]
    levels.append(np.zeros((8, 12), np.uint8))
    hand = other(
        levels,
        np.zeros((8, 12), np.uint16),
        {"scale": (4, 4), "translate": (1.5, 1.5)},
        multiscale=True,
    )
    begin(hand)
    assert hand.engine.seen[-1].pixels.shape == (8, 12, 3)
    hand.click(13, 22)
    hand.key("K")
    assert np.argwhere(hand.viewer.layers["target"].data).tolist() == [
        list(p) for p in block((2, 3, 4), (4, 5, 6))
    ]


def test_channels_and_level_are_those_of_the_run(other: Any) -> None:
    cube = np.zeros((2, 3, 8, 12), np.uint8)
    cube[:, 0], cube[:, 2] = 10, 30
    hand = other(cube, np.zeros((2, 1, 8, 12), np.uint16), {"translate": (0, 1, 0, 0)})
    channels = Channels(axis=1, red=2, green=1, blue=0)
    hand.panel.set_scope(Scope(ranges=((0, 0, 1),), channels=channels))
    hand.viewer.dims.set_point(0, 1)
    begin(hand)
    assert hand.engine.seen[-1].pixels[0, 0].tolist()[0] > 0
    hand.click(1, 0, 3, 5)
    hand.key("K")
    labels = hand.viewer.layers["target"].data
    assert np.argwhere(labels)[:, :2].tolist() == [[1, 0]] * 9
    # Channels as rows are no picture.
    hand.viewer.dims.order = (0, 2, 1, 3)
    hand.qtbot.waitUntil(lambda: not hand.panel.active)
    assert "shown on the canvas" in hand.said
    assert not hand.ours
    hand.viewer.dims.order = (0, 1, 2, 3)
    hand.panel.start()
    hand.panel.set_scope(Scope(channels=Channels(axis=1, red=9, green=1, blue=0)))
    assert not hand.panel.active
    hand.panel.start()
    assert "no channel 9" in hand.said
    assert not hand.panel.active


def test_of_a_large_image_a_part_is_encoded(other: Any) -> None:
    import dask.array

    rows = dask.array.arange(3000, chunks=500, dtype=np.uint16)
    data = rows[:, None] * dask.array.ones(2500, np.uint16, chunks=500)
    hand = other(data, np.zeros((3000, 2500), np.uint16), contrast_limits=(0, 3000))
    begin(hand)
    hand.click(2200, 1000)
    assert hand.engine.seen[-1].pixels.shape == (1024, 1024, 3)
    assert hand.panel.layers.preview.data.shape == (1024, 1024)
    assert set(hand.shown) == set(block((2199, 2200, 2201), (999, 1000, 1001)))
    encoded = len(hand.engine.seen)
    hand.click(2300, 1100)
    assert len(hand.engine.seen) == encoded
    hand.key("K")
    labels = hand.viewer.layers["target"].data
    assert labels[2200, 1000] == labels[2301, 1101] == 1
    assert labels.sum() == 18
    # Beyond what was encoded.
    hand.click(2990, 2490)
    assert len(hand.engine.seen) == encoded + 1
    assert (2990, 2490) in hand.shown


def test_of_a_large_label_what_is_around_the_pointer_is_improved(other: Any) -> None:
    labels = np.zeros((3000, 2500), np.uint16)
    labels[100:] = 2
    hand = other(np.zeros((3000, 2500), np.uint8), labels)
    begin(hand)
    hand.viewer.cursor.position = (1500, 1200)
    hand.key("G")
    hand.wait()
    start = hand.panel.prompted.session.prompts.start
    assert start.window.corners == (476, 176, 2524, 2224)
    assert start.mask.all()


def test_prompts_too_far_apart_are_refused(other: Any) -> None:
    import dask.array

    data = dask.array.zeros((9000, 100), np.uint8, chunks=500)
    hand = other(data, np.zeros((9000, 100), np.uint16), contrast_limits=(0, 1))
    begin(hand)
    hand.click(10, 10)
    hand.click(8990, 10)
    assert "px apart" in hand.said
    hand.key("U")
    hand.wait()
    assert (10, 10) in hand.shown


def test_two_viewers_have_prompts_of_their_own(started: Hand, other: Any) -> None:
    second = other(np.zeros((8, 12), np.uint8), np.zeros((8, 12), np.uint16))
    begin(second)
    started.click(3, 5)
    assert not second.panel.prompted.session.prompts
    second.panel.stop()
    assert len(started.ours) == 3
    assert len(started.shown) == 9
    assert started.key("K")


def test_everything_is_reached_by_keyboard_and_explained(qtbot: Any) -> None:
    form = PromptForm()
    qtbot.addWidget(form)
    for name in ("toggle", "classes", "overwrite", "negative", "commit", "undo"):
        control = getattr(form, name)
        assert control.toolTip(), name
        assert control.focusPolicy() & Qt.FocusPolicy.TabFocus, name
    for name in ("redo", "clear", "cancel"):
        assert getattr(form, name).toolTip(), name
    mnemonics = [
        text[text.index("&") + 1].lower()
        for text in (
            getattr(form, name).text()
            for name in ("toggle", "overwrite", "negative", "commit", "undo", "redo")
        )
    ]
    assert len(set(mnemonics)) == len(mnemonics)
    shown = {",": "Comma", ".": "Period", "Shift-U": "Shift+U"}
    for key in KEYS.values():
        assert f"<b>{shown.get(key, key)}</b>" in form.help.text()


def test_real_mouse_events_and_keys_reach_the_prompts(windowed: Hand) -> None:
    """Through Qt and the canvas, as a hand would."""
    started, viewer, qtbot = windowed, windowed.viewer, windowed.qtbot
    viewer.window.show()
    viewer.reset_view()
    canvas = viewer.window._qt_viewer.canvas
    native = canvas.native
    qtbot.waitUntil(lambda: native.width() > 100 and native.isVisible())
    qtbot.wait(50)

    def on_screen(row: float, column: float) -> Any:
        from qtpy.QtCore import QPoint

        view = canvas.view
        transform = view.transform * view.scene.transform
        x, y = transform.map([column, row])[:2]
        return QPoint(round(x), round(y))

    left = Qt.MouseButton.LeftButton
    qtbot.mouseClick(native, left, pos=on_screen(3, 5))
    started.wait()
    assert len(started.panel.prompted.session.prompts.clicks) == 1
    click = started.panel.prompted.session.prompts.clicks[0]
    assert (click.x, click.y) == pytest.approx((5.5, 3.5), abs=0.1)
    control = Qt.KeyboardModifier.ControlModifier
    qtbot.mouseClick(native, left, control, pos=on_screen(3, 9))
    right = Qt.MouseButton.RightButton
    qtbot.mouseClick(native, right, pos=on_screen(6, 9))
    assert [c.positive for c in started.panel.prompted.session.prompts.clicks] == [
        True,
        False,
        False,
    ]
    # Real keys: the last click is taken back, and the mask goes into the labels.
    native.setFocus()
    qtbot.keyClick(native, Qt.Key.Key_Z, control)
    started.wait()
    assert len(started.panel.prompted.session.prompts.clicks) == 2
    viewer.layers.selection.active = viewer.layers["photo"]
    qtbot.keyClick(native, Qt.Key.Key_K)
    assert (viewer.layers["refined"].data == 1).any()
