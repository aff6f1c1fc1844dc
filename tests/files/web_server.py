"""A small web server on 127.0.0.1 that serves files by path, with ranges or without, and counts what it sends."""

from contextlib import AbstractContextManager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.weights.hub_server import serving


class WebServer(ThreadingHTTPServer):
    """Serves `files`; everything else is not found.

    Attributes:
        ranges: "yes"; "ignored", as servers do that do not know them; or "none", as servers do that say so.
        statuses: answers to be given instead, by path.
        sent: bytes of each answer.
    """

    daemon_threads = True

    def __init__(self, ranges: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.ranges = ranges
        self.statuses: dict[str, int] = {}
        self.sent: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: WebServer

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        server, path = self.server, self.path.partition("?")[0]
        status = server.statuses.get(path, 200 if path in server.files else 404)
        body = server.files[path] if status == 200 else b""
        wanted = self.headers.get("Range", "").removeprefix("bytes=")
        if wanted and status == 200 and server.ranges == "yes":
            first, last = (int(place) if place else len(body) - 1 for place in wanted.split("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{min(last, len(body) - 1)}/{len(body)}")
            body = body[first : last + 1]
        else:
            self.send_response(status)
        if server.ranges == "none":
            self.send_header("Accept-Ranges", "none")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            server.sent.append(len(body))
            try:
                self.wfile.write(body)
            except OSError:  # whoever asked has seen enough
                self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


def web_server(ranges: str = "yes") -> AbstractContextManager[WebServer]:
    """A running server."""
    return serving(partial(WebServer, ranges))
