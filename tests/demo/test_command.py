import json
from pathlib import Path

import pytest
from PIL import Image

from napari_s2clip import S2CLIP
from napari_s2clip.cli import main


@pytest.fixture(autouse=True)
def random_weights(monkeypatch):
    load = S2CLIP.load
    monkeypatch.setattr(
        S2CLIP, "load", lambda spec, **options: load(spec, weights="random", **options)
    )


SMALL = ["demo", "--scenes", "2", "--size", "128", "--device", "cpu", "--quiet"]


def test_figures_are_printed_and_written(tmp_path, capsys):
    file = tmp_path / "new" / "figures.json"
    assert main([*SMALL, "--json", str(file)]) == 0
    out = capsys.readouterr().out
    figures = json.loads(file.read_text())
    assert "mean IoU over 2 scenes of 128 px" in out
    assert f"{figures['miou']['coarse']:.3f}" in out
    assert "time a scene on cpu in fp32: " in out
    assert (figures["device"], figures["precision"]) == ("cpu", "fp32")
    for key in (
        "clip",
        "coarse",
        "regions",
        "refined",
        "unseen_pairs",
        "oracle_refined",
    ):
        assert key in figures["miou"]


def test_maps_and_pictures_are_written_again_and_again(tmp_path):
    for _ in range(2):
        assert main([*SMALL, "--out", str(tmp_path)]) == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert {"scene_001_coarse.tif", "scene_002_refined.png", "scene_002.json"} <= names
    with Image.open(tmp_path / "scene_001_refined.tif") as labels:
        assert labels.size == (128, 128)


def test_a_window_needs_a_display(tmp_path, capsys, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert main([*SMALL, "--window", str(tmp_path / "w.png")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("napari-s2clip: error: there is no display")
    assert error.count("\n") == 1


@pytest.mark.parametrize("wrong", [["--scenes", "0"], ["--size", "x"], ["--nothing"]])
def test_wrong_options_end_with_2(wrong):
    assert main(["demo", *wrong]) == 2


def test_figures_alone_are_printed_for_other_programs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main([*SMALL, "--json", "-", "--out", str(tmp_path)]) == 0
    assert "refined" in json.loads(capsys.readouterr().out)["miou"]


def test_the_precision_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--json", "-", "--precision", "bf16"]) == 0
    assert json.loads(capsys.readouterr().out)["precision"] == "bf16"
    assert main([*SMALL, "--precision", "fp16"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(
        "napari-s2clip: error: precision: fp16 does not work on cpu"
    )
    assert error.count("\n") == 1
