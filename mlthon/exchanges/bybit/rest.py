"""The venue's REST interface: signed requests, bounded answers, and the patience to ask again.

Questions (GET) are repeated after faults and rate limits, a bounded number of times. Commands (POST) are sent
once; only a refused timestamp, which proves that nothing was done, is followed by a second try.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import quote, urlencode

import aiohttp
import orjson
from yarl import URL

from mlthon.errors import DecodeError, VenueRefusal, VenueUnreachable
from mlthon.exchanges.backoff import Backoff
from mlthon.exchanges.bybit.clock import VenueClock
from mlthon.exchanges.bybit.codec.fields import Json, rows
from mlthon.exchanges.bybit.codec.rest import decode_envelope, decode_server_time_ns, next_cursor
from mlthon.exchanges.bybit.codec.trade import RateLimit, rate_limit
from mlthon.exchanges.bybit.config import BybitConfig
from mlthon.exchanges.bybit.reject_codes import CLOCK_SKEW, RATE_LIMITED, UNKNOWN_OUTCOME
from mlthon.exchanges.bybit.signing import Signer

__all__ = ["RestClient"]

log = logging.getLogger("mlthon.exchanges.bybit")

_TRIES = 4
_MOST_ROWS = 100_000
_LARGEST_ANSWER = 32 * 2**20
_AT_ONCE = 8  # the venue counts requests per second; more in parallel would only be refused


class RestClient:
    """Requests to one account.

    Every method raises VenueRefusal (the venue said no), VenueUnreachable (no usable answer in time) or
    DecodeError (an answer that is not what the protocol says).
    """

    def __init__(
        self, config: BybitConfig, http: Callable[[], aiohttp.ClientSession], clock: VenueClock
    ) -> None:
        self._config = config
        self._http = http
        self._clock = clock
        self._signer = Signer(config.api_key, config.api_secret, config.recv_window_ms)
        self._turnstile = asyncio.Semaphore(_AT_ONCE)
        self.on_limits: Callable[[RateLimit | None], None] = lambda _: None

    @property
    def signer(self) -> Signer:
        """What signs for this account."""
        return self._signer

    async def get(self, path: str, params: Mapping[str, str], *, public: bool = False) -> Json:
        """Ask a question; returns the result."""
        # A cursor is handed out percent-encoded, and has to come back as it is.
        query = urlencode(params, safe="%", quote_via=quote)
        pauses = Backoff(self._config.retry_first_ms, self._config.retry_longest_ms)
        for _ in range(_TRIES - 1):
            try:
                return await self._request("GET", path, query, public)
            except VenueUnreachable as error:
                log.info("%s; asking again", error)
            except VenueRefusal as refusal:
                if refusal.code in CLOCK_SKEW:
                    await self.measure_clock()
                elif refusal.code not in RATE_LIMITED | UNKNOWN_OUTCOME:
                    raise
                log.info("%s; asking again", refusal)
            await asyncio.sleep(pauses.next_s())
        return await self._request("GET", path, query, public)

    async def pages(self, path: str, params: Mapping[str, str], *, public: bool = False) -> list[Json]:
        """Ask a question whose answer is a list that comes in pages; returns all its rows."""
        found: list[Json] = []
        asked = dict(params)
        while len(found) < _MOST_ROWS:
            result = await self.get(path, asked, public=public)
            page = rows(result, "list", path)
            found += page
            cursor = next_cursor(result, path)
            if not cursor or not page or cursor == asked.get("cursor"):
                return found
            asked["cursor"] = cursor
        raise DecodeError(f"{path}: expected fewer than {_MOST_ROWS} rows, got more")

    async def post(self, path: str, body: Mapping[str, object]) -> Json:
        """Give a command; returns the result. After VenueUnreachable its fate is unknown."""
        payload = orjson.dumps(body).decode()
        try:
            return await self._request("POST", path, payload, public=False)
        except VenueRefusal as refusal:
            if refusal.code not in CLOCK_SKEW:
                raise
            await self.measure_clock()
            return await self._request("POST", path, payload, public=False)

    async def measure_clock(self) -> None:
        """Measure the offset of the venue's clock."""
        sent_ns = self._clock.local_ns()
        result = await self._request("GET", "/v5/market/time", "", public=True)
        received_ns = self._clock.local_ns()
        venue_ns = decode_server_time_ns(result, "/v5/market/time")
        self._clock.measured(sent_ns=sent_ns, received_ns=received_ns, venue_ns=venue_ns)
        log.info(
            "venue clock: %+.1f ms, round trip %.1f ms",
            self._clock.offset_ns / 1e6,
            (received_ns - sent_ns) / 1e6,
        )

    async def _request(self, method: str, path: str, payload: str, public: bool) -> Json:
        what = f"{method} {path}"
        async with self._turnstile:
            answer = await self._exchange(method, path, payload, public, what)
        self.on_limits(answer.limits)
        try:
            envelope = decode_envelope(answer.body, what)
        except DecodeError as error:
            raise _http_error(answer.status, what) or error from None
        if envelope.code != 0:
            raise VenueRefusal(envelope.code, envelope.text, what)
        if answer.status != 200:
            raise VenueUnreachable(f"{what}: expected HTTP 200, got {answer.status}")
        return envelope.result

    async def _exchange(self, method: str, path: str, payload: str, public: bool, what: str) -> _Answer:
        """Send one request and read its answer."""
        headers = {} if public else self._signer.headers(self._clock.now_ms(), payload)
        url, body = f"{self._config.rest_url.rstrip('/')}{path}", None
        if method == "GET":
            url = f"{url}?{payload}" if payload else url
        else:
            headers["Content-Type"] = "application/json"
            body = payload.encode()
        timeout = aiohttp.ClientTimeout(total=self._config.request_timeout_ms / 1_000)
        try:
            async with self._http().request(
                method,
                URL(url, encoded=True),  # what is signed has to be what is sent
                data=body,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,  # the signature is for this host alone
            ) as response:
                limits = rate_limit(
                    path,
                    response.headers.get("X-Bapi-Limit"),
                    response.headers.get("X-Bapi-Limit-Status"),
                    response.headers.get("X-Bapi-Limit-Reset-Timestamp"),
                )
                return _Answer(response.status, await _read_body(response, what), limits)
        except TimeoutError:
            raise VenueUnreachable(
                f"{what}: no answer within {self._config.request_timeout_ms / 1_000:g} s"
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise VenueUnreachable(f"{what}: {type(error).__name__}: {error}") from None


class _Answer(NamedTuple):
    status: int
    body: bytes
    limits: RateLimit | None


async def _read_body(response: aiohttp.ClientResponse, what: str) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _LARGEST_ANSWER:
            raise DecodeError(f"{what}: expected at most {_LARGEST_ANSWER} bytes, got more")
    return bytes(body)


def _http_error(status: int, what: str) -> Exception | None:
    """What an answer without an envelope means; None for a status that promises one."""
    if status == 200:
        return None
    if status >= 500:
        return VenueUnreachable(f"{what}: the venue is out of order: HTTP {status}")
    return VenueRefusal(status, f"HTTP {status}", what)
