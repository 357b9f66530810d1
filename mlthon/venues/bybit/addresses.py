"""What one network address may do: requests, connections and failed logins, each over a rolling window.

Too many requests, and the address is refused with HTTP 403 for ten minutes, whatever it asks; too many connections,
and further ones are refused until some end. Addresses that fail to log in again and again may not try for a while.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from mlthon.venues.bybit.errors import ApiError, RetCode
from mlthon.venues.bybit.limits import VenueLimits

__all__ = ["AddressLimits", "refusal"]

_NS_PER_S = 1_000_000_000
_REQUEST_WINDOW_NS = 5 * _NS_PER_S
_CONNECTION_WINDOW_NS = 300 * _NS_PER_S
_LOGIN_WINDOW_NS = 300 * _NS_PER_S
_REMEMBERED = 10_000  # addresses, of each kind


class AddressLimits:
    """Counts by address.

    >>> limits = AddressLimits(VenueLimits(address_requests=2), now_ns=lambda: 0)
    >>> [limits.admits_request("127.0.0.1") for _ in range(3)], limits.admits_request("127.0.0.2")
    ([True, True, False], True)
    """

    def __init__(self, limits: VenueLimits, now_ns: Callable[[], int]) -> None:
        self._limits = limits
        self._now_ns = now_ns
        self._requests = _Counts(_REQUEST_WINDOW_NS)
        self._connections = _Counts(_CONNECTION_WINDOW_NS)
        self._failed_logins = _Counts(_LOGIN_WINDOW_NS)
        self._banned_until_ns: OrderedDict[str, int] = OrderedDict()

    def admits_request(self, address: str) -> bool:
        """Count a request; returns whether it may be answered."""
        now_ns = self._now_ns()
        if self._banned_until_ns.get(address, 0) > now_ns:
            return False
        if self._requests.add(address, now_ns) <= self._limits.address_requests:
            return True
        self._banned_until_ns[address] = now_ns + int(self._limits.address_ban_s * _NS_PER_S)
        if len(self._banned_until_ns) > _REMEMBERED:
            self._banned_until_ns.popitem(last=False)
        return False

    def admits_connection(self, address: str, open_now: int) -> bool:
        """Count a new websocket; returns whether it may be opened. `open_now` is how many there are."""
        if open_now >= self._limits.connections:
            return False
        return self._connections.add(address, self._now_ns()) <= self._limits.address_connections

    def check_logins(self, address: str) -> None:
        """Raise ApiError when too many logins from this address have failed."""
        if self._failed_logins.count(address, self._now_ns()) >= self._limits.address_failed_logins:
            raise ApiError(
                RetCode.ADDRESS_LIMITED, "too many failed logins from this address: try again later"
            )

    def note_failed_login(self, address: str) -> None:
        self._failed_logins.add(address, self._now_ns())

    def middleware(self) -> Middleware:
        """What every request passes."""

        @web.middleware
        async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await handler(request) if self.admits_request(request.remote or "") else refusal()

        return admit


def refusal() -> web.Response:
    """The answer to an address that does too much."""
    return web.Response(status=HTTPStatus.FORBIDDEN, text="403 Forbidden: access too frequent")


class _Counts:
    """When each address did something, within a window."""

    def __init__(self, window_ns: int) -> None:
        self._window_ns = window_ns
        self._times_ns: OrderedDict[str, deque[int]] = OrderedDict()  # the longest idle first

    def add(self, address: str, now_ns: int) -> int:
        """Count one more; returns how many there are in the window, this one included."""
        times_ns = self._times_ns.setdefault(address, deque())
        self._times_ns.move_to_end(address)
        if len(self._times_ns) > _REMEMBERED:
            self._times_ns.popitem(last=False)
        times_ns.append(now_ns)
        return self.count(address, now_ns)

    def count(self, address: str, now_ns: int) -> int:
        times_ns = self._times_ns.get(address, ())
        while times_ns and times_ns[0] <= now_ns - self._window_ns:
            times_ns.popleft()
        return len(times_ns)
