"""Run a command that opens windows, also on a machine without a screen.

    python tools/headless.py COMMAND [ARGUMENT ...]

On Linux without a display, an Xvfb server is started on a display of its own for as
long as the command runs, with OpenGL rendered in software. Elsewhere the command runs
as it is. The exit code is the command's. Only the standard library is used, and unlike
``xvfb-run`` neither xauth nor a free display number has to be found first.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType

SCREEN = "1920x1200x24"
START_TIMEOUT = 60.0  # seconds; a loaded two-core machine needs a few


class NoDisplayError(RuntimeError):
    """Xvfb did not start."""


def needs_server(environ: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Tell whether windows need an X server that is not there."""
    screen = environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")
    return platform.startswith("linux") and not screen


@contextlib.contextmanager
def virtual_display() -> Iterator[str]:
    """Start Xvfb on a free display, give its name, and stop it at the end."""
    program = shutil.which("Xvfb")
    if program is None:
        raise NoDisplayError(
            "Xvfb is not installed; `python tools/system_setup.py` installs it or "
            "prints the command"
        )
    # Xvfb picks a free display itself, and writes its number once clients may connect.
    reading, writing = os.pipe()
    command = [program, "-displayfd", str(writing), "-screen", "0", SCREEN]
    server = subprocess.Popen(
        [*command, "-nolisten", "tcp", "-noreset"],
        pass_fds=[writing],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the command; the server goes last
    )
    os.close(writing)
    try:
        ready, _, _ = select.select([reading], [], [], START_TIMEOUT)
        number = os.read(reading, 16).decode().strip() if ready else ""
        if not number:
            raise NoDisplayError(f"{program} did not start: {' '.join(command)}")
        yield f":{number}"
    finally:
        os.close(reading)
        server.terminate()
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def run(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a command to its end, passing signals on, and return its exit code."""
    # Windows finds `pytest.exe` for "pytest" only when given the whole path.
    program = shutil.which(command[0], path=environ.get("PATH")) or command[0]
    try:
        process = subprocess.Popen([program, *command[1:]], env=dict(environ))
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return 127

    def pass_on(number: int, _frame: FrameType | None) -> None:
        process.send_signal(number)

    before = signal.signal(signal.SIGTERM, pass_on)
    try:
        while True:
            try:
                code = process.wait()
                break
            except KeyboardInterrupt:
                continue  # the command got it too, and decides when to end
    finally:
        signal.signal(signal.SIGTERM, before)
    return code if code >= 0 else 128 - code  # as a shell counts deaths by signal


def main(command: Sequence[str], environ: Mapping[str, str] | None = None) -> int:
    """Run the command, on a virtual display where there is no other."""
    environ = os.environ if environ is None else environ
    if not command:
        print(__doc__)
        return 2
    if not needs_server(environ):
        return run(command, environ)
    try:
        with virtual_display() as display:
            software = {"DISPLAY": display, "LIBGL_ALWAYS_SOFTWARE": "1"}
            return run(command, {**environ, **software})
    except NoDisplayError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
