"""What stands before every request: the right host, the right origin, the token; and the headers of every response.

A page of another site can send requests to this machine, and a name that it owns can lead here. So the token is
needed for everything, the host must be ours, and what a browser sends from another page is refused.
"""

import secrets
import socket
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import Final

from starlette.datastructures import URL, Headers, MutableHeaders, QueryParams
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")

_POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
_CURE: Final = "open the address that the program has printed"


class Guard:
    """Lets through only requests of this page, or with the token.

    Args:
        app: what is guarded.
        token: secret.
        host: that the server listens on; other names than the machine's own are refused.
        port: part of the name of the cookie, because a browser sends cookies to all ports.
    """

    def __init__(self, app: ASGIApp, *, token: str, host: str, port: int) -> None:
        self._app, self._token, self._host = app, token, host
        self._cookie = f"concertclean_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or passes it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        response = self._refusal(scope) or self._welcome(scope)
        await (response or self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        """Response to a request that does not come from our page."""
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return _refused(HTTPStatus.MISDIRECTED_REQUEST, f"this name is not that of the server; {_CURE}")
        if any(origin.lower() != f"http://{hosts[0].lower()}" for origin in origins):
            return _refused(HTTPStatus.FORBIDDEN, "requests of other pages are refused; use the page of this server")
        if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"} and scope["path"] != "/":
            return _refused(HTTPStatus.FORBIDDEN, "requests of other pages are refused; use the page of this server")
        return None

    def _welcome(self, scope: Scope) -> Response | None:
        """Response to a request without a cookie: it is set if the address has the token, else there is none."""
        headers = Headers(scope=scope)
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return None if self._is_token(bearer.strip()) else self._unknown()
        given = QueryParams(scope["query_string"]).get("token")
        if given is not None and scope["path"] == "/":
            if not self._is_token(given):
                return self._unknown()
            response = RedirectResponse(str(URL(scope=scope).replace(query="", scheme="", netloc="")) or "/", 303)
            response.set_cookie(self._cookie, self._token, httponly=True, samesite="strict")
            return response
        return None if self._is_token(self._in_cookie(headers)) else self._unknown()

    def _in_cookie(self, headers: Headers) -> str:
        cookies: SimpleCookie = SimpleCookie()
        try:
            cookies.load(headers.get("cookie", ""))
        except CookieError:
            return ""
        found = cookies.get(self._cookie)
        return "" if found is None else found.value

    def _is_token(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self._token.encode())

    def _unknown(self) -> Response:
        return _refused(HTTPStatus.UNAUTHORIZED, f"the token is missing or wrong; {_CURE}")

    def _is_ours(self, host: str) -> bool:
        """Whether a Host header names this server: a name that somebody else owns never does."""
        name = (URL(f"http://{host}").hostname or "").lower()
        if self._host in LOOPBACK:
            return name in LOOPBACK
        own = socket.gethostname().lower()
        return name in {self._host.lower(), "localhost", own, f"{own}.local"} or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _refused(status: HTTPStatus, message: str) -> Response:
    headers = {"www-authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
    return JSONResponse({"error": message}, status, headers)
