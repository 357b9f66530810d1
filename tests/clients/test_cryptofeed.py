"""cryptofeed, a public market data library that takes no address but wss: books and trades over TLS.

It runs in a process of its own, as it wants the loop to itself. It is not in the ``clients`` extra: it fixes the
version of what others need too. To run this: ``pip install cryptofeed``.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest
from bybit_client import Json, Stage

from mlthon.basics.defs import Side

DEADLINE_S = 60.0
CLIENT = Path(__file__).with_name("cryptofeed_watch.py")

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("cryptofeed") is None,
    reason="cryptofeed is not installed: pip install cryptofeed",
)


class Watcher:
    """What the client says it sees."""

    def __init__(self, output: asyncio.StreamReader) -> None:
        self._output = output
        self.seen: list[Json] = []

    async def until(self, fits: Callable[[Json], bool]) -> Json:
        """The first that fits, from the beginning."""
        for row in self.seen:
            if fits(row):
                return row
        async with asyncio.timeout(DEADLINE_S):
            async for line in self._output:
                self.seen.append(orjson.loads(line))
                if fits(self.seen[-1]):
                    return self.seen[-1]
        raise AssertionError(f"the client has ended; what it saw last: {self.seen[-5:]}")


@asynccontextmanager
async def watching(port: str, certificate: Path, *symbols: str) -> AsyncIterator[Watcher]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(CLIENT),
        port,
        *symbols,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "SSL_CERT_FILE": str(certificate), "REQUESTS_CA_BUNDLE": str(certificate)},
        limit=1_000_000,
    )
    assert process.stdout is not None
    try:
        yield Watcher(process.stdout)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_books_and_trades_over_tls(certificate: tuple[Path, Path]) -> None:
    stage = Stage.of_all_products()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate)
    endpoints = await stage.venue.start(tls=tls)
    try:
        port = endpoints.rest.rpartition(":")[2]
        async with watching(port, certificate[0], "BTC-USDT-PERP", "BTC-USDT") as client:
            contract = await client.until(lambda row: row["symbol"] == "BTC-USDT-PERP")
            pair = await client.until(lambda row: row["symbol"] == "BTC-USDT")
            assert contract["bids"] == [["60000.0", "2.000"], ["59999.9", "5.000"]]
            assert pair["asks"] == [["60000.00", "0.500000"], ["60010.00", "3.000000"]]
            stage.depth([("59999.9", "0"), ("59998.0", "1")], [])
            await client.until(lambda row: row.get("bids") == [["60000.0", "2.000"], ["59998.0", "1.000"]])
            stage.trade(Side.Sell, "60000.0", "1")
            stage.trade(Side.Buy, "60000", "0.2", symbol="BTC/USDT")
            sold = await client.until(lambda row: row["what"] == "trade" and row["symbol"] == "BTC-USDT-PERP")
            bought = await client.until(lambda row: row["what"] == "trade" and row["symbol"] == "BTC-USDT")
        assert (sold["side"], sold["price"], sold["qty"]) == ("sell", "60000.0", "1.000")
        assert (bought["side"], bought["price"], bought["qty"]) == ("buy", "60000.00", "0.200000")
    finally:
        await stage.venue.close()
