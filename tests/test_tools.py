"""The set-up step and the runner for machines without a screen."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

TOOLS = Path(__file__).resolve().parent.parent / "tools"
LINUX = sys.platform.startswith("linux")


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"_{name}", TOOLS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


setup = load("system_setup")
headless = load("headless")


def lacking(
    environ: dict[str, str],
    *libraries: str,
    xvfb: bool = True,
    font: bool = True,
) -> list[str]:
    """Packages that a system without these libraries needs."""
    found = setup.missing(
        environ,
        loads=lambda soname: soname not in libraries,
        which=lambda _: "/usr/bin/Xvfb" if xvfb else None,
        has_font=lambda: font,
    )
    return [item.package for item in found]


class TestMissing:
    def test_nothing(self) -> None:
        assert lacking({}) == []

    def test_libraries_become_packages(self) -> None:
        libraries = ("libxcb-cursor.so.0", "libGL.so.1")
        assert lacking({}, *libraries) == ["libgl1", "libxcb-cursor0"]

    def test_everything_of_a_bare_system(self) -> None:
        found = lacking({}, *setup.LIBRARIES, xvfb=False, font=False)
        assert found == [*setup.LIBRARIES.values(), "xvfb", "fonts-dejavu-core"]

    @pytest.mark.parametrize("name", ["DISPLAY", "WAYLAND_DISPLAY"])
    def test_no_server_is_needed_beside_a_screen(self, name: str) -> None:
        assert lacking({name: ":0"}, xvfb=False) == []
        assert lacking({name: ""}, xvfb=False) == ["xvfb"]

    def test_the_loader_is_asked(self) -> None:
        assert not setup.loads("libno-such-library.so.9")

    @pytest.mark.parametrize(("name", "counts"), [("a.ttf", True), ("a.txt", False)])
    def test_fonts(self, tmp_path: Path, name: str, counts: bool) -> None:
        folder = tmp_path / "truetype"
        folder.mkdir()
        (folder / name).touch()
        assert setup.has_font([str(tmp_path), str(tmp_path / "none")]) is counts


class TestSetup:
    @pytest.fixture(autouse=True)
    def bare_debian(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[list[str]] = []
        self.lacking = [setup.Missing("libGL.so.1", "libgl1")]
        self.apt_works = True
        monkeypatch.setattr(setup.sys, "platform", "linux")
        monkeypatch.setattr(setup, "missing", lambda _: list(self.lacking))
        monkeypatch.setattr(setup.shutil, "which", lambda name: f"/usr/bin/{name}")
        monkeypatch.setattr(setup.os, "geteuid", lambda: 0, raising=False)
        monkeypatch.setattr(setup.subprocess, "call", self.call)

    def call(self, command: list[str], env: dict[str, str]) -> int:
        assert env["DEBIAN_FRONTEND"] == "noninteractive"
        self.calls.append(command)
        if not self.apt_works:
            return 100
        if "install" in command:
            self.lacking.clear()
        return 0

    def test_root_installs(self) -> None:
        assert setup.main([]) == 0
        assert self.calls == [
            ["apt-get", "update"],
            ["apt-get", "install", "--yes", "--no-install-recommends", "libgl1"],
        ]

    def test_others_are_told_the_command(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(setup.os, "geteuid", lambda: 1000, raising=False)
        assert setup.main([]) == 1
        assert not self.calls
        assert (
            "sudo apt-get update && sudo apt-get install --yes "
            "--no-install-recommends libgl1\n"
        ) in capsys.readouterr().out

    def test_dry_run_installs_nothing(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert setup.main(["--dry-run"]) == 1
        assert not self.calls
        assert "  apt-get update && apt-get install" in capsys.readouterr().out

    def test_failed_installation(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.apt_works = False
        assert setup.main([]) == 1
        assert self.calls == [["apt-get", "update"]]
        assert "Still missing" in capsys.readouterr().out

    def test_other_distributions(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(setup.shutil, "which", lambda _: None)
        assert setup.main([]) == 1
        assert not self.calls
        assert "libGL.so.1" in capsys.readouterr().out

    def test_complete_systems_are_left_alone(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.lacking.clear()
        assert setup.main([]) == 0
        assert not self.calls
        assert capsys.readouterr().out == ""

    @pytest.mark.parametrize("platform", ["darwin", "win32"])
    def test_other_systems_are_left_alone(
        self, monkeypatch: pytest.MonkeyPatch, platform: str
    ) -> None:
        monkeypatch.setattr(setup.sys, "platform", platform)
        assert setup.main([]) == 0
        assert not self.calls


class TestHeadless:
    @pytest.mark.parametrize(
        ("environ", "platform", "needed"),
        [
            ({}, "linux", True),
            ({"DISPLAY": ":1"}, "linux", False),
            ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", False),
            ({}, "darwin", False),
            ({}, "win32", False),
        ],
    )
    def test_when_a_server_is_needed(
        self, environ: dict[str, str], platform: str, needed: bool
    ) -> None:
        assert headless.needs_server(environ, platform) is needed

    def test_usage(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert headless.main([]) == 2
        assert "COMMAND" in capsys.readouterr().out

    def test_unknown_commands_are_named(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        environ = {**os.environ, "DISPLAY": ":1"}
        assert headless.main(["no-such-command"], environ) == 127
        assert "no-such-command" in capsys.readouterr().err

    def test_exit_codes_pass_through(self) -> None:
        environ = {**os.environ, "DISPLAY": ":1"}
        command = [sys.executable, "-c", "raise SystemExit(7)"]
        assert headless.main(command, environ) == 7

    @pytest.mark.skipif(not LINUX, reason="X servers are started on Linux only")
    def test_no_server_is_one_clear_line(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(headless.shutil, "which", lambda *_args, **_: None)
        assert headless.main(["true"], {}) == 1
        assert "system_setup.py" in capsys.readouterr().err

    @pytest.mark.skipif(shutil.which("Xvfb") is None, reason="needs Xvfb")
    def test_a_display_lives_as_long_as_the_command(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        started: list[subprocess.Popen[bytes]] = []

        class Recorded(subprocess.Popen):  # type: ignore[type-arg]
            def __init__(self, *args: Any, **options: Any) -> None:
                super().__init__(*args, **options)
                started.append(self)

        monkeypatch.setattr(headless.subprocess, "Popen", Recorded)
        code = (
            "import os, pathlib; pathlib.Path('seen').write_text("
            "os.environ['DISPLAY'] + ' ' + os.environ['LIBGL_ALWAYS_SOFTWARE'])"
        )
        monkeypatch.chdir(tmp_path)
        environ = {"PATH": os.environ["PATH"]}
        assert headless.main([sys.executable, "-c", code], environ) == 0
        display, software = Path("seen").read_text().split()
        assert re.fullmatch(r":\d+", display)
        assert software == "1"
        server, command = started
        assert Path(str(server.args[0])).name == "Xvfb"
        assert server.poll() is not None
        assert command.poll() == 0
