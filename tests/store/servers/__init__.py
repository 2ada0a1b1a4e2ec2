"""Servers on the loopback interface for the clients that fetch weights.

A test takes them from the fixtures ``hub``, ``files``, ``tls_files`` and ``proxy``,
gives them content, tells them what to do wrong and reads their log::

    def test_a_cut_download_goes_on(files: FileServer) -> None:
        url = files.add("sam.pth", b"0123456789")
        files.faults.cut_after(4)
        assert download(url) == b"0123456789"
        assert files.log == [
            ("GET", "/sam.pth", None, 200),
            ("GET", "/sam.pth", "bytes=4-", 206),
        ]
"""

from .faults import ALWAYS, Pause
from .files import FileServer
from .hub import HubServer
from .local import LocalServer, Logged
from .proxy import ProxyServer

__all__ = [
    "ALWAYS",
    "FileServer",
    "HubServer",
    "LocalServer",
    "Logged",
    "Pause",
    "ProxyServer",
]
