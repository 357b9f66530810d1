"""What may come back over HTTP that is no answer of the venue's: it is named, bounded, and never taken for one."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from fake_bybit import KEY, FakeBybit, RestAnswer, refusal

from mlthon.errors import DecodeError, MLThonError, VenueRefusal, VenueUnreachable
from mlthon.exchanges.bybit import BybitConnector
from mlthon.exchanges.bybit.rest import RestClient

PATH = "/v5/order/create"
TOO_MUCH = 40 * 2**20  # more than a client reads


@pytest.fixture
async def rest(venue: FakeBybit) -> AsyncIterator[RestClient]:
    connector = BybitConnector(venue.config(request_timeout_ms=5_000), lambda: venue.now_ms() * 1_000_000)
    yield connector._rest
    await connector.close()


def answer(body: bytes = b"", status: int = 200, **headers: str) -> RestAnswer:
    async def give(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, status=status, headers=headers)

    return give


async def endless(request: web.Request) -> web.StreamResponse:
    """Bytes until nobody reads them any more."""
    response = web.StreamResponse()
    await response.prepare(request)
    piece, sent = b" " * 2**20, 0
    while sent < 4 * TOO_MUCH:
        try:
            await response.write(piece)
        except ConnectionError:
            break
        sent += len(piece)
    return response


GOOD = b'{"retCode":0,"retMsg":"OK","result":{"orderId":"v1"}}'


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        (answer(), DecodeError, "POST /v5/order/create: expected JSON"),
        (answer(b"<html>Sorry</html>"), DecodeError, "expected JSON"),
        (answer(b"[]"), DecodeError, "expected a JSON object"),
        (answer(b'{"retCode":0}'), DecodeError, "result: expected a JSON object, got None"),
        (answer(GOOD[:-9]), DecodeError, "expected JSON"),
        (answer(GOOD.replace(b"0", b"1e5", 1)), DecodeError, "retCode: expected an integer"),
        (answer(gzip.compress(GOOD)[:-12], **{"Content-Encoding": "gzip"}), MLThonError, ""),
        (answer(b"plain", **{"Content-Encoding": "gzip"}), VenueUnreachable, "POST /v5/order/create"),
        (answer(b"<html>", 502), VenueUnreachable, "out of order: HTTP 502 <html>"),
        (answer(b"<html>", 408), VenueUnreachable, "HTTP 408 <html>"),
        (answer(b"<html>", 404), VenueRefusal, "answered 404"),
        (answer(status=204), DecodeError, "expected JSON"),
        (
            answer(status=307, Location="/v5/order/cancel"),
            VenueUnreachable,
            "expected HTTP 200, got HTTP 307",
        ),
        (answer(status=303, Location="/v5/market/time"), VenueUnreachable, "expected HTTP 200, got HTTP 303"),
    ],
)
async def test_what_is_no_answer_is_an_error_that_says_what_came(
    venue: FakeBybit, rest: RestClient, given: RestAnswer, error: type[Exception], text: str
) -> None:
    venue.scripts[PATH].append(given)
    with pytest.raises(error) as refused:
        await rest.command(PATH, {"category": "linear"})
    assert text in str(refused.value)
    assert len(venue.calls) == 1  # no redirect was followed, nothing was sent twice


@pytest.mark.parametrize(
    "given",
    [
        refusal(10004, f"error sign! origin_string[1700000000000{KEY}5000]"),
        answer(f"<html>X-BAPI-API-KEY: {KEY}".encode(), 502),
        answer(f"{'x' * 196}{KEY}".encode(), 401),
    ],
)
async def test_a_key_that_an_answer_repeats_is_not_shown(
    venue: FakeBybit, rest: RestClient, given: RestAnswer
) -> None:
    venue.scripts[PATH].append(given)
    with pytest.raises(MLThonError, match=r"\*\*\*") as refused:
        await rest.command(PATH, {"category": "linear"})
    assert KEY[:4] not in str(refused.value)


async def test_a_packed_answer_is_an_answer(venue: FakeBybit, rest: RestClient) -> None:
    venue.scripts[PATH].append(answer(gzip.compress(GOOD), **{"Content-Encoding": "gzip"}))
    assert (await rest.command(PATH, {"category": "linear"})).result == {"orderId": "v1"}


async def test_an_answer_without_end_is_not_read_to_it(venue: FakeBybit, rest: RestClient) -> None:
    venue.scripts[PATH].append(endless)
    with pytest.raises(DecodeError, match="expected at most 33554432 bytes, got more"):
        await rest.command(PATH, {"category": "linear"})


async def test_a_small_answer_that_unpacks_to_much_is_not_unpacked(
    venue: FakeBybit, rest: RestClient
) -> None:
    packed = zlib.compress(bytes(TOO_MUCH))
    assert len(packed) < 100_000
    venue.scripts[PATH].append(answer(packed, **{"Content-Encoding": "deflate"}))
    with pytest.raises((DecodeError, VenueUnreachable)):
        await rest.command(PATH, {"category": "linear"})
