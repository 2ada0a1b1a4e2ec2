"""A forward proxy that knows made-up hosts."""

from __future__ import annotations

import base64
import select
import socket
from urllib.parse import urlsplit

from .faults import Answer
from .local import Handler, LocalServer


class ProxyServer(LocalServer):
    """Forward requests to servers on this machine, and to no other.

    Many clients use no proxy for loopback addresses, so `route` gives a server a host
    name that only the proxy knows. The log has whole URLs, and ``host:port`` for the
    tunnels (CONNECT) in which TLS goes through.
    """

    def __init__(self, user: str | None = None, password: str = "") -> None:
        self.user = user
        self.password = password
        self.routes: dict[str, int] = {}
        super().__init__()

    @property
    def url(self) -> str:
        """What to put into ``HTTP_PROXY``, with the user and the password if any."""
        login = "" if self.user is None else f"{self.user}:{self.password}@"
        return f"http://{login}127.0.0.1:{self.port}"

    def route(self, host: str, server: LocalServer) -> str:
        """Send requests for a made-up host to a server; give the address to use."""
        self.routes[host] = server.port
        return f"{server.endpoint.partition(':')[0]}://{host}"

    def answer(self, method: str, path: str, headers: dict[str, str]) -> Answer:
        login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        given = headers.get("proxy-authorization")
        if self.user is not None and given != f"Basic {login}":
            return Answer(407, {"Proxy-Authenticate": 'Basic realm="proxy"'})
        return Answer(502 if self._target(method, path) is None else 200)

    def serve(self, handler: Handler) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        method, path = handler.command, handler.path
        answer = self.answer(method, path, headers)
        answer = self.faults.apply(method, path, answer)
        handler.close_connection = True
        target = self._target(method, path)
        if answer.status != 200 or target is None:
            self.record(method, path, headers, answer.status)
            handler.send(answer)
            return
        with socket.create_connection(target) as upstream:
            if method == "CONNECT":
                self.record(method, path, headers, 200)
                handler.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                self._relay(handler.connection, upstream)
                return
            upstream.sendall(_request(handler))
            start = upstream.recv(1 << 16)
            status = int(start.split()[1]) if start else None
            self.record(method, path, headers, status)
            handler.wfile.write(start)
            self._relay(handler.connection, upstream)

    def _target(self, method: str, path: str) -> tuple[str, int] | None:
        """Give where a request goes, if that is on this machine."""
        url = urlsplit(f"//{path}" if method == "CONNECT" else path)
        if url.hostname in self.routes:
            return "127.0.0.1", self.routes[url.hostname]
        if url.hostname == "127.0.0.1" and url.port is not None:
            return url.hostname, url.port
        return None

    def _relay(self, client: socket.socket, upstream: socket.socket) -> None:
        """Pass bytes both ways until one side closes or the proxy stops."""
        other = {client: upstream, upstream: client}
        while not self.stopping.is_set():
            for ready in select.select(list(other), [], [], 0.05)[0]:
                data = ready.recv(1 << 16)
                if not data:
                    return
                other[ready].sendall(data)


def _request(handler: Handler) -> bytes:
    """Write a request as the server expects it: a path, and none of the proxy's own."""
    url = urlsplit(handler.path)
    path = url.path + (f"?{url.query}" if url.query else "")
    lines = [f"{handler.command} {path} HTTP/1.1"]
    for name, value in handler.headers.items():
        if not name.lower().startswith("proxy-") and name.lower() != "connection":
            lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode()
