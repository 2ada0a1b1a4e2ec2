import json
import os
import stat
import subprocess
import sys

import pytest

from napari_s2clip import ClassSet, Settings
from napari_s2clip import user_memory as module
from napari_s2clip.classes import ClassEntry
from napari_s2clip.user_memory import (
    Remembered,
    UserMemory,
    is_remembering,
    project_of,
)

USED = Remembered(
    classes=ClassSet([ClassEntry("große Katze", ("kitten",), "#123456")], ["sky"]),
    model="fast",
    settings=Settings(method="naclip", probability_threshold=0.25),
    device="cpu",
    precision="fp32",
    panel={"tab": "review", "collapsed": ["scope"], "scope": {"level": None}},
)


@pytest.fixture
def memory(tmp_path):
    return UserMemory(tmp_path / "config")


def test_what_is_remembered_is_recalled(memory, tmp_path):
    photo = tmp_path / "a" / "photo.tif"
    assert memory.recall(photo) == (None, "")
    assert memory.remember(photo, USED) == ""
    assert memory.recall(photo) == (USED, "")
    # Another file of the folder belongs to the same project.
    assert memory.recall(tmp_path / "a" / "other.png") == (USED, "")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config"]


def test_each_project_has_its_own_and_others_begin_with_the_last(memory, tmp_path):
    first = Remembered(classes=ClassSet(["cat"]))
    second = Remembered(classes=ClassSet(["dog"]))
    third = Remembered(classes=ClassSet(["fox"]))
    memory.remember(tmp_path / "a" / "x.tif", first)
    memory.remember(tmp_path / "b" / "x.tif", second)
    assert memory.recall(tmp_path / "a" / "y.tif")[0] == first
    assert memory.recall(tmp_path / "c" / "x.tif")[0] == second
    assert memory.recall()[0] == second
    memory.remember(None, third)
    assert memory.recall()[0] == third
    assert memory.recall(tmp_path / "b" / "x.tif")[0] == second


@pytest.mark.parametrize(
    ("image", "project"),
    [
        (None, ""),
        ("", ""),
        ("https://host/data/scan.zarr/", "https://host/data"),
        ("s3://bucket/x.tif", "s3://bucket"),
    ],
)
def test_projects_without_a_folder(image, project):
    assert project_of(image) == project


def test_a_project_is_a_folder_whichever_way_leads_to_it(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path)
    wanted = str((tmp_path / "a").resolve())
    assert project_of("a/x.tif") == wanted
    assert project_of(tmp_path / "a" / ".." / "a" / "x.tif") == wanted
    try:
        (tmp_path / "link").symlink_to(tmp_path / "a")
    except OSError:  # Windows, without the right to
        return
    assert project_of(tmp_path / "link" / "x.tif") == wanted


def test_only_what_differs_from_the_defaults_is_written(memory):
    memory.remember(None, USED)
    content = json.loads((memory.folder / "last.json").read_text(encoding="utf-8"))
    assert content["settings"] == {"method": "naclip", "probability_threshold": 0.25}


def change(memory, **fields):
    memory.remember(None, USED)
    path = memory.folder / "last.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, **fields}), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("fields", "wanted", "note"),
    [
        (
            {"settings": {"method": "naclip", "gone": 1, "coarse_threshold": "much"}},
            {"settings": Settings(method="naclip")},
            "gone: there is no such setting",
        ),
        ({"settings": {"self": 1}}, {"settings": Settings()}, "self: there is no such"),
        ({"settings": [1]}, {"settings": Settings()}, "settings: it holds no fields"),
        ({"classes": {"classes": []}}, {"classes": None}, "classes is empty"),
        ({"classes": 7}, {"classes": None}, "classes: they are missing"),
        ({"device": 7}, {"device": ""}, "device: 7 is no text"),
        ({"panel": "wide"}, {"panel": {}}, "panel: it holds no fields"),
        ({"panel": {"x": float("nan")}}, {"panel": {}}, "panel: "),
        ({"panel": {"x": "y" * 70_000}}, {"panel": {}}, "give at most 65536"),
    ],
)
def test_fields_that_cannot_be_used_are_left_out(memory, fields, wanted, note):
    path = change(memory, **fields)
    found, told = memory.recall()
    assert found == Remembered(**{**vars(USED), **wanted})
    assert told.startswith(f"{path}: not used: ")
    assert note in told
    assert "\n" not in told
    # It is only read: the file stays as it is.
    assert memory.recall()[1] == told


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is damaged"),
        (b'{"version": 1, "cla', "it is damaged"),
        (b"\xff\xfe\x00", "it is damaged"),
        (b"[" * 200_000, "it is damaged"),
        (b"[1]", "it is damaged"),
        (b"{}", "version None is not 1"),
        (b'{"version": 2}', "version 2 is not 1"),
    ],
)
def test_what_is_no_memory_is_put_aside(memory, content, reason):
    memory.folder.mkdir()
    path = memory.folder / "last.json"
    for name in ("last.json.damaged", "last.json.damaged-2"):
        path.write_bytes(content)
        found, note = memory.recall()
        assert found is None
        assert note.startswith(f"{path}: {reason}")
        assert note.endswith(f"; it is now {name}")
        assert (memory.folder / name).read_bytes() == content
        assert memory.recall() == (None, "")


def test_writing_puts_aside_what_is_not_ours(memory):
    memory.folder.mkdir()
    path = memory.folder / "last.json"
    path.write_text('{"version": 99}')
    assert memory.remember(None, USED).endswith("it is now last.json.damaged")
    assert memory.recall() == (USED, "")
    aside = memory.folder / "last.json.damaged"
    assert aside.read_text() == '{"version": 99}'


def test_a_file_that_is_too_large_is_not_read(memory, monkeypatch):
    monkeypatch.setattr(module, "_MAX_FILE", 100)
    memory.remember(None, USED)
    assert "it is larger than 100 bytes" in memory.recall()[1]


def test_a_damaged_project_falls_back_on_the_last_use(memory, tmp_path):
    memory.remember(tmp_path / "x.tif", USED)
    (project,) = (memory.folder / "projects").iterdir()
    project.write_text("{")
    found, note = memory.recall(tmp_path / "x.tif")
    assert found == USED
    assert note.endswith(".json.damaged")


def test_the_oldest_projects_make_room(memory, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_PROJECTS", 3)
    for number in range(5):
        memory.remember(tmp_path / str(number) / "x", Remembered(model=str(number)))
        for path in (memory.folder / "projects").iterdir():
            # Times of files are coarse: make each older than the next.
            when = path.stat().st_mtime - 10
            os.utime(path, (when, when))
    models = [memory.recall(tmp_path / str(n) / "x")[0].model for n in range(5)]
    assert models == ["4", "4", "2", "3", "4"]


@pytest.mark.parametrize("panel", [{"x": object()}, {"x": float("inf")}])
def test_a_panel_that_is_no_plain_data_is_refused(memory, panel):
    with pytest.raises(ValueError, match=r"^panel: "):
        memory.remember(None, Remembered(panel=panel))
    assert memory.recall() == (None, "")


def test_a_folder_that_cannot_be_written_is_told_once_it_matters(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    memory = UserMemory(blocked / "config")
    assert memory.recall()[0] is None
    note = memory.remember(None, USED)
    assert note.startswith(f"{memory.folder}: what was used cannot be remembered (")
    assert "\n" not in note


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="the mode would not matter"
)
def test_a_folder_that_may_only_be_read(memory):
    memory.remember(None, USED)
    path = memory.folder / "last.json"
    memory.folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert memory.recall() == (USED, "")
        assert "cannot be remembered" in memory.remember(None, USED)
        path.write_text("{")
        assert memory.recall() == (
            None,
            f"{path}: it is damaged; it is not used",
        )
    finally:
        memory.folder.chmod(stat.S_IRWXU)


def test_a_lock_that_is_held_is_waited_for_and_told(memory, monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 0.01)
    memory.remember(None, USED)
    with memory._lock():
        assert "another window keeps it busy" in memory.remember(None, USED)
        (memory.folder / "last.json").write_text("{")
        assert memory.recall()[1].endswith("it is damaged; it is not used")


def test_forgetting(memory, tmp_path):
    assert memory.forget() == ""
    memory.remember(tmp_path / "x.tif", USED)
    assert memory.forget() == ""
    assert memory.recall(tmp_path / "x.tif") == (None, "")


@pytest.mark.parametrize(
    ("given", "preference", "wanted"),
    [
        (None, True, True),
        (None, False, False),
        ("0", True, False),
        (" No ", True, False),
        ("1", True, True),
        ("1", False, False),
        ("", True, True),
    ],
)
def test_the_switch(monkeypatch, given, preference, wanted):
    if given is None:
        monkeypatch.delenv("NAPARI_S2CLIP_REMEMBER", raising=False)
    else:
        monkeypatch.setenv("NAPARI_S2CLIP_REMEMBER", given)
    assert is_remembering(preference) is wanted


def test_the_configuration_folder_is_the_one_that_is_set(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_S2CLIP_CONFIG", str(tmp_path / "mine"))
    UserMemory().remember(None, USED)
    assert (tmp_path / "mine" / "last.json").is_file()


WRITE_OFTEN = """
import sys
from pathlib import Path

from napari_s2clip.user_memory import Remembered, UserMemory

folder, name = sys.argv[1:]
memory = UserMemory(Path(folder))
for number in range(30):
    note = memory.remember("/data/x.tif", Remembered(model=f"{name}{number}"))
    assert note == "", note
    found, note = memory.recall("/data/x.tif")
    assert note == "", note
    assert found.model[0] in "ab"
"""


def test_two_windows_write_at_once(memory):
    command = [sys.executable, "-c", WRITE_OFTEN, str(memory.folder)]
    both = [subprocess.Popen([*command, name]) for name in "ab"]
    assert [process.wait(120) for process in both] == [0, 0]
    assert memory.recall("/data/x.tif")[0].model in {"a29", "b29"}
