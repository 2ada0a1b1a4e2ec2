"""Make sure that the system libraries behind a Qt window with OpenGL are there.

The wheels of PyQt6 and PySide6 bring Qt, but not what Qt loads from the system: the
X11 client libraries, OpenGL, D-Bus and fonts. Without a screen an X server is needed
too. On a Debian system, and as root, what is missing is installed; everywhere else
the exact command is printed and the exit code is 1. Nothing but the standard library
is imported, so any Python can run this before anything is installed.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# What Qt's xcb plug-in and OpenGL load, and the Debian package of each. Debian 13 and
# Ubuntu 24.04 renamed libglib2.0-0; apt still knows it by the old name.
LIBRARIES: Mapping[str, str] = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libOpenGL.so.0": "libopengl0",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
}
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts")
FONT_PACKAGE = "fonts-dejavu-core"


@dataclass(frozen=True)
class Missing:
    """One thing that the system lacks, and the Debian package that brings it."""

    what: str
    package: str


def loads(soname: str) -> bool:
    """Tell whether the dynamic loader finds a shared library.

    Loading it is the only test that follows every rule of the loader: its cache,
    ``LD_LIBRARY_PATH``, the architecture, and the library's own dependencies.
    """
    try:
        ctypes.CDLL(soname)
    except OSError:
        return False
    return True


def has_font(folders: Sequence[str] = FONT_FOLDERS) -> bool:
    """Tell whether any scalable font is installed."""
    return any(
        path.suffix.lower() in {".ttf", ".otf", ".ttc"}
        for folder in folders
        for path in Path(folder).expanduser().rglob("*.?t?")
    )


def has_screen(environ: Mapping[str, str]) -> bool:
    """Tell whether the user's own screen can be used."""
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def missing(
    environ: Mapping[str, str],
    *,
    loads: Callable[[str], bool] = loads,
    which: Callable[[str], str | None] = shutil.which,
    has_font: Callable[[], bool] = has_font,
) -> list[Missing]:
    """List what a Qt window needs and this Linux system lacks."""
    found = [
        Missing(soname, package)
        for soname, package in LIBRARIES.items()
        if not loads(soname)
    ]
    if not has_screen(environ) and which("Xvfb") is None:
        found.append(Missing("Xvfb", "xvfb"))
    if not has_font():
        found.append(Missing("a scalable font", FONT_PACKAGE))
    return found


def apt_commands(packages: Sequence[str]) -> list[list[str]]:
    """Return the two commands that install Debian packages, as root."""
    return [
        ["apt-get", "update"],
        ["apt-get", "install", "--yes", "--no-install-recommends", *packages],
    ]


def as_typed(commands: Sequence[Sequence[str]], *, root: bool) -> str:
    """Write commands as one line for a shell, with ``sudo`` for other users."""
    prefix = () if root else ("sudo",)
    return " && ".join(shlex.join([*prefix, *command]) for command in commands)


def install(commands: Sequence[Sequence[str]]) -> bool:
    """Run the commands without asking anything; tell whether all succeeded."""
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in commands:
        print("+", shlex.join(command), flush=True)
        if subprocess.call(command, env=environ) != 0:
            return False
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the system, install what is missing if allowed, and tell the outcome."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="install nothing: print what is missing and the command that installs it",
    )
    options = parser.parse_args(arguments)

    if not sys.platform.startswith("linux"):
        return 0  # macOS and Windows bring a window system of their own
    lacking = missing(os.environ)
    if not lacking:
        return 0

    print("A Qt window needs, and this system lacks:")
    for item in lacking:
        print(f"  {item.what}  (Debian package: {item.package})")
    if shutil.which("apt-get") is None:
        print("Install the packages of your distribution that bring them, then retry.")
        return 1
    root = os.geteuid() == 0
    commands = apt_commands([item.package for item in lacking])
    line = as_typed(commands, root=root)
    if options.dry_run or not root:
        print(f"Install them with:\n  {line}")
        return 1
    installed = install(commands)
    still = missing(os.environ)
    if still:
        names = ", ".join(item.what for item in still)
        reason = "after the installation" if installed else "as it failed"
        print(f"Still missing {reason}: {names}. The command was:\n  {line}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
