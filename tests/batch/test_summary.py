import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from napari_s2clip import ClassSet
from napari_s2clip.batch import run_job, summarise, write_summary
from napari_s2clip.classes import ClassEntry

CLASSES = ClassSet([ClassEntry("cat", id=2), ClassEntry("dog <b>", id=5)])


def entry(name, classes=None, **pixels):
    return {
        "event": "done",
        "name": name,
        "classes": classes or {"2": "cat", "5": "dog <b>"},
        "planes": 2,
        "regions": 3,
        "pixels": {key.removeprefix("_"): value for key, value in pixels.items()},
    }


def test_counts_are_added_up():
    entries = [
        entry("a", _0=10, _2=30, _5=0),
        entry("b", _0=10, _2=40, _5=10),
        {"event": "begin", "name": "c"},
        {"event": "failed", "name": "d", "error": "d.png: it is damaged"},
        entry("e", {"2": "horse"}, _0=1, _2=5),
        entry("f", {"2": "dog <b>", "5": "cat"}, _2=5, _5=7),
    ]
    found = summarise(entries, CLASSES)
    assert (found.images, found.failed, found.planes, found.regions) == (2, 1, 4, 6)
    assert found.pixels == 100
    assert found.others == found.to_dict()["others"] == 2
    assert found.said_of_others == ("2 images with other classes are not in the table")
    cat, dog = found.classes
    assert (cat.name, cat.images, cat.pixels, cat.share) == ("cat", 2, 70, 0.7)
    assert (dog.images, dog.pixels) == (1, 10)
    assert found.errors == {"d": "d.png: it is damaged"}
    nothing = summarise([], CLASSES)
    assert nothing.classes[0].share == nothing.others == 0
    assert not nothing.said_of_others


def test_no_value_gets_the_name_of_another_class(job, inputs, model, tmp_path):
    out = tmp_path / "out"
    list(run_job(job, inputs, out, model=model))
    other = replace(job, classes=ClassSet(["horse", "cow"]))
    outcomes = list(run_job(other, inputs, out, model=model))
    assert {outcome.state for outcome in outcomes} == {"failed"}
    found, sheet = write_summary(out, other.classes, {})
    assert [(one.name, one.images, one.share) for one in found.classes] == [
        ("horse", 0, 0),
        ("cow", 0, 0),
    ]
    assert found.others == 5
    text = sheet.read_text(encoding="utf-8")
    assert text.count("<b>photo") == text.count("</b> dark, bright<") == 5
    assert "5 images with other classes are not in the table" in text
    assert write_summary(out, job.classes, {})[0].others == 0


def test_the_sheet_shows_every_image(job, inputs, model, tmp_path):
    out = tmp_path / 'out & "more"'
    inputs[3].path.write_text("no image")
    list(run_job(job, inputs, out, model=model))
    summary, sheet = write_summary(out, job.classes, {"model": "quick"})
    text = sheet.read_text(encoding="utf-8")
    # Every element is closed but those of tables and those that are empty.
    figures = text[text.index("<main>") : text.index("</main>") + 7]
    main = ET.fromstring(figures.replace('">', '"/>').replace("<figure/>", "<figure>"))
    images = main.findall(".//img")
    assert [image.get("alt") for image in images] == [
        f"photo {i}" for i in (0, 1, 2, 4)
    ]
    for image in images:
        assert (out / image.get("src").replace("%20", " ")).is_file()
    assert "4 images, 4 slices, 8 regions" in text
    assert "1 failed" in text
    assert "3.png: not an image file" in text
    assert "out &amp; &quot;more&quot;" in text
    data = json.loads((out / ".s2clip" / "summary.json").read_text())
    assert data["model"] == "quick"
    assert data["images"] == summary.images == 4
    assert data["classes"][0]["name"] == "dark"


def test_many_images_have_several_sheets(job, inputs, model, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_s2clip.batch.sheet._PAGE", 2)
    out = tmp_path / "out"
    list(run_job(job, inputs, out, model=model))
    write_summary(out, job.classes, {})
    sheets = sorted(p.name for p in out.glob("*.html"))
    assert sheets == [
        *("contact-sheet-2.html", "contact-sheet-3.html", "contact-sheet.html")
    ]
    assert '<a href="contact-sheet-3.html">3</a>' in (out / sheets[2]).read_text()
    monkeypatch.setattr("napari_s2clip.batch.sheet._PAGE", 9)
    write_summary(out, job.classes, {})
    assert [p.name for p in out.glob("*.html")] == ["contact-sheet.html"]


@pytest.mark.parametrize("name", ["<script>", "a&b"])
def test_names_are_no_markup(name, job, model, inputs, tmp_path: Path):
    item = inputs[0].__class__(inputs[0].path, name.replace("/", "_"))
    list(run_job(job, [item], tmp_path / "out", model=model))
    _, sheet = write_summary(tmp_path / "out", CLASSES, {})
    assert name not in sheet.read_text()
    assert "dog &lt;b&gt;" in sheet.read_text()
