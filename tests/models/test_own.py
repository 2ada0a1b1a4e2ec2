"""Models of the user's own: what a file may say, and what is refused."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from napari_s2clip.models.cards import CARDS
from napari_s2clip.models.errors import OwnFileError
from napari_s2clip.models.find import find_card, find_spec
from napari_s2clip.models.own import add_own, catalogue, own_file, remove_own
from napari_s2clip.models.specs import SPECS

SAM = {"name": "cells", "role": "sam", "architecture": "vit_b"}


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("NAPARI_S2CLIP_CONFIG", str(tmp_path / "config"))
    return tmp_path / "config"


@pytest.fixture
def weights(tmp_path) -> str:
    path = tmp_path / "my weights ü.pth"
    path.write_bytes(b"x")
    return str(path)


def write(text: str) -> None:
    own_file().parent.mkdir(exist_ok=True)
    own_file().write_text(text, encoding="utf-8")


def test_without_a_file_there_are_the_programs(config):
    found = catalogue()
    assert found.cards == CARDS
    assert found.specs == SPECS
    assert found.own == frozenset()
    assert not config.exists()


def test_a_model_that_is_added_can_be_chosen(weights):
    card = add_own(**SAM, file=weights, about="Cells in light microscopy.")
    assert card.path == Path(weights)
    assert (card.title, card.is_sam, card.can_be_downloaded) == ("cells", True, False)
    spec = find_spec("vit-b-16").with_sam(find_card("sam", "cells"))
    assert spec.sam == card
    assert catalogue().own == {"cells"}
    with pytest.raises(ValueError, match=r"no SAM 'cell'; .* sam-h, cells"):
        find_card("sam", "cell")
    # Only where it fits.
    with pytest.raises(ValueError, match="no fusion model 'cells'"):
        find_card("vfm", "cells")


def test_presets(weights):
    write(f"""
# mine
[[model]]
name = "cells"
role = "sam"
architecture = "vit_b"
file = {weights!r}

[[preset]]
name = "mine"
clip = "clip-b-16"
vfm = "dino-s-16"
sam = "cells"
""")
    spec = find_spec("mine")
    assert (spec.clip.name, spec.vfm.name, spec.sam.name) == (
        "clip-b-16",
        "dino-s-16",
        "cells",
    )
    assert spec.description == "CLIP ViT-B/16 (OpenAI), DINO ViT-S/16, cells."
    with pytest.raises(ValueError, match="the preset mine needs cells; remove that"):
        remove_own("cells")
    with pytest.raises(ValueError, match=r"choose one of demo, .*, mine, or the name"):
        find_spec("nothing")


def test_what_is_added_and_removed_leaves_the_rest(weights):
    write("# my models\n")
    add_own(**SAM, file=weights)
    add_own(**SAM | {"name": "tissue"}, file=weights)
    remove_own("cells")
    text = own_file().read_text(encoding="utf-8")
    assert text.startswith("# my models\n")
    assert list(catalogue().own) == ["tissue"]
    assert Path(weights).exists()
    with pytest.raises(ValueError, match="no model 'cells' of your own"):
        remove_own("cells")
    with pytest.raises(ValueError, match="no model 'sam-b' of your own"):
        remove_own("sam-b")


def test_published_ones():
    card = add_own(
        name="vit-cells",
        role="vfm",
        architecture="vit_small_patch16_224.dino",
        repository="lab/vit-cells",
        filename="model.safetensors",
        sha256="0" * 64,
    )
    assert card.source.endswith("/lab/vit-cells")
    assert card.folder == "own--lab--vit-cells"
    assert card.can_be_downloaded
    other = add_own(**SAM, url="https://example.org/a/my%20sam.pth?download=1")
    assert other.filename == "my sam.pth"
    assert other.folder == "own--cells"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "../x"}, "name: '../x' is no name"),
        ({"name": ""}, "name: '' is no name"),
        ({"name": "sam-b"}, "name: 'sam-b' is one of the program's"),
        ({"name": "fast"}, "name: 'fast' is one of the program's"),
        ({"role": "dino"}, "role: input should be 'clip', 'vfm' or 'sam'"),
        ({"architecture": ""}, "architecture: give its name"),
        ({"architecture": "vit_t"}, "no SAM of segment_anything; choose one of vit_b"),
        ({"url": ""}, "give exactly one of them, not none"),
        ({"file": "x.pth"}, "give exactly one of them, not file and url"),
        ({"sha256": "abc"}, "sha256: give 64"),
        ({"size": "3"}, "size: there is no such field; choose one of name"),
        ({"url": "http://example.org/x.pth"}, "is not encrypted"),
        ({"url": "file:///etc/x.pth"}, "is not encrypted"),
        ({"url": "https://me:secret@example.org/x.pth"}, "without a name and a pass"),
        ({"url": "https:///x.pth"}, "url: give https://HOST/PATH"),
        ({"url": "https://example.org/"}, "filename: '' is no plain file name"),
        ({"url": "https://example.org/x.exe"}, "is no weight file"),
        ({"url": "https://example.org/..%2F..%2Fx.pth"}, "is no plain file name"),
        ({"url": "https://example.org/a%5C..%5Cx.pth"}, "is no plain file name"),
        ({"url": "https://example.org/.pth"}, "is no weight file"),
        ({"filename": "../../x.pth"}, "is no plain file name"),
        ({"filename": "/etc/x.pth"}, "is no plain file name"),
        ({"filename": "C:x.pth"}, "is no plain file name"),
        ({"url": "", "repository": "a/../b", "filename": "x.pth"}, "not OWNER/NAME"),
        ({"url": "", "repository": "../b", "filename": "x.pth"}, "not OWNER/NAME"),
        ({"url": "", "repository": "a/b"}, "filename: name the file"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(change, message, config):
    facts = SAM | {"url": "https://example.org/x.pth"} | change
    with pytest.raises(ValueError, match="model") as caught:
        add_own(**{k: v for k, v in facts.items() if v or k in SAM})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not config.exists()


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="file: there is no file"):
        add_own(**SAM, file=str(tmp_path / "none.pth"))
    # One that has gone since is missed when it is loaded.
    write(f'[[model]]\nname="a"\nrole="sam"\narchitecture="vit_b"\nfile="{tmp_path}/x"')
    assert catalogue().cards["a"].path == tmp_path / "x"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[model", "it is no TOML"),
        ("\udcff", "it is no TOML"),
        ("[[modell]]\nname='x'", r"there is no \[\[modell\]\]; write \[\[model\]\]"),
        ("model = 3", r"model: write \[\[model\]\] above each"),
        ("[[model]]\nrole='sam'", "model 1: name: it is missing"),
        ("[[model]]\nname=3", "model 3: name: input should be a valid string"),
        ("[[preset]]\nname='fast'\nclip='a'\nvfm='b'\nsam='c'", "one of the program"),
        (
            "[[preset]]\nname='x'\nclip='a'\nvfm='b'\nsam='c'",
            "preset x: clip: there is no model 'a'; choose one of demo-clip, clip-b-16",
        ),
    ],
)
def test_a_file_that_is_wrong_names_the_place(text, message):
    own_file().parent.mkdir()
    own_file().write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=message) as caught:
        catalogue()
    assert str(caught.value).startswith(str(own_file()))


def test_a_name_that_is_there_twice():
    entry = '[[model]]\nname="a"\nrole="sam"\narchitecture="vit_b"\nfile="x"\n'
    write(entry * 2)
    with pytest.raises(ValueError, match="model a: name: it is there twice"):
        catalogue()
    # A command that takes both must know which is meant.
    preset = '[[preset]]\nname="a"\nclip="clip-b-16"\nvfm="dino-b-8"\nsam="sam-b"\n'
    write(entry + preset)
    with pytest.raises(ValueError, match="preset a: name: it is there twice"):
        catalogue()
    write(preset)
    with pytest.raises(ValueError, match="name: there is a preset 'a' already"):
        add_own(**SAM | {"name": "a"}, url="https://example.org/x.pth")


def test_a_file_that_cannot_be_read():
    own_file().mkdir(parents=True)
    with pytest.raises(OwnFileError, match="it cannot be read"):
        catalogue()


def test_a_wrong_file_is_in_nobodys_way_but_its_own():
    write("[[model")
    assert find_card("sam", "sam-l") == CARDS["sam-l"]
    assert find_card("vfm", "dino-s-8") == CARDS["dino-s-8"]
    assert find_spec("ViT-B-32").name == "ViT-B-32"
    for choose in (find_spec, partial(find_card, "sam"), partial(find_card, "vfm")):
        with pytest.raises(OwnFileError, match="it is no TOML"):
            choose("mine")
