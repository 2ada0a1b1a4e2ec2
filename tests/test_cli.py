from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

import napari_s2clip
from napari_s2clip import (
    S2CLIP,
    Cancelled,
    ClassSet,
    FeatureStore,
    Segmentation,
    Settings,
)
from napari_s2clip.cli import main
from napari_s2clip.demo import command
from napari_s2clip.image import RGBImage
from napari_s2clip.io.results import SUFFIXES
from napari_s2clip.models.errors import WeightsNotFound
from napari_s2clip.progress import Progress
from napari_s2clip.results import REGION_COLUMNS

OF_ALL = (".s2clip", "contact-sheet.html")
"""Beside the files of images in a folder of results."""


def of_images(out):
    """Names of the files of images in a folder of results."""
    return sorted(path.name for path in out.iterdir() if path.name not in OF_ALL)


class FakeModel:
    """Every image is one region of the first class."""

    device = "cpu"
    precision = "fp32"

    def __init__(self):
        self.loaded = []
        self.calls = []
        self.stores = []
        self.error = {}
        self.sam = 0.9, True  # score of the region's mask, and whether it was used

    def load(self, spec, *, progress, **options):
        self.loaded.append({"spec": spec, **options})
        progress(Progress("load", 1, 3, "CLIP"))
        return self

    def complete(self, settings):
        return settings

    def segment(self, image, classes, *, settings, store, progress, cancel):
        assert isinstance(image, RGBImage)
        self.stores.append(store)
        assert isinstance(classes, ClassSet)
        self.calls.append((image, classes, settings))
        if len(self.calls) in self.error:
            raise self.error[len(self.calls)]
        progress(Progress("encode", 1, 2, "window 1 of 2"))
        progress(Progress("refine", 1, 1))
        height, width = image.pixels.shape[:2]
        ones = np.ones((height, width), np.uint16)
        row = [1, 1, classes.names[0], ones.size, 0.5, 0, 0, width, height]
        table = pd.DataFrame([[*row, 0.5, 0.5, *self.sam]], columns=[*REGION_COLUMNS])
        return Segmentation(
            classes,
            ones,
            ones.astype(np.int32),
            table.astype(REGION_COLUMNS),
            ones,
            ones.astype(np.int32),
            np.ones((len(classes), height, width), np.float32),
            {"model": "fake", "input_notes": list(image.notes)},
            {"encode": 0.25, "refine": 0.5},
        )


@pytest.fixture
def model(monkeypatch):
    fake = FakeModel()
    monkeypatch.setattr(S2CLIP, "load", fake.load)
    return fake


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    pixels = np.random.default_rng(0).integers(0, 256, (12, 9, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def out(tmp_path):
    return tmp_path / "results"


@pytest.fixture
def run(out, capsys):
    """Run ``segment``; its exit code, standard output and standard error."""

    def run(*arguments, classes="cat; dog"):
        code = main(
            ["segment", *map(str, arguments), "--classes", classes, "--out", str(out)]
        )
        return code, *capsys.readouterr()

    return run


# -------------------------------------------------------------- the program


def test_help_lists_the_commands(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: napari-s2clip ")
    assert "segment" in text
    assert "demo" in text
    assert "features" in text


@pytest.mark.parametrize("name", ["segment", "demo"])
def test_each_command_has_help(capsys, name):
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: napari-s2clip {name} ")
    assert "--device" in text


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"napari-s2clip {napari_s2clip.__version__}\n"


def test_the_module_is_the_same_program():
    done = subprocess.run(
        [sys.executable, "-m", "napari_s2clip", "--version"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.startswith("napari-s2clip ")
    done = subprocess.run(
        [sys.executable, "-m", "napari_s2clip", "segment"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("usage: napari-s2clip segment ")


_SEGMENT = ["segment", "a.png", "--classes", "cat", "--out", "x"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["paint"],
        ["segment"],
        ["segment", "a.png", "--classes", "cat"],
        ["segment", "a.png", "--out", "x"],
        ["segment", "a.png", "--classes", "cat", "--out", "x", "--fast"],
        ["demo", "--scenes", "none"],
        ["features"],
        ["features", "delete"],
        ["features", "info", "--quiet"],
    ],
)
def test_a_wrong_command_line_is_2(capsys, arguments):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("usage: napari-s2clip")
    assert "error: " in error


def test_demo_hands_its_options_over(monkeypatch):
    seen = []

    def fake(options):
        seen.append(options)
        return 0

    monkeypatch.setattr(command, "run", fake)
    assert main(["demo", "--scenes", "3", "--quiet"]) == 0
    assert seen[0].scenes == 3
    assert seen[0].quiet


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ValueError("two\n  lines"), 1, "napari-s2clip: error: two lines\n"),
        (
            WeightsNotFound("CLIP is not here; put it there."),
            1,
            "napari-s2clip: error: CLIP is not here; put it there.\n",
        ),
        (
            PermissionError(13, "Permission denied", "out/a"),
            1,
            "napari-s2clip: error: out/a: Permission denied\n",
        ),
        (
            MemoryError(),
            1,
            "napari-s2clip: error: there is not enough memory for this\n",
        ),
        (RuntimeError(), 1, "napari-s2clip: error: RuntimeError\n"),
        (KeyboardInterrupt(), 130, "napari-s2clip: interrupted\n"),
    ],
)
def test_errors_are_one_line(monkeypatch, capsys, error, code, line):
    def fail(options):
        raise error

    monkeypatch.setattr(command, "run", fail)
    assert main(["demo"]) == code
    assert capsys.readouterr().err == line


def test_a_bug_is_not_hidden(monkeypatch):
    def fail(options):
        raise KeyError("x")

    monkeypatch.setattr(command, "run", fail)
    with pytest.raises(KeyError):
        main(["demo"])


# ------------------------------------------------------------------ segment


def test_files_are_written_for_every_image(model, run, photo, out, tmp_path):
    slide = tmp_path / "slide.tif"
    tifffile.imwrite(slide, np.arange(600, dtype=np.uint16).reshape(20, 30))
    code, text, errors = run(photo, slide)
    assert (code, errors) == (0, "")
    names = [stem + suffix for stem in ("photo", "slide") for suffix in SUFFIXES]
    assert sorted(path.name for path in out.iterdir()) == sorted([*names, *OF_ALL])
    first, second, *total = text.splitlines()
    assert total[0].startswith("2 of 2 images in ")
    assert total[1] == "  cat  100.0% of the pixels, in 2 of 2 images"
    assert total[2] == "  dog    0.0% of the pixels, in 0 of 2 images"
    assert total[3] == f"to look at: {out / 'contact-sheet.html'}"
    assert first == f"{photo}: 1 region, 0.8 s, {out / 'photo'}_*"
    assert "uint16 stretched" in second
    # One load for both.
    assert model.loaded == [
        {
            "spec": "demo",
            "device": "auto",
            "vfm": None,
            "sam": None,
            "precision": "auto",
            "weights": None,
            "diffusion": None,
            "compiled": False,
            "parts": ("clip", "vfm", "sam"),
            "download": False,
        }
    ]
    assert [call[0].pixels.shape for call in model.calls] == [(12, 9, 3), (20, 30, 3)]


@pytest.mark.parametrize(
    ("score", "used", "words"),
    [
        (0.9, True, "1 region, "),
        (0.1, False, "1 region (1 kept as it was), "),
        # SAM was not asked.
        (np.nan, False, "1 region, "),
    ],
)
def test_regions_on_which_sam_failed_are_counted(model, run, photo, score, used, words):
    model.sam = score, used
    assert run(photo)[1].startswith(f"{photo}: {words}")


def test_what_the_options_say_reaches_the_model(model, run, photo):
    code, _, errors = run(
        photo,
        "--background",
        "sky; wall",
        "--model",
        "vit-b-16",
        "--device",
        "cpu",
        "--vfm",
        "dinov2-b-14",
        "--precision",
        "bf16",
        "--weights",
        "clip=/x/clip=1.safetensors",
        "--weights",
        "sam=sam.pth",
        "--sam",
        "sam-h",
        "--diffusion",
        "sd",
        "--compile",
        "--download",
        "--set",
        "coarse_threshold=0.5",
        "--set",
        "window=none",
        "--set",
        "levels=3, 4,5",
        "--set",
        "repair-outliers=no",
        "--no-refine",
        classes="cat | kitten; dog",
    )
    assert (code, errors) == (0, "")
    assert model.loaded == [
        {
            "spec": "vit-b-16",
            "device": "cpu",
            "vfm": "dinov2-b-14",
            "sam": "sam-h",
            "precision": "bf16",
            "weights": {
                "clip": Path("/x/clip=1.safetensors"),
                "sam": Path("sam.pth"),
            },
            "diffusion": Path("sd"),
            "compiled": True,
            "parts": ("clip", "vfm"),
            "download": True,
        }
    ]
    _, classes, settings = model.calls[0]
    assert classes == ClassSet(["cat | kitten", "dog"], ["sky", "wall"])
    assert settings == Settings(
        coarse_threshold=0.5, levels=(3, 4, 5), repair_outliers=False, refine=False
    )


@pytest.mark.parametrize("text", ["", "()", "[]"])
def test_an_empty_list_is_a_value_too(model, run, photo, text):
    assert run(photo, "--set", f"levels={text}")[0] == 0
    assert model.calls[0][2].levels == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "logit_scal=3"], "--set logit_scal: there is no such setting"),
        (["--set", "logit_scale"], "--set 'logit_scale': write KEY=VALUE"),
        (["--set", "=3"], "--set '=3': write KEY=VALUE"),
        (
            ["--set", "logit_scale=big"],
            "--set logit_scale: 'big' is not a number above",
        ),
        (["--set", "logit_scale=-1"], "--set logit_scale: -1 is not above 0 and at mo"),
        (["--set", "window=4"], "--set window: 4 is not between 16 and 4096\n"),
        (["--set", "levels=3,x"], "--set levels: 'x' is not the number of a block"),
        (["--set", "attention="], "--set attention: give one or more, each one of id"),
        (
            ["--set", "method=magic"],
            "--set method: no method 'magic'; choose one of s2",
        ),
        (["--set", "refine=maybe"], "--set refine: 'maybe' is not true or false"),
        (
            ["--set", "window=96", "--set", "stride=97"],
            r"--set stride: 97 px is larger than window \(96 px\); choose 1 to 96,",
        ),
        (["--weights", "dino=x.pth"], "--weights 'dino=x.pth': write PART=PATH"),
        (["--weights", "clip"], "--weights 'clip': write PART=PATH"),
        (["--model", "vit-z"], "--model: no model 'vit-z'; choose one of demo, "),
        (["--model", "RN50"], "--model: open_clip's RN50 cannot be .*ResNet; choose a"),
        (["--precision", "fp8"], "--precision: no precision 'fp8'; choose one of auto"),
        (["--vfm", "dino"], "--vfm: no fusion model 'dino'; choose one of dino-s-16, "),
        (
            ["--sam", "vit_x"],
            "--sam: no SAM 'vit_x'; choose one of sam-b, sam-l, sam-h",
        ),
        (["--classes", " ; "], "classes is empty"),
        (["--classes", "cat; Cat"], "'Cat' is named twice"),
        (["--background", "dog"], "'dog' is named twice"),
        (["--channels", "0,1,2,3"], "--channels: .* give one, two or three numbers"),
        (["--channels=-1"], "--channels: .* give one, two or three numbers from 0"),
        (["--contrast", "2", "1"], "--contrast: .* give a number and a larger one"),
        (["--tile", "64"], "--tile: 64 px; choose at least 128"),
        (["--workers", "2", "--scheduler", "x"], "--workers: give their number, or"),
        (["--workers=-1"], "--workers: give their number, or the address"),
    ],
)
def test_wrong_values_are_one_line_and_2(model, photo, out, capsys, arguments, message):
    code = main(
        ["segment", str(photo), "--classes", "cat; dog", "--out", str(out), *arguments]
    )
    errors = capsys.readouterr().err
    assert code == 2
    assert errors.count("\n") == 1
    assert errors.startswith("napari-s2clip: error: ")
    assert re.search(message, errors)
    assert not model.loaded
    assert not out.exists()


def test_channels_are_numbers(photo, out, capsys):
    arguments = ["segment", str(photo), "--classes", "cat", "--out", str(out)]
    assert main([*arguments, "--channels", "red"]) == 2
    assert "--channels: 'red': give numbers from 0" in capsys.readouterr().err


@pytest.fixture
def own_models(tmp_path, monkeypatch):
    """The file of the user's own models, which is not there yet."""
    monkeypatch.setenv("NAPARI_S2CLIP_CONFIG", str(tmp_path / "config"))
    path = tmp_path / "config" / "models.toml"
    path.parent.mkdir()
    return path


def test_models_and_presets_of_the_users_own(model, run, photo, own_models):
    own_models.write_text(
        """
[[model]]
name = "cells"
role = "sam"
architecture = "vit_b"
file = "cells.pth"

[[model]]
name = "vit-cells"
role = "vfm"
architecture = "vit_small_patch16_224.dino"
file = "vit.pth"

[[preset]]
name = "mine"
clip = "clip-b-16"
vfm = "dino-s-16"
sam = "cells"
""",
        encoding="utf-8",
    )
    own = ("--vfm", "vit-cells", "--sam", "cells")
    assert run(photo, "--model", "mine", *own)[0] == 0
    assert model.loaded[0]["spec"] == "mine"
    assert model.loaded[0]["vfm"] == "vit-cells"
    code, _, errors = run(photo, "--sam", "vit-cells")
    assert code == 2
    assert "--sam: no SAM 'vit-cells'; choose one of sam-b, sam-l, sam-h, " in errors


def test_a_wrong_file_of_own_models_stops_only_who_asks_for_them(
    model, run, photo, own_models
):
    own_models.write_text("[[model", encoding="utf-8")
    assert run(photo, "--model", "fast", "--vfm", "dino-b-8", "--sam", "sam-l")[0] == 0
    for option in ("--model", "--vfm", "--sam"):
        code, _, errors = run(photo, option, "mine")
        assert code == 1
        assert errors.startswith(f"napari-s2clip: error: {own_models}: it is no TOML")
        assert errors.count("\n") == 1


def test_demo_says_a_wrong_precision_in_one_line(capsys):
    assert main(["demo", "--precision", "fp8"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("napari-s2clip: error: --precision: no precision 'fp8'; ")
    assert error.count("\n") == 1


def test_settings_can_be_listed(capsys):
    assert main(["segment", "--list-settings"]) == 0
    text = capsys.readouterr().out
    for name in Settings.model_fields:
        assert f"{name}=" in text
    assert "min_region_area=225 px at half resolution\n" in text
    assert "window=None px\n    a whole number between 16 and 4096, or none\n" in text
    assert "variant=paper\n    one of paper, code\n" in text


def test_a_bad_image_is_reported_and_the_rest_go_on(model, run, photo, out, tmp_path):
    text = tmp_path / "text.png"
    text.write_text("no image", encoding="utf-8")
    two = tmp_path / "two.tif"
    tifffile.imwrite(two, np.zeros((9, 9), np.complex64))
    missing = tmp_path / "missing.png"
    code, printed, errors = run(text, missing, two, photo)
    assert code == 1
    lines = errors.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith(f"napari-s2clip: error: {text}: not an image")
    assert lines[1] == f"napari-s2clip: error: {missing}: there is no such file"
    assert "complex" in lines[2]
    assert printed.startswith(f"{photo}: 1 region")
    assert of_images(out) == sorted(f"photo{suffix}" for suffix in SUFFIXES)


def test_an_image_that_fails_later_does_not_stop_the_rest(
    model, run, photo, out, tmp_path
):
    other = tmp_path / "other.png"
    other.write_bytes(photo.read_bytes())
    model.error = {1: RuntimeError("CUDA out of memory")}
    code, _, errors = run(photo, other)
    assert code == 1
    assert errors == f"napari-s2clip: error: {photo}: CUDA out of memory\n"
    assert of_images(out) == sorted(f"other{suffix}" for suffix in SUFFIXES)


def test_an_interrupt_stops_all(model, run, photo, out, tmp_path):
    other = tmp_path / "other.png"
    other.write_bytes(photo.read_bytes())
    model.error = {2: KeyboardInterrupt()}
    code, _, errors = run(photo, other)
    assert code == 130
    assert errors == "napari-s2clip: interrupted\n"
    assert [n for n in of_images(out) if n.startswith("other")] == []
    # What there is can be looked at.
    sheet = (out / "contact-sheet.html").read_text(encoding="utf-8")
    assert "<b>photo</b>" in sheet
    assert run(photo, other)[1].startswith(f"{photo}: done already\n{other}: 1 region")


def test_missing_weights_are_one_sentence(run, photo, out, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_S2CLIP_CACHE", str(tmp_path / "store"))
    code, _, errors = run(photo, "--model", "vit-b-16", "--device", "cpu")
    assert code == 1
    assert errors.count("\n") == 1
    assert errors.startswith("napari-s2clip: error: CLIP ViT-B/16 (OpenAI) is not on")
    assert "`napari-s2clip models download clip-b-16`" in errors
    assert "--weights clip=PATH" in errors
    assert not out.exists()


@pytest.mark.parametrize("part", ["clip", "vfm", "sam"])
def test_a_file_that_holds_no_weights_is_one_line(run, photo, out, part):
    code, _, errors = run(photo, "--device", "cpu", "--weights", f"{part}={photo}")
    assert code == 1
    assert errors == (
        f"napari-s2clip: error: weights['{part}']: photo.png is no weight file; give "
        "safetensors or a PyTorch file of tensors\n"
    )
    assert not out.exists()


def test_results_are_replaced_only_when_asked(model, run, photo, out):
    assert run(photo)[0] == 0
    before = (out / "photo_coarse.png").read_bytes()
    code, _, errors = run(photo, classes="a very long name of a class")
    assert code == 1
    assert f"{photo}: there are results of other classes, models or settings" in errors
    assert "(--overwrite)" in errors
    assert len(model.calls) == 1  # it was said before the long part
    assert (out / "photo_coarse.png").read_bytes() == before
    assert run(photo, "--overwrite", classes="a very long name of a class")[0] == 0
    assert (out / "photo_coarse.png").read_bytes() != before
    (out / ".s2clip" / "journal.jsonl").unlink()
    code, _, errors = run(photo)
    assert code == 1
    assert "photo_coarse.tif exists already; choose another folder" in errors


def test_inputs_with_one_stem_are_told_apart(model, run, photo, out, tmp_path):
    (tmp_path / "PHOTO.jpg").write_bytes(photo.read_bytes())
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "photo.png").write_bytes(photo.read_bytes())
    assert run(photo, tmp_path / "PHOTO.jpg", photo)[0] == 0
    assert {p.name for p in out.glob("*.json")} == {"photo_png.json", "PHOTO_jpg.json"}
    assert run(photo, tmp_path / "deep" / "photo.png")[0] == 0
    assert (out / "deep" / "photo_png.json").exists()
    assert len(model.calls) == 3  # photo.png was there


def test_inputs_are_never_replaced(model, photo, tmp_path, capsys):
    other = tmp_path / "photo_coarse.png"
    other.write_bytes(photo.read_bytes())
    arguments = ["--classes", "cat", "--out", f"{tmp_path}/x/..", "--overwrite"]
    assert main(["segment", str(photo), str(other), *arguments]) == 2
    assert "would replace the input" in capsys.readouterr().err
    assert other.read_bytes() == photo.read_bytes()


def test_the_summary(model, run, photo, out, tmp_path):
    bad = tmp_path / "bäd.png"
    summary = tmp_path / "deep" / "summary.json"
    code, _, _ = run(photo, bad, "--json", summary, "--background", "sky")
    assert code == 1
    data = json.loads(summary.read_text(encoding="utf-8"))
    assert list(data) == [
        "software",
        "model",
        "device",
        "precision",
        "classes",
        "background",
        "settings",
        "seconds",
        "images",
    ]
    assert data["model"] == "demo"
    assert data["device"] == "cpu"
    assert data["precision"] == "fp32"
    assert [c["name"] for c in data["classes"]] == ["cat", "dog"]
    assert data["background"] == ["sky"]
    assert Settings.model_validate(data["settings"]) == Settings()
    assert list(data["seconds"]) == ["load", "total"]
    first, second = data["images"]
    assert first == {
        "image": str(photo),
        "ok": True,
        "width": 9,
        "height": 12,
        "planes": 1,
        "notes": [],
        "regions": 1,
        "refined_regions": 1,
        "kept_regions": 0,
        "seconds": {"encode": 0.25, "refine": 0.5},
        "files": [str(out / f"photo{suffix}") for suffix in SUFFIXES],
    }
    assert second == {
        "image": str(bad),
        "ok": False,
        "error": f"{bad}: there is no such file",
    }


def test_a_summary_on_standard_output_is_alone_there(model, run, photo):
    code, text, _ = run(photo, "--json", "-")
    assert code == 0
    assert json.loads(text)["images"][0]["ok"]


def test_quiet_prints_errors_only(model, run, photo, tmp_path):
    assert run(photo, "--quiet") == (0, "", "")
    code, text, errors = run(tmp_path / "no.png", "--quiet")
    assert (code, text) == (1, "")
    assert "there is no such file" in errors


def test_progress_is_drawn_on_a_terminal(model, run, photo, monkeypatch):
    assert run(photo)[2] == ""  # this is none
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    code, text, errors = run(photo, "--again")
    assert code == 0
    assert "loading demo" in errors
    assert "[1/1] photo " in errors
    assert "window 1 of 2" in errors
    assert text.startswith(f"{photo}: 1 region")
    assert run(photo, "--again", "--quiet") == (0, "", "")


def test_an_interrupt_before_the_first_image_leaves_the_sheet(model, run, photo, out):
    sheet = out / "contact-sheet.html"
    model.error = {1: KeyboardInterrupt()}
    assert run(photo)[0] == 130
    assert not sheet.exists()
    run(photo)
    before = sheet.read_bytes()
    model.error = {len(model.calls) + 1: KeyboardInterrupt()}
    assert run(photo, "--overwrite", classes="other, words")[0] == 130
    assert sheet.read_bytes() == before


def test_edited_labels_are_kept_and_no_failure(model, run, photo, out, tmp_path):
    other = tmp_path / "other.png"
    other.write_bytes(photo.read_bytes())
    run(photo, other)
    path = out / "photo_refined.tif"
    labels = tifffile.imread(path) * 0
    tifffile.imwrite(path, labels)
    code, text, errors = run(photo, other, "--again", "--dry-run")
    assert (code, errors) == (0, "")
    assert "1 to segment, 0 done already, 1 kept, 0 refused" in text
    code, text, errors = run(photo, other, "--again", "--json", tmp_path / "all.json")
    assert (code, errors) == (0, "")
    assert text.startswith(f"{photo}: {path} was edited since it was written and is")
    assert "1 of 2 images in" in text
    assert ", 1 kept as edited\n" in text
    first, second = json.loads((tmp_path / "all.json").read_text())["images"]
    assert first["ok"]
    assert "was edited" in first["kept"]
    assert "kept" not in second
    np.testing.assert_array_equal(tifffile.imread(path), labels)


def test_tifffile_does_not_add_lines_of_its_own(model, run, tmp_path, caplog):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((64, 64), np.uint8))
    path.write_bytes(path.read_bytes()[:300])
    code, _, errors = run(path)
    assert code == 1
    assert errors.count("\n") == 1
    assert any(
        isinstance(handler, logging.NullHandler)
        for handler in logging.getLogger("tifffile").handlers
    )


def test_cancelled_is_not_used_here():
    # Only Ctrl+C stops the program; a `Cancelled` would be a bug.
    from napari_s2clip.cli.console import EXPECTED

    assert not issubclass(Cancelled, EXPECTED)


def test_the_pipeline_itself(run, photo, out, monkeypatch):
    load = S2CLIP.load

    def load_random(spec, **options):
        return load(spec, **options | {"weights": "random"})

    monkeypatch.setattr(S2CLIP, "load", load_random)
    code, text, errors = run(
        photo, "--device", "cpu", "--set", "coarse_threshold=0", "--json", "-"
    )
    assert (code, errors) == (0, "")
    assert json.loads(text)["images"][0]["width"] == 9
    data = json.loads((out / "photo.json").read_text(encoding="utf-8"))
    assert data["provenance"]["settings"]["coarse_threshold"] == 0
    assert sum(data["pixels"]["refined"].values()) == 12 * 9
    assert tifffile.imread(out / "photo_refined.tif").shape == (12, 9)


# ----------------------------------------------------------- features on disk


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_S2CLIP_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NAPARI_S2CLIP_FEATURES_LIMIT", raising=False)
    return tmp_path / "cache" / "features"


def filled(cache):
    store = FeatureStore(cache)
    store.put("0" * 40, {"x": np.zeros(2_000_000, np.uint8)}, {})
    return store


@pytest.mark.parametrize("action", ["info", "clear"])
def test_features_has_help(capsys, action):
    assert main(["features", "--help"]) == 0
    assert action in capsys.readouterr().out
    assert main(["features", action, "--help"]) == 0
    assert "--json" in capsys.readouterr().out


def test_features_info(cache, capsys, monkeypatch):
    store = filled(cache)
    monkeypatch.setenv("NAPARI_S2CLIP_FEATURES_LIMIT", "5 GB")
    assert main(["features", "info"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"folder: {cache}",
        "entries: 1",
        "size: 2.00 MB",
        "limit: 5.00 GB",
    ]
    assert main(["features", "info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "folder": str(cache),
        "entries": 1,
        "bytes": store.usage()[1],
        "limit": 5 * 10**9,
    }


def test_features_of_an_empty_store(cache, capsys):
    assert main(["features", "info"]) == 0
    assert "entries: 0\nsize: 0 B\nlimit: 10.0 GB\n" in capsys.readouterr().out
    assert main(["features", "clear"]) == 0
    assert capsys.readouterr().out == f"freed 0 B in {cache}\n"
    assert not cache.exists()


def test_features_clear(cache, capsys):
    size = filled(cache).usage()[1]
    assert main(["features", "clear"]) == 0
    assert capsys.readouterr().out == f"freed 2.00 MB in {cache}\n"
    assert filled(cache).usage() == (1, size)
    assert main(["features", "clear", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "folder": str(cache),
        "freed": size,
        "left": 0,
    }
    assert FeatureStore(cache).usage() == (0, 0)


def test_features_clear_says_what_stays(cache, capsys, monkeypatch):
    filled(cache)

    def refuse(self, target):
        raise PermissionError(13, "in use", str(self))

    monkeypatch.setattr(Path, "rename", refuse)
    assert main(["features", "clear"]) == 0
    assert capsys.readouterr().out == (
        f"freed 0 B in {cache}; entries in use elsewhere stay: 1\n"
    )


def test_features_errors_are_one_line(cache, capsys, monkeypatch, run, photo):
    cache.parent.mkdir()
    cache.write_text("a file", encoding="utf-8")
    assert main(["features", "info"]) == 1
    errors = capsys.readouterr().err
    assert errors.startswith(f"napari-s2clip: error: {cache}: ")
    assert errors.count("\n") == 1
    monkeypatch.setenv("NAPARI_S2CLIP_FEATURES_LIMIT", "lots")
    for code, _, errors in (
        (main(["features", "clear"]), *capsys.readouterr()),
        run(photo, "--keep-features"),
    ):
        assert code == 1
        assert errors == (
            "napari-s2clip: error: NAPARI_S2CLIP_FEATURES_LIMIT is 'lots'; write a "
            "number with a unit, such as 5 GB or 500 MB\n"
        )


def test_features_are_kept_when_asked(model, run, photo, tmp_path, cache):
    other = tmp_path / "other.png"
    other.write_bytes(photo.read_bytes())
    assert run(photo, other)[0] == 0
    assert model.stores == [False, False]
    assert run(photo, other, "--again", "--keep-features")[0] == 0
    first, second = model.stores[2:]
    assert isinstance(first, FeatureStore)
    assert first is second
    assert first.folder == cache


def test_a_folder_is_encoded_once(run, photo, cache, monkeypatch):
    arguments = (photo, "--device", "cpu", "--set", "short_side=64", "--keep-features")
    code, _, errors = run(*arguments)
    assert (code, errors) == (0, "")
    assert FeatureStore().usage()[0] == 2
    for name in ("clip.ClipModel.hidden_states", "sam.SamModel.encode"):
        monkeypatch.setattr(
            f"napari_s2clip.models.{name}",
            lambda *_: pytest.fail("a vision encoder ran again"),
        )
    code, _, errors = run(*arguments, "--overwrite", classes="red circle")
    assert (code, errors) == (0, "")


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("stride=65", "--set stride: 65 px is larger than window (64 px); choose 1"),
        ("levels=3,5", "--set levels: block 5 is not between 0 and 4"),
        ("mid_layer=9", "--set mid_layer: block 9 is not between 0 and 4"),
    ],
)
def test_settings_that_the_model_cannot_follow_are_said_once(
    tmp_path, capsys, setting, sentence
):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    code = main(
        [
            *("segment", str(tmp_path / "a.png"), str(tmp_path / "b.png")),
            *("--classes", "cat", "--out", str(tmp_path / "out"), "--set", setting),
        ]
    )
    captured = capsys.readouterr()
    assert code == 2
    (line,) = captured.err.splitlines()
    assert sentence in line
    assert captured.out == ""


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("method=fclip", "--set method: no method 'fclip'; choose one of s2clip, "),
        ("window=8", "--set window: 8 is not between 16 and 4096"),
        ("short_side=5000", "--set short_side: 5000 is not between 16 and 4096"),
        ("mid_share=2", "--set mid_share: 2 is not between 0 and 1"),
        ("attention=", "--set attention: give one or more, each one of identity"),
    ],
)
def test_settings_out_of_range_are_one_line(tmp_path, capsys, setting, sentence):
    image = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(image)
    code = main(
        [
            *("segment", str(image), "--classes", "cat"),
            *("--out", str(tmp_path / "out"), "--set", setting),
        ]
    )
    assert code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line
