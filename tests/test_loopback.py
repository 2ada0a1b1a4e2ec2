"""No socket leaves this machine under the fixture, and none is hindered within it."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from .loopback import NetworkUsedError, is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OTHERS: dict[str, Callable[[], object]] = {
    "connect": lambda: _tcp("connect", ("192.0.2.1", 80)),
    "connect_ex": lambda: _tcp("connect_ex", ("192.0.2.1", 80)),
    "sendto": lambda: _udp(("192.0.2.1", 53)),
    "getaddrinfo": lambda: socket.getaddrinfo("weights.example", 443),
    "gethostbyname": lambda: socket.gethostbyname("weights.example"),
    "gethostbyaddr": lambda: socket.gethostbyaddr("192.0.2.1"),
}


def _tcp(method: str, address: tuple[str, int]) -> object:
    with socket.socket() as connection:
        return getattr(connection, method)(address)


def _udp(address: tuple[str, int]) -> object:
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        return sender.sendto(b"", address)


@pytest.mark.parametrize("how", list(OTHERS))
def test_other_machines_are_refused_by_name(how: str, only_loopback: list[str]) -> None:
    with pytest.raises(NetworkUsedError, match=rf"{how}.* (192\.0\.2\.1|weights)"):
        OTHERS[how]()
    # Without this the fixture fails the test at its end.
    assert len(only_loopback) == 1
    only_loopback.clear()


def test_this_machine_is_reached(only_loopback: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for host in ("127.0.0.1", "localhost"):
            socket.create_connection((host, port)).close()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")
def test_a_unix_socket_passes(only_loopback: list[str], tmp_path: Path) -> None:
    address = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as peer:
        server.bind(address)
        server.listen()
        peer.connect(address)


def test_a_child_process_is_guarded_too(only_loopback: list[str]) -> None:
    code = "import socket; socket.create_connection(('192.0.2.1', 80))"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert "NetworkUsedError: a socket's connect to 192.0.2.1:80" in run.stderr


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        (None, True),
        (b"localhost", True),
        ("192.0.2.1", False),
        ("0.0.0.0", False),
        ("localhost.example", False),
    ],
)
def test_which_hosts_are_this_machine(host: object, here: bool) -> None:
    assert is_loopback(host) is here
