"""Models in the dock: files come from a real server, the models are fake."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from qtpy.QtCore import QPoint
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QScrollArea

from napari_s2clip.models.own import catalogue
from napari_s2clip.models.own_presets import preset_with_file


@pytest.fixture
def fast(widget: Any, published: Any) -> Any:
    """The widget with a preset whose files are published, and none is here."""
    widget.models.reload()
    widget.models.choose("fast")
    return widget


@pytest.fixture
def rows(fast: Any) -> Any:
    """The rows of the open window, by part."""
    fast.models.state.models_button.click()
    return {row.card.role: row for row in fast.desk.dialog.rows}


def shown(row: Any) -> list[str]:
    """The texts of a row's buttons."""
    return [b.text() for b in row.buttons.values() if not b.isHidden()]


def until_told(qtbot: Any, row: Any, words: str) -> None:
    """Wait for the last words of what is done to a file."""
    qtbot.waitUntil(
        lambda: words in row.words.text() and row.bar.isHidden(), timeout=60_000
    )


def lock_is_free(fresh_user: Path) -> bool:
    path = fresh_user / "cache" / "locks" / "clip-b-16.lock"
    with FileLock(path, timeout=5):
        return True


def test_a_missing_model_is_asked_for_downloaded_and_run(
    viewer: Any, fast: Any, models: Any, files: Any, finish: Any
) -> None:
    fast.run.button.click()
    assert not fast.run.running
    question = fast.models.state.details.text()
    assert question.startswith(
        "690 kB must be downloaded: CLIP ViT-B/16 (OpenAI) (270 kB), "
    )
    assert fast.models.state.asks
    assert files.log == []
    assert models.calls == []
    fast.models.state.download_button.click()
    assert fast.run.button.text() == "Cancel"
    assert not fast.models.state.asks
    finish(fast)
    assert [call[0] for call in models.calls] == ["load", "encode", "segment"]
    assert models.loaded[0][1] == ("clip", "vfm", "sam")
    assert fast.models.state.label.text() == "On this computer"
    assert len(viewer.layers) == 4


def test_nothing_of_the_question_is_cut_off(
    viewer: Any, published: Any, models: Any, qtbot: Any
) -> None:
    from napari_s2clip._qt.widget import S2CLIPWidget

    widget = S2CLIPWidget(napari_viewer=viewer)
    qtbot.addWidget(widget)
    widget.classes.set_lines("cat")
    widget.models.choose("fast")
    widget.resize(276, 560)
    widget.show()
    qtbot.waitExposed(widget)
    widget.start()
    state = widget.models.state
    needed = state.details.heightForWidth(state.details.width())
    assert needed > 2 * state.details.fontMetrics().height()
    qtbot.waitUntil(lambda: state.details.height() >= needed)
    view = widget.findChild(QScrollArea).viewport()
    bottom = state.download_button.mapTo(view, QPoint(0, 0)).y()
    assert 0 < bottom < view.height() - state.download_button.height()


def test_a_lost_file_of_one_s_own_is_named(
    fast: Any, tmp_path: Path, files: Any
) -> None:
    path = tmp_path / "mine.pth"
    path.write_bytes(b"x")
    spec = preset_with_file(fast.models.spec, "sam", path)
    path.unlink()
    fast.models.reload()
    fast.models.choose(spec.name)
    assert fast.models.state.details.text() == "Missing: mine.pth"
    fast.start()
    assert not fast.run.running
    assert str(path) in fast.run.status.toolTip()
    assert files.log == []


def test_the_question_is_taken_back_with_another_preset(fast: Any) -> None:
    fast.start()
    fast.models.choose("demo")
    assert fast.models.state.label.text() == "Built in"
    assert not fast.models.state.asks


def test_only_what_the_method_asks_is_loaded(
    fast: Any, models: Any, finish: Any, have: Any
) -> None:
    have("clip", "sam")
    box = fast.models.method_box
    box.setCurrentIndex(box.findData("maskclip"))
    fast.start()
    finish(fast)
    assert models.loaded[-1][1] == ("clip", "sam")
    # Another method needs one more; its file was not there when the others were loaded.
    box.setCurrentIndex(box.findData("s2clip"))
    have()
    fast.start()
    finish(fast)
    assert models.loaded[-1][1] == ("clip", "vfm", "sam")
    assert models.count("load") == 2


def test_another_precision_loads_again(widget: Any, models: Any, finish: Any) -> None:
    for precision in ("fp32", "fp32", "bf16"):
        widget.models.where.choose("cpu", precision)
        widget.start()
        finish(widget)
    assert [loaded[0] for loaded in models.loaded] == ["fp32", "bf16"]


def test_a_download_before_a_run_can_be_cancelled(
    fast: Any, models: Any, files: Any, finish: Any, qtbot: Any, fresh_user: Path
) -> None:
    pause = files.faults.pause_after(100_000)
    fast.start(download=True)
    qtbot.waitUntil(pause.reached.is_set, timeout=30_000)
    qtbot.waitUntil(lambda: "CLIP ViT-B/16" in fast.run.status.text(), timeout=30_000)
    fast.run.button.click()
    finish(fast)
    assert fast.run.status.text().startswith("Cancelled")
    assert models.calls == []
    assert lock_is_free(fresh_user)


def test_offline_nothing_is_offered(
    fast: Any, files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_S2CLIP_OFFLINE", "1")
    fast.start()
    assert "the network may not be used" in fast.models.state.details.text()
    assert not fast.models.state.asks
    assert files.log == []


def test_rows_say_what_a_model_is(fast: Any, rows: Any, have: Any) -> None:
    clip = rows["clip"]
    assert clip.state.text() == "to download · 270 kB · MIT"
    assert "fastest CLIP" in clip.about.text()
    assert "Radford et al. 2021" in clip.toolTip()
    assert f"{clip.card.sha256} (published)" in clip.toolTip()
    assert clip.card.url in clip.toolTip()
    assert shown(clip) == ["Download", "Choose a file…"]
    have()
    fast.desk.dialog.refresh()
    assert clip.state.text() == "on this computer · 270 kB · MIT"
    assert shown(clip) == ["Choose a file…", "Verify", "Remove", "Open folder"]
    fast.models.choose("demo")
    assert shown(fast.desk.dialog.rows[0]) == []
    assert fast.desk.dialog.rows[0].state.text() == "built in · 19.0 MB · BSD-3-Clause"
    fast.desk.dialog.all_box.setChecked(True)
    assert len(fast.desk.dialog.rows) == len(catalogue().cards)


def test_download_with_progress(fast: Any, rows: Any, files: Any, qtbot: Any) -> None:
    clip = rows["clip"]
    pause = files.faults.pause_after(135_000)
    clip.buttons["download"].click()
    assert shown(clip) == ["Cancel"]
    qtbot.waitUntil(pause.reached.is_set, timeout=30_000)
    qtbot.waitUntil(lambda: clip.bar.value() > 0, timeout=30_000)
    assert "of 270 kB" in clip.words.text()
    # The dock says it too, also when the window is closed.
    fast.desk.dialog.close()
    qtbot.waitUntil(lambda: "of 270 kB" in fast.models.state.details.text())
    fast.models.state.models_button.click()
    pause.resume()
    qtbot.waitUntil(lambda: "Verify" in shown(clip), timeout=60_000)
    assert clip.words.isHidden()
    assert fast.models.state.label.text() == "420 kB to download"


def test_cancel_error_and_retry(
    rows: Any, files: Any, qtbot: Any, fresh_user: Path
) -> None:
    clip = rows["clip"]
    pause = files.faults.pause_after(135_000)
    clip.buttons["download"].click()
    qtbot.waitUntil(pause.reached.is_set, timeout=30_000)
    clip.buttons["cancel"].click()
    until_told(qtbot, clip, "Cancelled")
    assert lock_is_free(fresh_user)
    files.faults.status(403)
    clip.buttons["download"].click()
    until_told(qtbot, clip, "403")
    # It stays readable, until the next attempt.
    assert "clip-b-16.pth" in clip.words.text()
    assert shown(clip)[0] == "Download"
    clip.buttons["download"].click()
    qtbot.waitUntil(lambda: "Verify" in shown(clip), timeout=60_000)
    assert clip.words.text() == ""


def test_an_error_is_said_in_the_dock_when_the_window_is_closed(
    fast: Any, rows: Any, files: Any, qtbot: Any
) -> None:
    files.faults.status(403)
    rows["clip"].buttons["download"].click()
    fast.desk.dialog.close()
    details = fast.models.state.details
    qtbot.waitUntil(lambda: "403" in details.text(), timeout=30_000)
    assert fast.models.state.label.text() == "690 kB to download"


def test_another_preset_may_be_chosen_during_a_download(
    fast: Any, rows: Any, files: Any, qtbot: Any
) -> None:
    pause = files.faults.pause_after(135_000)
    rows["clip"].buttons["download"].click()
    qtbot.waitUntil(pause.reached.is_set, timeout=30_000)
    fast.models.choose("demo")
    assert fast.models.state.label.text() == "Built in"
    fast.models.choose("fast")
    qtbot.waitUntil(lambda: shown(fast.desk.dialog.rows[0]) == ["Cancel"])
    fast.models.choose("demo")
    pause.resume()
    card = rows["clip"].card
    qtbot.waitUntil(lambda: fast.desk.transfers.of(card) is None, timeout=60_000)
    fast.models.choose("fast")
    assert fast.models.state.label.text() == "420 kB to download"


@pytest.mark.parametrize("leave", ["close the window", "remove the dock"])
def test_leaving_ends_a_download(
    viewer: Any,
    fast: Any,
    rows: Any,
    files: Any,
    qtbot: Any,
    fresh_user: Path,
    leave: str,
) -> None:
    from napari.qt.threading import FunctionWorker

    pause = files.faults.pause_after(135_000)
    rows["clip"].buttons["download"].click()
    qtbot.waitUntil(pause.reached.is_set, timeout=30_000)
    if leave == "close the window":
        viewer.close()
    else:
        viewer.window.remove_dock_widget(fast)
        assert not fast.desk.dialog.isVisible()
    FunctionWorker.await_workers(10_000)
    assert lock_is_free(fresh_user)
    assert not (fresh_user / "cache" / "clip-b-16" / "clip-b-16.pth").exists()


def test_verify_and_remove(
    fast: Any, have: Any, rows: Any, qtbot: Any, fresh_user: Path
) -> None:
    have()
    fast.desk.dialog.refresh()
    clip = rows["clip"]
    clip.buttons["verify"].click()
    until_told(qtbot, clip, "Sound: its checksum is the one that was published.")
    path = fresh_user / "cache" / "clip-b-16" / "clip-b-16.pth"
    path.write_bytes(b"something else")
    clip.buttons["verify"].click()
    until_told(qtbot, clip, "Damaged")
    clip.buttons["remove"].click()
    assert clip.buttons["remove"].text() == "Really remove?"
    assert path.exists()
    clip.buttons["remove"].click()
    until_told(qtbot, clip, "Removed; 14 B are free again.")
    assert not path.exists()
    assert shown(clip) == ["Download", "Choose a file…"]
    assert fast.models.state.label.text() == "270 kB to download"


def test_a_file_of_one_s_own_becomes_a_preset(
    fast: Any,
    rows: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: Any,
) -> None:
    path = tmp_path / "Vit B (cells).pth"
    path.write_bytes(b"weights")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *args: (str(path), ""))
    rows["sam"].buttons["choose"].click()
    spec = fast.models.spec
    assert (spec.name, spec.title) == (
        "fast-vit-b-cells",
        "Fast with Vit B (cells).pth",
    )
    assert (spec.sam.path, spec.sam.architecture) == (path, "vit_b")
    assert spec.clip == rows["clip"].card
    sam = fast.desk.dialog.rows[2]
    assert shown(sam) == ["Choose a file…", "Verify", "Remove", "Open folder"]
    opened: list[str] = []
    monkeypatch.setattr(
        QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile())
    )
    sam.buttons["open"].click()
    assert opened == [str(tmp_path)]
    # Taken off the list; the file stays, and so do the program's presets.
    sam.buttons["remove"].click()
    assert sam.buttons["remove"].text() == "Take it off the list?"
    sam.buttons["remove"].click()
    assert catalogue().own == frozenset()
    assert path.exists()
    assert fast.models.spec.name == "demo"


def test_a_choice_that_was_given_up_or_is_wrong(
    fast: Any, rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = [""]
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *args: (chosen[0], ""))
    rows["sam"].buttons["choose"].click()
    assert fast.models.spec.name == "fast"
    chosen[0] = "gone.pth"
    rows["sam"].buttons["choose"].click()
    assert rows["sam"].words.text() == "file: there is no file gone.pth"


def test_what_is_in_memory_can_be_freed(
    widget: Any, models: Any, finish: Any, qtbot: Any
) -> None:
    widget.desk.open()
    assert widget.desk.dialog.memory.text() == "No model is in memory."
    assert not widget.desk.dialog.free_button.isEnabled()
    models.hold = True
    widget.start()
    qtbot.waitUntil(models.waiting.is_set)
    assert not widget.desk.dialog.free_button.isEnabled()
    models.go.set()
    finish(widget)
    said = "In memory: CLIP 1.50 MB, DINO 1.50 MB, SAM 1.50 MB on cpu"
    assert widget.desk.dialog.memory.text() == said
    # The encoder of SAM as fusion model, for example.
    models.in_memory["vfm"] = 0
    widget.desk.open()
    assert widget.desk.dialog.memory.text() == said.replace(" DINO 1.50 MB,", "")
    widget.desk.dialog.free_button.click()
    assert widget.desk.dialog.memory.text() == "No model is in memory."
    assert models.calls[-1] == ("release",)
    widget.start()
    finish(widget)
    assert [models.count(c) for c in ("load", "encode")] == [2, 2]


def test_rows_are_no_wider_than_the_window(fast: Any, rows: Any, have: Any) -> None:
    have()
    fast.desk.dialog.refresh()
    fast.desk.transfers.say(rows["clip"].card, "a path /of/a/long/folder" * 20)
    for row in rows.values():
        assert row.minimumSizeHint().width() <= 520


def test_opening_the_panel_is_light() -> None:
    code = (
        "import sys, napari\n"
        "from napari_s2clip._qt.widget import S2CLIPWidget\n"
        "viewer = napari.Viewer(show=False)\n"
        "before = set(sys.modules)\n"
        "widget = S2CLIPWidget(napari_viewer=viewer)\n"
        "viewer.window.add_dock_widget(widget)\n"
        "widget.models.choose('fast')\n"
        "widget.desk.open()\n"
        "widget.desk.dialog.all_box.setChecked(True)\n"
        "new = set(sys.modules) - before\n"
        "viewer.close()\n"
        "heavy = {'torch', 'cv2', 'requests', 'huggingface_hub.file_download'}\n"
        "print(heavy & new or 'light')"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert run.stdout.splitlines()[-1:] == ["light"], run.stderr
