"""The connector at a venue with a certificate of its own: trusted where it is told to, and nowhere else."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from book_keeper import BookKeeper
from fake_bybit import eventually
from gateway_client import Listener

from mlthon.api.istrat_env import MDSub
from mlthon.basics.defs import GtwStatus
from mlthon.basics.qty import Qty
from mlthon.errors import ConfigError, VenueUnreachable
from mlthon.exchanges.bybit import BybitConfig, BybitConnector
from mlthon.sim.exchange import SimExchange
from mlthon.sim.synthetic import SyntheticMarket
from mlthon.venues.bybit import BybitVenue, Endpoints


@pytest.fixture
async def endpoints(certificate: tuple[Path, Path]) -> AsyncIterator[Endpoints]:
    market = SyntheticMarket(1)
    exchange = SimExchange([market.instrument], time.time_ns)
    account = exchange.add_account("test", {"USDT": Qty("1000")})
    _, snapshot = next(iter(market))
    exchange.apply_depth("BTCUSDT", snapshot)
    venue = BybitVenue(exchange, time.time_ns, api_keys={"k": ("s", account)})
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*certificate)
    yield await venue.start(tls=tls)
    await venue.close()


def config(endpoints: Endpoints, ca_file: str) -> BybitConfig:
    return BybitConfig(
        rest_url=endpoints.rest,
        ws_public_url=endpoints.ws_public,
        ws_private_url=endpoints.ws_private,
        ws_trade_url=endpoints.ws_trade,
        api_key="k",
        api_secret="s",
        stale_after_ms=None,
        ca_file=ca_file,
    )


async def test_everything_goes_by_tls(endpoints: Endpoints, certificate: tuple[Path, Path]) -> None:
    assert endpoints.rest.startswith("https://127.0.0.1:")
    assert {url[:6] for url in (endpoints.ws_public, endpoints.ws_private, endpoints.ws_trade)} == {"wss://"}
    connector = BybitConnector(config(endpoints, str(certificate[0])), time.time_ns)
    books = BookKeeper()
    connector.gateway.attach(Listener())
    connector.feed.attach(books)
    try:
        (instrument,) = await connector.load_instruments()
        await connector.gateway.connect()
        await connector.feed.connect()
        assert connector.gateway.status is GtwStatus.ReadyToTrade
        connector.feed.subscribe(instrument, frozenset({MDSub.PriceLevelBook}))
        await eventually(lambda: books.books.get(instrument.get_instrument_id()))
    finally:
        await connector.close()


async def test_a_certificate_that_nobody_vouches_for_is_refused(endpoints: Endpoints) -> None:
    connector = BybitConnector(config(endpoints, ""), time.time_ns)
    try:
        with pytest.raises(VenueUnreachable, match="certificate verify failed"):
            await connector.load_instruments()
    finally:
        await connector.close()


def test_a_file_without_certificates_is_refused_at_once(tmp_path: Path) -> None:
    here = Endpoints("https://127.0.0.1:1", *["wss://127.0.0.1:1/v5"] * 3)
    (tmp_path / "empty").write_text("no certificate")
    for name in ("absent", "empty"):
        with pytest.raises(ConfigError, match=f"ca_file: expected a file of certificates.*{name}"):
            BybitConnector(config(here, str(tmp_path / name)), time.time_ns)
