"""A guard that lets sockets reach this machine only.

It needs the standard library alone, so that a child process can install it as well
(see ``loopback_child``).
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Any


class NetworkUsedError(RuntimeError):
    """Something tried to reach another machine.

    It is no OSError: a client must not take it for a failed connection and try again.
    """


def is_loopback(host: object) -> bool:
    """Tell whether a host is this machine, without asking a name server."""
    if host is None or _text(host) in {"", "localhost"}:
        return True
    return _is_address(host) and ipaddress.ip_address(_text(host)).is_loopback


def _text(host: object) -> str:
    return host.decode() if isinstance(host, bytes) else str(host)


def _is_address(host: object) -> bool:
    try:
        ipaddress.ip_address(_text(host))
    except ValueError:
        return False
    return True


def install(
    replace: Callable[[Any, str, Any], None] = setattr,
    attempts: list[str] | None = None,
) -> None:
    """Replace the socket functions by ones that refuse other machines.

    Parameters
    ----------
    replace
        ``setattr``, or pytest's ``monkeypatch.setattr``.
    attempts
        Gets a line for each attempt, as a client may swallow the error.
    """

    def refuse(what: str) -> None:
        message = f"{what}: tests may reach this machine only"
        if attempts is not None:
            attempts.append(message)
        raise NetworkUsedError(message)

    def guard_method(name: str) -> None:
        original = getattr(socket.socket, name)

        def guarded(self: socket.socket, *args: Any) -> Any:
            # Pipes between processes and the X server are no network.
            if self.family in {socket.AF_INET, socket.AF_INET6}:
                address = args[-1]
                if isinstance(address, tuple) and not is_loopback(address[0]):
                    refuse(f"a socket's {name} to {address[0]}:{address[1]}")
            return original(self, *args)

        replace(socket.socket, name, guarded)

    def guard_lookup(name: str, *, names_only: bool = True) -> None:
        original = getattr(socket, name)

        def guarded(host: Any, *args: Any, **kwargs: Any) -> Any:
            # An address needs no lookup, unless it is to be turned into a name.
            if not is_loopback(host) and not (_is_address(host) and names_only):
                refuse(f"a lookup ({name}) of {host}")
            return original(host, *args, **kwargs)

        replace(socket, name, guarded)

    for method in ("connect", "connect_ex", "sendto"):
        guard_method(method)
    for lookup in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        guard_lookup(lookup)
    guard_lookup("gethostbyaddr", names_only=False)
