"""The venue's REST interface: signed requests, bounded answers, and the patience to ask again.

Questions (GET) wait until the venue has room for them, and are repeated after faults, a bounded number of times.
Commands (POST) are sent once; only a refused timestamp, which proves that nothing was done, is followed by a second
try. Orders (`command`) do not wait and are never repeated.
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
from mlthon.exchanges.bybit.codec.rest import Envelope, decode_envelope, decode_server_time_ns, next_cursor
from mlthon.exchanges.bybit.codec.trade import RateLimit, rate_limit
from mlthon.exchanges.bybit.config import BybitConfig
from mlthon.exchanges.bybit.rate_limits import HTTP, RateLimits, bucket_of
from mlthon.exchanges.bybit.reject_codes import CLOCK_SKEW, RATE_LIMITED, UNKNOWN_OUTCOME
from mlthon.exchanges.bybit.signing import Signer

__all__ = ["NotSent", "RestClient"]

log = logging.getLogger("mlthon.exchanges.bybit")

_TRIES = 4
_MOST_ROWS = 100_000
_LARGEST_ANSWER = 32 * 2**20
_AT_ONCE = 8  # questions in parallel; more would only wait for each other at the venue
_CLOCK_TRIES = 3
_GOOD_ROUND_TRIP_NS = 200_000_000  # the venue's clock is then known to a tenth of a second
_CLOCK_PATH = "/v5/market/time"
_LONGEST_QUOTE = 200
_SHORTEST_WAIT_S = 0.005
_REQUEST_TIMEOUT = 408


class NotSent(VenueUnreachable):
    """There was no connection, or no room, so nothing was sent: the venue cannot know of the request."""


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
        self.on_rate_limit: Callable[[int, int, int], None] = lambda *_: None
        self.limits = RateLimits(self._tell_rate_limit, config.rate_factor, clock.steady_ns)

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
                return await self._ask(path, query, public)
            except VenueUnreachable as error:
                log.info("%s; asking again", error)
            except VenueRefusal as refusal:
                if refusal.code in CLOCK_SKEW:
                    await self.measure_clock()
                elif refusal.code not in RATE_LIMITED | UNKNOWN_OUTCOME:
                    raise
                log.info("%s; asking again", refusal)
            await asyncio.sleep(pauses.next_s())
        return await self._ask(path, query, public)

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

    async def post(self, path: str, body: Mapping[str, object], *, is_cancel: bool) -> Json:
        """Give a command; returns the result. After VenueUnreachable its fate is unknown."""
        await self._admission(bucket_of(path, str(body.get("category"))), path, is_cancel)
        try:
            return (await self.command(path, body)).result
        except VenueRefusal as refusal:
            if refusal.code not in CLOCK_SKEW:
                raise
            await self.measure_clock()
            return (await self.command(path, body)).result

    async def command(self, path: str, body: Mapping[str, object]) -> Envelope:
        """Send an order request, at once; the caller has counted it. NotSent proves that it did not leave."""
        payload = orjson.dumps(body).decode()
        return await self._request("POST", path, payload, public=False, category=str(body.get("category")))

    async def measure_clock(self) -> None:
        """Measure the offset of the venue's clock: by the quickest of a few round trips, if the first is slow."""
        best: tuple[int, int, int] | None = None
        for _ in range(_CLOCK_TRIES):
            await self._admission(HTTP, _CLOCK_PATH)
            sent_ns = self._clock.steady_ns()
            result = (await self._request("GET", _CLOCK_PATH, "", public=True)).result
            received_ns = self._clock.steady_ns()
            sample = (received_ns - sent_ns, sent_ns, decode_server_time_ns(result, _CLOCK_PATH))
            best = min(best or sample, sample)
            if best[0] <= _GOOD_ROUND_TRIP_NS:
                break
        assert best is not None
        round_trip_ns, sent_ns, venue_ns = best
        self._clock.measured(sent_ns=sent_ns, received_ns=sent_ns + round_trip_ns, venue_ns=venue_ns)
        self._clock.now_ms()
        log.info(
            "venue clock: %+.1f ms, round trip %.1f ms", self._clock.offset_ns / 1e6, round_trip_ns / 1e6
        )

    def _tell_rate_limit(self, limit: int, remaining: int, reset_ms: int) -> None:
        self.on_rate_limit(limit, remaining, reset_ms)

    async def _ask(self, path: str, query: str, public: bool) -> Json:
        async with self._turnstile:
            await self._admission(HTTP if public else bucket_of(path), path)
            return (await self._request("GET", path, query, public)).result

    async def _admission(self, bucket: str, path: str, is_cancel: bool = False) -> None:
        """Wait until a request may be made, and count it; raises NotSent where that is out of sight."""
        patience_s = self._config.request_timeout_ms / 1_000
        while True:
            full = HTTP if not self.limits.free(HTTP, is_cancel=is_cancel) else bucket
            if self.limits.free(full, is_cancel=is_cancel):
                self.limits.take(HTTP, is_cancel=is_cancel)
                if bucket != HTTP:
                    self.limits.take(bucket)
                return
            wait_s = max(self.limits.wait_s(full), _SHORTEST_WAIT_S)
            if wait_s > max(patience_s, 2.0):
                raise NotSent(f"{path}: not sent: too many requests ({full}) for {wait_s:.0f} s more")
            await asyncio.sleep(wait_s)

    async def _request(
        self, method: str, path: str, payload: str, public: bool, category: str = ""
    ) -> Envelope:
        what = f"{method} {path}"
        answer = await self._exchange(method, path, payload, public, bucket_of(path, category))
        if answer.limits is not None:
            self.limits.observe(answer.limits)
        try:
            envelope = decode_envelope(answer.body, what)
        except DecodeError as error:
            raise self._http_error(answer, what) or error from None
        if envelope.code in RATE_LIMITED:
            self.limits.refused(answer.bucket)
        if envelope.code != 0:
            raise VenueRefusal(envelope.code, self._signer.masked(envelope.text), what)
        if answer.status != 200:
            raise VenueUnreachable(f"{what}: expected HTTP 200, got {answer.status}")
        return envelope

    def _http_error(self, answer: _Answer, what: str) -> Exception | None:
        """What an answer without an envelope means; None for a status that promises one.

        Only 4xx says that nothing was done, and of these not the one for a request that took too long.
        """
        if 200 <= answer.status < 300:
            return None
        quoted = self._signer.masked(answer.body.decode(errors="replace"))[:_LONGEST_QUOTE]
        words = f"HTTP {answer.status} {quoted}".strip()
        if answer.status >= 500:
            return VenueUnreachable(f"{what}: the venue is out of order: {words}")
        if answer.status < 400 or answer.status == _REQUEST_TIMEOUT:
            return VenueUnreachable(f"{what}: expected HTTP 200, got {words}")
        if answer.status == 403 and "frequent" in words:
            self.limits.locked_out()
            log.error("%s: locked out for ten minutes: %s", what, words)
        return VenueRefusal(answer.status, words, what)

    async def _exchange(self, method: str, path: str, payload: str, public: bool, bucket: str) -> _Answer:
        """Send one request and read its answer."""
        what = f"{method} {path}"
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
                    bucket,
                    response.headers.get("X-Bapi-Limit"),
                    response.headers.get("X-Bapi-Limit-Status"),
                    response.headers.get("X-Bapi-Limit-Reset-Timestamp"),
                )
                return _Answer(response.status, await _read_body(response, what), bucket, limits)
        except TimeoutError:
            raise VenueUnreachable(
                f"{what}: no answer within {self._config.request_timeout_ms / 1_000:g} s"
            ) from None
        except aiohttp.ClientConnectorError as error:
            raise NotSent(f"{what}: {type(error).__name__}: {error}") from None
        except (aiohttp.ClientError, OSError) as error:
            raise VenueUnreachable(f"{what}: {type(error).__name__}: {error}") from None


class _Answer(NamedTuple):
    status: int
    body: bytes
    bucket: str
    limits: RateLimit | None


async def _read_body(response: aiohttp.ClientResponse, what: str) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _LARGEST_ANSWER:
            raise DecodeError(f"{what}: expected at most {_LARGEST_ANSWER} bytes, got more")
    return bytes(body)
