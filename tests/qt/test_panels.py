from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import Qt

from napari_s2clip._qt.engine import Download
from napari_s2clip._qt.model_panel import ModelPanel
from napari_s2clip._qt.run_panel import RunPanel
from napari_s2clip.methods import METHODS
from napari_s2clip.models.specs import SPECS
from napari_s2clip.progress import Progress


@pytest.fixture
def models(qtbot: Any) -> ModelPanel:
    panel = ModelPanel()
    qtbot.addWidget(panel)
    return panel


@pytest.fixture
def run(qtbot: Any) -> RunPanel:
    panel = RunPanel()
    qtbot.addWidget(panel)
    return panel


def test_models_are_the_presets_and_what_they_leave_out(models: ModelPanel) -> None:
    box = models.model_box
    names = [box.itemData(i) for i in range(box.count())]
    assert names == ["demo", "fast", "balanced", "best", "vit-l-14", "vit-h-14"]
    assert models.spec == SPECS["demo"]
    models.model_box.setCurrentIndex(1)
    assert models.spec == SPECS["fast"]
    assert models.model_box.toolTip() == SPECS["fast"].description


def test_presets_of_the_user_are_offered_and_a_wrong_file_says_so(
    models: ModelPanel, fresh_user: Path
) -> None:
    assert models.problem.isHidden()
    path = fresh_user / "config" / "models.toml"
    path.parent.mkdir(parents=True)
    path.write_text(
        '[[preset]]\nname = "mine"\nclip = "clip-b-16"\nvfm = "dino-s-8"\n'
        'sam = "sam-l"\n'
    )
    models.model_box.opening.emit()
    models.choose("mine")
    assert models.spec.sam.name == "sam-l"
    path.write_text("[[preset")
    models.reload()
    assert "it is no TOML" in models.problem.text()
    assert not models.problem.isHidden()
    # Everything built in goes on working.
    assert models.spec == SPECS["demo"]
    assert models.model_box.count() == 6
    path.unlink()
    models.reload()
    assert models.problem.isHidden()


def test_methods_are_those_of_the_core(models: ModelPanel) -> None:
    box = models.method_box
    titles = [box.itemText(i) for i in range(box.count())]
    assert titles == [method.title for method in METHODS.values()]
    assert models.method == "s2clip"
    box.setCurrentIndex(box.findText("NACLIP"))
    assert models.method == "naclip"


def test_each_method_says_what_it_does_and_whose_it_is(models: ModelPanel) -> None:
    box = models.method_box
    for index, method in enumerate(METHODS.values()):
        said = box.itemData(index, Qt.ItemDataRole.ToolTipRole)
        assert method.summary[1:] in said
        assert method.source in said
        # And on the closed box.
        box.setCurrentIndex(index)
        assert box.toolTip().endswith(said)
    assert box.itemText(1) == "CLIP (plain)"


def test_model_panel_says_whether_the_weights_are_here(
    qtbot: Any, published: Any, have: Any
) -> None:
    panel = ModelPanel()
    qtbot.addWidget(panel)
    assert panel.state.label.text() == "Built in"
    panel.choose("fast")
    # 30 000 times 9 + 9 + 5 letters
    assert panel.state.label.text() == "690 kB to download"
    have("clip")
    panel.refresh()
    assert panel.state.label.text() == "420 kB to download"
    # MaskCLIP asks no fusion model.
    panel.method_box.setCurrentIndex(panel.method_box.findData("maskclip"))
    assert panel.state.label.text() == "150 kB to download"
    have()
    panel.refresh()
    assert panel.state.label.text() == "On this computer"


def test_devices_are_looked_for_when_the_list_opens(
    models: ModelPanel, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "napari_s2clip.models.device.available_devices", lambda: ("cuda", "cpu")
    )
    monkeypatch.setattr(
        "napari_s2clip.models.device.describe_device", lambda name: f"the {name} one"
    )
    assert (models.device, models.where.device_box.count()) == ("auto", 1)
    models.show()
    models.where.device_box.showPopup()
    assert models.device == "auto"
    qtbot.waitUntil(lambda: models.where.device_box.count() == 3, timeout=20_000)
    titles = [models.where.device_box.itemText(i) for i in range(3)]
    assert titles == ["auto (the auto one)", "cuda (the cuda one)", "cpu (the cpu one)"]
    models.where.device_box.setCurrentIndex(2)
    assert models.device == "cpu"
    models.where.device_box.hidePopup()
    models.where.device_box.showPopup()
    assert models.where.device_box.count() == 3
    models.where.device_box.hidePopup()


def test_button_asks_to_run_then_to_cancel(run: RunPanel, qtbot: Any) -> None:
    assert run.button.text() == "Run"
    with qtbot.waitSignal(run.run_requested):
        run.button.click()
    run.show_running("")
    assert run.button.text() == "Cancel"
    with qtbot.waitSignal(run.cancel_requested):
        run.button.click()
    run.show_cancelling()
    assert (run.button.text(), run.button.isEnabled()) == ("Cancelling…", False)
    run.show_idle("done")
    assert (run.button.text(), run.button.isEnabled()) == ("Run", True)
    assert run.status.text() == "done"


def test_progress_goes_through_the_stages(run: RunPanel) -> None:
    run.show_running("slice 3")
    run.show_progress(Progress("encode", 1, 4, "window 2 of 4"))
    assert run.bar.value() == 125
    assert run.bar.text() == "2/5 Encoding the image"
    assert run.status.text() == "window 2 of 4"
    run.show_progress(Progress("load", 1, 1))
    assert run.bar.value() == 125
    run.show_progress(Progress("refine", 0, 0))
    assert run.bar.value() == 400


def test_a_download_has_the_bar_for_itself(run: RunPanel) -> None:
    run.show_running("")
    run.show_download(Download(3, 4, "CLIP: 3 of 4"))
    assert (run.bar.value(), run.status.text()) == (375, "CLIP: 3 of 4")
    assert run.bar.text() == "Downloading 75%"
    run.show_download(Download(1, 4, "SAM"))
    assert run.bar.value() == 125
    run.show_progress(Progress("load", 1, 2))
    assert run.bar.value() == 50


def test_a_device_that_is_set_is_offered(models: ModelPanel) -> None:
    models.where.choose("cuda", "bf16")
    assert (models.device, models.precision) == ("cuda", "bf16")
    models.where.show_devices([("auto", "auto (CPU)"), ("cpu", "cpu (CPU)")])
    assert models.device == "cuda"
