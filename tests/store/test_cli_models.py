"""The ``models`` command, driven as a user does, against servers on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path

import pytest

from napari_s2clip.cli import main
from napari_s2clip.models.cards import CARDS, CLIPS, SAMS, VFMS, ModelCard
from napari_s2clip.models.own import catalogue, own_file
from napari_s2clip.models.specs import SPECS
from napari_s2clip.store import Transfer, WeightStore
from napari_s2clip.store.https import part_file

from .servers import ALWAYS

SAM = os.urandom(300_000)
DINO = os.urandom(200_000)
HASH = hashlib.sha256(SAM).hexdigest()
TABLES = {"clip": CLIPS, "vfm": VFMS, "sam": SAMS}


@pytest.fixture(autouse=True)
def home(hub_home, hub, tmp_path, monkeypatch):
    """A user with empty folders, whose hub is the local one."""
    monkeypatch.setenv("NAPARI_S2CLIP_CONFIG", str(tmp_path / "config"))
    monkeypatch.delenv("NAPARI_S2CLIP_OFFLINE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    return hub_home


@pytest.fixture
def published(files, hub, monkeypatch):
    """SAM ViT-B and DINO ViT-S/16 as small files of the local servers."""

    def change(name: str, **facts: object) -> ModelCard:
        card = replace(CARDS[name], **facts)
        monkeypatch.setitem(CARDS, name, card)
        monkeypatch.setitem(TABLES[card.role], name, card)
        return card

    url = files.add("/sam.pth", SAM)
    about = {"filename": "sam.pth", "url": url, "size": len(SAM), "sha256": HASH}
    hub.add("test/dino", "model.safetensors", DINO)
    sam, fusion = change("sam-b", **about), change("sam-b-16", **about)
    dino = change("dino-s-16", repository="test/dino", memory=len(DINO))
    demo = CARDS["demo-clip"]
    spec = replace(SPECS["fast"], clip=demo, vfm=dino, sam=sam)
    monkeypatch.setitem(SPECS, "fast", spec)
    return {"sam-b": sam, "sam-b-16": fusion, "dino-s-16": dino}


@pytest.fixture
def run(capsys):
    """Run ``models``; its exit code, standard output and standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main(["models", *map(str, arguments)])
        return code, *capsys.readouterr()

    return run


def write_own(text: str) -> None:
    own_file().parent.mkdir(exist_ok=True)
    own_file().write_text(text, encoding="utf-8")


def own_sam(url: str, name: str = "cells") -> None:
    write_own(
        f'[[model]]\nname = "{name}"\nrole = "sam"\narchitecture = "vit_b"\n'
        f'url = "{url}"\n'
    )


def gets(server) -> int:
    return sum(entry.method == "GET" for entry in server.log)


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[0] ^= 0xFF
    path.write_bytes(content)


# ------------------------------------------------------------ what there is


def test_help_needs_no_library_of_the_network_nor_torch():
    code = (
        "import sys\nfrom napari_s2clip.cli import main\n"
        "main(['models', '--help'])\nmain(['models', 'download', '--help'])\n"
        "print({'torch', 'requests', 'huggingface_hub'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("usage: napari-s2clip models ")
    assert done.stdout.endswith("set()\n")


def test_the_list_says_what_is_here_and_what_is_missing(run, published, home, files):
    path = WeightStore().home(published["sam-b"])
    path.parent.mkdir(parents=True)
    part_file(path).write_bytes(SAM[:100_000])
    code, text, errors = run("list")
    assert (code, errors) == (0, "")
    lines = text.splitlines()
    assert max(map(len, lines)) < 80
    for name, card in CARDS.items():
        assert sum(
            re.match(rf"{name} +{card.role} ", line) is not None for line in lines
        )
        assert f"  {card.about}" in lines
    assert re.search(r"(?m)^demo-sam +sam +built in +2.42 MB +BSD-3-Clause$", text)
    assert re.search(r"(?m)^sam-b +sam +100 kB of 300 kB +300 kB +Apache-2.0$", text)
    assert re.search(r"(?m)^dino-s-16 +vfm +to download +about 200 kB ", text)
    preset = r"(?m)^fast +demo-clip, dino-s-16, sam-b +dino-s-16, sam-b: about 500 kB$"
    assert re.search(preset, text)
    assert re.search(r"(?m)^demo +demo-clip, demo-dino, demo-sam +nothing$", text)
    assert re.search(r"(?m)^best .* all: about 6.85 GB$", text)
    assert "*" not in text
    part_file(path).rename(path)
    assert re.search(r"(?m)^sam-b +sam +on this computer +100 kB ", run("list")[1])
    assert not files.log


def test_the_list_marks_the_users_own(run):
    write_own(
        '[[model]]\nname = "cells"\nrole = "sam"\narchitecture = "vit_b"\n'
        'file = "none.pth"\n'
        '[[preset]]\nname = "mine"\nclip = "demo-clip"\nvfm = "demo-dino"\n'
        'sam = "cells"\n'
    )
    text = run("list")[1]
    assert re.search(r"(?m)^cells \* +sam +missing +- +-$", text)
    assert re.search(r"(?m)^mine \* +demo-clip, demo-dino, cells +cells$", text)
    assert text.endswith(f"* your own, from {own_file()}\n")


def test_the_list_as_json(run, published):
    own_sam("https://example.org/x.pth")
    WeightStore().download(published["dino-s-16"])
    code, text, _ = run("list", "--json")
    found = {item["name"]: item for item in json.loads(text)}
    assert code == 0
    assert list(found) == [*CARDS, "cells"]
    assert {field.name for field in fields(ModelCard)} < set(found["sam-b"])
    assert [name for name, item in found.items() if item["own"]] == ["cells"]
    assert found["cells"]["state"]["checksum"] is None
    assert found["sam-b"]["state"] == {
        "installed": False,
        "path": None,
        "belongs": str(WeightStore().home(published["sam-b"])),
        "bytes": 0,
        "sha256": HASH,
        "checksum": "published",
    }
    dino = found["dino-s-16"]["state"]
    assert (dino["installed"], dino["bytes"]) == (True, len(DINO))
    assert Path(dino["path"]).read_bytes() == DINO
    assert dino["checksum"] == "recorded"


def test_a_wrong_file_of_own_models(run, published):
    write_own("[[model")
    complaint = f"napari-s2clip: error: {own_file()}: it is no TOML"
    for action in ("list", "verify"):
        code, text, errors = run(action)
        assert code == 1
        assert "demo-sam" in text
        assert errors.startswith(complaint)
        assert errors.count("\n") == 1
    # What the program knows itself can be named all the same.
    assert run("info", "sam-b")[0] == 0
    assert run("download", "sam-b")[0] == 0
    code, text, errors = run("info", "cells")
    assert (code, text) == (1, "")
    assert errors.startswith(complaint)
    code, _, errors = run(
        *("add", "x", "--part", "sam", "--architecture", "vit_b"),
        *("--url", "https://example.org/x.pth"),
    )
    assert code == 1
    assert errors.startswith(complaint)


def test_info_says_all_of_a_model(run, published):
    code, text, _ = run("info", "dino-s-16")
    assert code == 0
    facts = dict(line.split(":", 1) for line in text.splitlines() if line[0] != " ")
    facts = {name: words.strip() for name, words in facts.items()}
    assert facts["state"] == "to download"
    assert facts["size"] == "about 200 kB"
    assert facts["SHA-256"].startswith("unverified; none is published")
    assert facts["licence"] == "Apache-2.0"
    assert facts["memory"] == "about 200 kB in fp32"
    assert facts["source"] == "https://huggingface.co/test/dino"
    assert facts["citation"].startswith("Caron et al. 2021")
    assert facts["belongs to"].endswith("model.safetensors")
    path = WeightStore().download(published["dino-s-16"])
    text = run("info", "dino-s-16")[1]
    assert f"path:         {path}\n" in text
    assert "size:         200 kB\n" in text
    digest = hashlib.sha256(DINO).hexdigest()
    assert digest in text
    assert "(recorded at the first use)" in text
    assert f"{HASH}\n              (published)" in run("info", "sam-b")[1]


def test_info_of_a_preset(run, published):
    code, text, _ = run("info", "fast")
    assert code == 0
    assert "clip:         demo-clip (built in)\n" in text
    assert "sam:          sam-b (to download)\n" in text
    assert "missing:      dino-s-16, sam-b: about 500 kB\n" in text
    facts = json.loads(run("info", "fast", "--json")[1])
    assert facts["kind"] == "preset"
    assert facts["missing"] == ["dino-s-16", "sam-b"]
    assert facts["sam"] == "sam-b"


def test_info_of_a_clip_of_open_clip(run):
    code, text, _ = run("info", "ViT-B-32")
    assert code == 0
    assert "clip:         ViT-B-32 (missing)\n" in text
    code, _, errors = run("info", "RN50")
    assert code == 2
    assert "error: open_clip's RN50 cannot be used" in errors


@pytest.mark.parametrize("action", ["info", "download", "verify", "remove", "path"])
def test_names_that_there_are_not(run, action):
    code, text, errors = run(action, "sam-x")
    assert (code, text) == (2, "")
    assert errors == (
        "napari-s2clip: error: there is no model or preset 'sam-x'; "
        "`napari-s2clip models list` shows all\n"
    )


def test_paths(run, home, published):
    text = run("path")[1]
    assert text.splitlines() == [
        f"cache:         {home.s2clip_cache}",
        f"hub:           {home.s2clip_cache / 'hub'}",
        f"configuration: {own_file()}",
    ]
    assert json.loads(run("path", "--json")[1])["configuration"] == str(own_file())
    belongs = home.s2clip_cache / "segment-anything" / "sam.pth"
    assert run("path", "sam-b") == (0, f"{belongs}\n", "")
    found = WeightStore().download(published["dino-s-16"])
    assert run("path", "dino-s-16") == (0, f"{found}\n", "")
    assert json.loads(run("path", "dino-s-16", "--json")[1])["installed"] is True
    code, _, errors = run("path", "fast")
    assert code == 2
    assert "fast is a preset; name one of its models: demo-clip, dino-s-16, " in errors


# ----------------------------------------------------------------- download


def test_a_preset_is_downloaded_once(run, published, files, hub):
    store = WeightStore()
    code, text, errors = run("download", "fast")
    assert (code, errors) == (0, "")  # no bar where there is no terminal
    dino = store.find(published["dino-s-16"])
    sam = store.find(published["sam-b"])
    assert text.splitlines()[1:] == [
        f"dino-s-16: downloaded to {dino}",
        f"sam-b: downloaded to {sam}",
    ]
    assert text.startswith("demo-clip: already here, ")
    before = gets(files), gets(hub)
    text = run("download", "fast")[1]
    assert text.splitlines()[1:] == [
        f"dino-s-16: already here, {dino}",
        f"sam-b: already here, {sam}",
    ]
    assert (gets(files), gets(hub)) == before
    assert run("download", "fast", "--quiet") == (0, "", "")


def test_a_file_of_two_models_is_brought_once(run, published, files):
    code, text, _ = run("download", "sam-b", "sam-b-16", "sam-b")
    path = WeightStore().find(published["sam-b"])
    assert (code, text) == (0, f"sam-b, sam-b-16: downloaded to {path}\n")
    assert gets(files) == 1


def test_one_that_fails_does_not_stop_the_others(run, published, files):
    files.faults.status(404, times=ALWAYS)
    code, text, errors = run("download", "sam-b", "dino-s-16")
    assert code == 1
    assert text.startswith("dino-s-16: downloaded to ")
    assert errors.startswith("napari-s2clip: error: sam-b: sam.pth from http://127.0.")
    assert "sam.pth: the server answered 404 Not Found; put the file into" in errors
    assert errors.count("\n") == 1
    code, text, _ = run("download", "sam-b", "dino-s-16", "--json")
    first, second = json.loads(text)
    assert code == 1
    assert (first["ok"], first["path"], "404" in first["error"]) == (False, None, True)
    assert (second["ok"], second["downloaded"]) == (True, False)


def test_a_name_that_is_wrong_stops_before_anything_is_done(run, published, files):
    assert run("download", "sam-b", "sam-x")[0] == 2
    assert not files.log


def test_what_cannot_be_downloaded(run, monkeypatch, published, files):
    monkeypatch.setenv("NAPARI_S2CLIP_OFFLINE", "1")
    code, _, errors = run("download", "sam-b")
    assert code == 1
    assert "the network may not be used" in errors
    assert not files.log
    write_own(
        '[[model]]\nname = "a"\nrole = "sam"\narchitecture = "vit_b"\n'
        'file = "/no/x.pth"\n'
    )
    code, _, errors = run("download", "a")
    assert code == 1
    assert "is not there; put it there, or change its path in models.toml" in errors


class Terminal:
    """Standard error as a terminal of 80 columns, that keeps what is written."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


def test_a_terminal_sees_bytes_rate_and_time_left(run, published, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    def bring(self, card, *, progress, **_):
        for done in range(0, 300_001, 100_000):
            progress(Transfer(card.title, "downloading", done, 300_000, 1e5))
            time.sleep(0.11)
        return Path("x")

    monkeypatch.setattr(WeightStore, "download", bring)
    assert run("download", "sam-b")[0] == 0
    pictures = terminal.text.split("\r")
    assert any(
        picture.startswith(" 33% SAM ViT-B: 100 kB of 300 kB, 100 kB/s, 2 s left |")
        for picture in pictures
    )
    assert max(map(len, pictures)) <= 80
    assert not [picture for picture in pictures if picture.startswith("  0%  |")]
    terminal.text = ""
    assert run("download", "sam-b", "--quiet") == (0, "", "")
    assert terminal.text == ""


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGINT for one process")
def test_an_interrupt_keeps_what_has_come(run, files):
    content = os.urandom(400_000)
    own_sam(files.add("/cells.pth", content))
    files.faults.pause_after(250_000)
    process = subprocess.Popen(
        [sys.executable, "-m", "napari_s2clip", "models", "download", "cells"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    part = part_file(WeightStore().home(catalogue().cards["cells"]))
    while not (part.is_file() and part.stat().st_size >= 250_000):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    text, errors = process.communicate(timeout=60)
    assert (process.returncode, text) == (130, "")
    assert errors == "napari-s2clip: interrupted\n"
    assert part.stat().st_size == 250_000
    assert run("download", "cells")[0] == 0
    assert [entry.range for entry in files.log if entry.method == "GET"][-1] == (
        "bytes=250000-"
    )


# ------------------------------------------------------------------- verify


def test_verify_looks_at_all_that_is_here(run, published):
    store = WeightStore()
    store.download(published["sam-b"])
    dino = store.home(published["dino-s-16"])
    dino.parent.mkdir(parents=True)
    dino.write_bytes(DINO)
    code, text, errors = run("verify")
    assert (code, errors) == (0, "")
    assert text.splitlines() == [
        "demo-clip: good",
        "demo-dino: good",
        "demo-sam: good",
        "dino-s-16: unverified (no checksum was known; this one is recorded now)",
        "sam-b-16, sam-b: good",
    ]
    assert run("verify", "dino-s-16") == (0, "dino-s-16: good\n", "")
    assert run("verify", "--quiet") == (0, "", "")


def test_one_that_is_named_has_to_be_here(run, published):
    code, text, errors = run("verify", "fast")
    assert (code, text) == (1, "demo-clip: good\n")
    start = "napari-s2clip: error: "
    assert errors.splitlines() == [
        f"{start}{name}: missing (`napari-s2clip models download {name}`)"
        for name in ("dino-s-16", "sam-b")
    ]
    code, text, _ = run("verify", "sam-b", "--json")
    assert code == 1
    assert [(i["name"], i["state"], i["ok"]) for i in json.loads(text)] == [
        ("sam-b", "missing", False)
    ]


def test_repair_brings_what_is_damaged_and_nothing_else(run, published, files, hub):
    store = WeightStore()
    sam = store.download(published["sam-b"])
    dino = store.download(published["dino-s-16"])
    damage(sam)
    before = gets(hub)
    code, text, errors = run("verify")
    assert code == 1
    assert "sam-b-16, sam-b: damaged (" in errors
    assert "`napari-s2clip models verify --repair sam-b-16`" in errors
    assert "dino-s-16: good" in text
    assert sam.read_bytes() != SAM
    code, text, errors = run("verify", "--repair")
    assert (code, errors) == (0, "")
    assert "sam-b: good (it was damaged, and downloaded again)\n" in text
    assert sam.read_bytes() == SAM
    assert gets(files) == 2
    assert gets(hub) == before
    # One of the hub too.
    damage(dino)
    assert run("verify", "--repair", "dino-s-16")[0] == 0
    assert dino.read_bytes() == DINO


def test_repair_holds_to_the_checksum_that_was_recorded(run, files):
    own_sam(files.add("/cells.pth", SAM))
    assert run("download", "cells")[0] == 0
    damage(WeightStore().find(catalogue().cards["cells"]))
    files.replace("/cells.pth", DINO)
    code, _, errors = run("verify", "cells", "--repair")
    assert code == 1
    assert f"not {HASH}" in errors


@pytest.mark.parametrize("offline", [False, True])
def test_what_cannot_be_repaired_stays(run, published, monkeypatch, tmp_path, offline):
    own = tmp_path / "own.pth"
    own.write_bytes(SAM)
    write_own(
        f'[[model]]\nname = "a"\nrole = "sam"\narchitecture = "vit_b"\n'
        f"file = '{own}'\nsha256 = \"{'0' * 64}\"\n"
    )
    code, _, errors = run("verify", "--repair", "a")
    assert code == 1
    assert f"a: damaged ({own}; it is your own file, and nothing was done" in errors
    assert own.read_bytes() == SAM
    sam = WeightStore().download(published["sam-b"])
    damage(sam)
    if offline:
        monkeypatch.setenv("NAPARI_S2CLIP_OFFLINE", "1")
        code, _, errors = run("verify", "--repair", "sam-b")
        assert code == 1
        assert "the network may not be used, and nothing was deleted" in errors
        assert sam.exists()


# ----------------------------------------------------------- add and remove


def test_a_model_is_added_downloaded_and_removed(run, files):
    url = files.add("/cells.pth", SAM)
    code, text, errors = run(
        *("add", "cells", "--part", "sam", "--architecture", "vit_b", "--url", url),
        *("--title", "Cells", "--about", "For cells.", "--licence", "MIT"),
        *("--citation", "Nobody 2020", "--sha256", HASH),
    )
    assert (code, errors) == (0, "")
    assert text.splitlines() == [
        f"cells: added to {own_file()}",
        "`napari-s2clip models download cells` brings its file",
    ]
    card = catalogue().cards["cells"]
    assert (card.title, card.about, card.licence, card.citation, card.sha256) == (
        *("Cells", "For cells.", "MIT", "Nobody 2020"),
        HASH,
    )
    assert run("download", "cells")[0] == 0
    path = WeightStore().find(card)
    code, text, _ = run("remove", "cells")
    assert (code, text) == (
        0,
        f"cells: taken out of {own_file()}; deleted {path}, 300 kB freed\n",
    )
    assert not path.exists()
    assert "cells" not in catalogue().cards


def test_a_model_of_a_repository(run, hub):
    hub.add("lab/cells", "cells.pth", SAM)
    arguments = ("add", "cells", "--part", "sam", "--architecture", "vit_b")
    where = ("--repository", "lab/cells", "--filename", "cells.pth")
    code, text, _ = run(*arguments, *where, "--json")
    assert code == 0
    assert json.loads(text)["repository"] == "lab/cells"
    assert json.loads(text)["own"] is True
    assert run("download", "cells")[0] == 0
    assert run("verify", "cells")[:2] == (0, "cells: good\n")


def test_the_file_of_ones_own_stays(run, tmp_path, monkeypatch):
    own = tmp_path / "own.pth"
    own.write_bytes(SAM)
    monkeypatch.chdir(tmp_path)
    arguments = ("add", "a", "--part", "sam", "--architecture", "vit_b")
    code, text, _ = run(*arguments, "--file", "own.pth")
    assert (code, text) == (0, f"a: added to {own_file()}\n")
    assert run("path", "a")[1] == f"{own}\n"
    code, text, _ = run("remove", "a")
    assert (code, text) == (
        0,
        f"a: taken out of {own_file()}; its file {own} stays\n",
    )
    assert own.read_bytes() == SAM


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--architecture", "vit_x", "--url", "https://a.org/x.pth"), "no SAM of segm"),
        (("--architecture", "vit_b", "--url", "http://a.org/x.pth"), "not encrypted"),
        (("--architecture", "vit_b", "--file", "none.pth"), "there is no file none.p"),
        (
            ("--architecture", "vit_b", "--repository", "a/b"),
            "filename: name the file of the repository",
        ),
        (
            ("--architecture", "vit_b", "--file", "x.pth", "--filename", "y.pth"),
            "--filename: --file names the file",
        ),
        (("--architecture", "vit_b"), "one of the arguments --file --url --repository"),
        (("--url", "https://a.org/x.pth"), "required: --architecture"),
    ],
    ids=str,
)
def test_what_cannot_be_added(run, arguments, message):
    code, text, errors = run("add", "a", "--part", "sam", *arguments)
    assert (code, text) == (2, "")
    assert message in errors
    assert not own_file().exists()


def test_remove_says_what_was_deleted(run, published):
    store = WeightStore()
    sam = store.download(published["sam-b"])
    dino = store.download(published["dino-s-16"])
    code, text, errors = run("remove", "sam-b", "dino-s-16", "sam-l")
    assert (code, errors) == (0, "")
    assert text.splitlines() == [
        f"sam-b: deleted {sam}, 300 kB freed; sam-b-16 used the same file",
        f"dino-s-16: deleted {dino}, 200 kB freed",
        "sam-l: nothing of it was downloaded",
    ]
    assert not sam.exists()
    assert not dino.exists()
    part = part_file(sam)
    part.write_bytes(SAM[:1000])
    text = run("remove", "sam-b", "--json")[1]
    assert json.loads(text) == [
        {"name": "sam-b", "ok": True, "deleted": None, "freed": 1000, "also": []}
    ]
    part.write_bytes(SAM[:1000])
    assert run("remove", "sam-b")[1] == (
        "sam-b: deleted an unfinished download, 1.00 kB freed\n"
    )


def test_what_is_not_removed(run, published):
    code, text, errors = run("remove", "demo-clip", "sam-b")
    assert code == 1
    assert "demo-clip: clip.safetensors: it is part of the package; nothing " in errors
    assert text == "sam-b: nothing of it was downloaded\n"
    code, _, errors = run("remove", "fast")
    assert code == 2
    assert "fast is a preset; name one of its models" in errors
    own_sam("https://example.org/x.pth")
    with own_file().open("a", encoding="utf-8") as stream:
        stream.write(
            '[[preset]]\nname = "mine"\nclip = "demo-clip"\nvfm = "demo-dino"\n'
            'sam = "cells"\n'
        )
    code, _, errors = run("remove", "cells")
    assert code == 1
    assert "error: cells: the preset mine needs cells; remove that first\n" in errors
    assert "cells" in catalogue().cards


def test_a_file_that_others_need_stays_when_ones_own_card_goes(run, published):
    dino = WeightStore().download(published["dino-s-16"])
    write_own(
        '[[model]]\nname = "mine"\nrole = "vfm"\n'
        'architecture = "vit_small_patch16_224.dino"\nrepository = "test/dino"\n'
        'filename = "model.safetensors"\n'
    )
    code, text, _ = run("remove", "mine")
    assert code == 0
    assert text.endswith(f"its file {dino} stays, dino-s-16 may need it\n")
    assert dino.exists()
