"""A threaded server on the loopback interface that logs and stops at once."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, NamedTuple, Self

from .faults import Answer, Faults


class Logged(NamedTuple):
    """A request and the status of its answer; it compares to a plain tuple."""

    method: str
    path: str
    range: str | None
    status: int | None
    """None if the server was told to hang."""


class LocalServer:
    """A server on a free port of 127.0.0.1.

    Subclasses say in `answer` what a request gets; faults may change it.
    """

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, shared: LocalServer | None = None
    ) -> None:
        self.faults = Faults() if shared is None else shared.faults
        self.log: list[Logged] = [] if shared is None else shared.log
        """Requests in the order in which they were answered."""
        self.headers: list[dict[str, str]] = [] if shared is None else shared.headers
        """Headers of the requests in `log`, with names in lower case."""
        self.stopping = threading.Event()
        self._lock = threading.Lock() if shared is None else shared._lock
        self._tcp = _Server(self, tls)
        self._thread = threading.Thread(
            target=self._tcp.serve_forever, args=(0.01,), name=type(self).__name__
        )
        self._thread.start()

    @property
    def port(self) -> int:
        return self._tcp.server_address[1]

    @property
    def endpoint(self) -> str:
        """Address without a slash at its end."""
        return f"{'http' if self._tcp.tls is None else 'https'}://127.0.0.1:{self.port}"

    def answer(self, method: str, path: str, headers: dict[str, str]) -> Answer:
        """Give the answer to a request."""
        raise NotImplementedError

    def record(
        self, method: str, path: str, headers: dict[str, str], status: int | None
    ) -> None:
        with self._lock:
            self.log.append(Logged(method, path, headers.get("range"), status))
            self.headers.append(headers)

    def serve(self, handler: Handler) -> None:
        """Handle one request that a connection brought."""
        headers = {name.lower(): value for name, value in handler.headers.items()}
        method, path = handler.command, handler.path
        answer = self.answer(method, path, headers)
        answer = self.faults.apply(method, path, answer)
        if any(size < 0 for size, _ in answer.pauses):
            self.record(method, path, headers, None)
        else:
            self.record(method, path, headers, answer.status)
        handler.send(answer)

    def stop(self) -> None:
        """Close every connection, also one that waits; an error of the server's shows.

        Raises
        ------
        Exception
            The first that the server's own code raised.
        """
        self.stopping.set()
        self._tcp.shutdown()
        self._tcp.close_connections()
        self._tcp.server_close()
        self._thread.join()
        if self._tcp.crashes:
            raise self._tcp.crashes[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Connections in threads, which `server_close` waits for."""

    request_queue_size = 32

    def __init__(self, owner: LocalServer, tls: ssl.SSLContext | None) -> None:
        self.owner = owner
        self.tls = tls
        self.crashes: list[BaseException] = []
        self._connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self.tls is not None:
            # The handshake happens at the first read, so in the connection's thread.
            connection = self.tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        # A client that goes away, or that does not trust the certificate, is no crash.
        if error is not None and not isinstance(error, OSError | ValueError):
            self.crashes.append(error)


class Handler(BaseHTTPRequestHandler):
    """One connection: parse requests, send answers."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def _serve(self) -> None:
        self.server.owner.serve(self)

    do_GET = do_HEAD = do_CONNECT = _serve

    def send(self, answer: Answer) -> None:
        """Send an answer with its faults; a HEAD gets the headers only."""
        for size, pause in answer.pauses:
            if size < 0 and not self._wait(pause):
                return
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self._send_body(answer)

    def _send_body(self, answer: Answer) -> None:
        size = len(answer.body)
        end = size if answer.cut is None else min(answer.cut, size)
        stops = dict(answer.pauses)
        step = 1 << 16 if answer.pace is None else max(1, int(answer.pace / 20))
        sent = 0
        if 0 in stops and not self._wait(stops[0]):
            return
        while sent < end:
            upto = min([end, sent + step, *(s for s in stops if s > sent)])
            self.wfile.write(answer.body[sent:upto])
            sent = upto
            if sent in stops and not self._wait(stops[sent]):
                return
            if answer.pace and self.server.owner.stopping.wait(step / answer.pace):
                break
        if sent < size:
            self.close_connection = True

    def _wait(self, pause: Any) -> bool:
        """Wait at a pause; tell whether to go on."""
        pause.reached.set()
        while not pause.go.wait(0.01):
            if self.server.owner.stopping.is_set():
                self.close_connection = True
                return False
        return True

    def log_message(self, *args: Any) -> None:
        """Print nothing: the server keeps a log."""
