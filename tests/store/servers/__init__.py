"""Servers on the loopback interface for the clients that fetch weights."""

from .faults import ALWAYS, Pause
from .files import FileServer
from .hub import HubServer
from .local import LocalServer, Logged

__all__ = ["ALWAYS", "FileServer", "HubServer", "LocalServer", "Logged", "Pause"]
