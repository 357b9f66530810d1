"""How a venue is named, and what cannot work."""

from __future__ import annotations

from typing import Any

import pytest
from bybit_messages import instrument_row, spot_row
from fake_bybit import FakeBybit, eventually
from test_bybit_feed import BTC, DEEP, Client, VenueBook

from mlthon.errors import ConfigError
from mlthon.exchanges.bybit import BybitConfig


@pytest.mark.parametrize(
    ("place", "rest", "public", "private", "trade"),
    [
        ("mainnet", "api", "stream", "stream", "stream"),
        ("testnet", "api-testnet", "stream-testnet", "stream-testnet", "stream-testnet"),
        ("demo", "api-demo", "stream", "stream-demo", ""),
    ],
)
def test_the_venues_of_bybit_are_known(place: str, rest: str, public: str, private: str, trade: str) -> None:
    config = BybitConfig.at(place)
    assert config.rest_url == f"https://{rest}.bybit.com"
    assert config.ws_public_url == f"wss://{public}.bybit.com/v5/public"
    assert config.ws_private_url == f"wss://{private}.bybit.com/v5/private"
    assert config.ws_trade_url == (f"wss://{trade}.bybit.com/v5/trade" if trade else "")
    assert config.order_entry == ("websocket" if trade else "rest")
    assert (config.api_key, config.api_secret, config.categories) == ("", "", ("linear",))


def test_settings_go_over_what_is_known_of_a_venue() -> None:
    config = BybitConfig.at("mainnet", rest_url="https://api.bytick.com", depth=200, order_entry="rest")
    assert (config.rest_url, config.depth, config.order_entry) == ("https://api.bytick.com", 200, "rest")
    assert config.ws_public_url.startswith("wss://stream.bybit.com")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"depth": 25}, "depth: expected one of (1, 50, 200, 1000), got 25"),
        ({"categories": ()}, "categories: expected some of linear, inverse, spot, each once, got ()"),
        ({"categories": "linear"}, "categories: expected some of"),
        ({"categories": ("linear", "option")}, "categories: expected some of"),
        ({"categories": ("spot", "spot")}, "categories: expected some of"),
        ({"ws_trade_url": ""}, "order_entry: expected 'rest' where there is no ws_trade_url"),
        ({"order_entry": "fix"}, "order_entry: expected one of"),
        ({"ws_status_url": "https://x"}, "ws_status_url: expected a URL starting with ws or wss://"),
        ({"rest_url": "https://me:secret@x"}, "rest_url: expected a URL without a user name"),
        ({"rest_url": "ftp://me:secret@x"}, "rest_url: expected a URL without a user name"),
        (
            {"rest_url": "https://[x"},
            "rest_url: expected a URL starting with http or https://, got 'https://",
        ),
        (
            {"rest_url": "https://x:port"},
            "rest_url: expected a URL starting with http or https://, got 'https",
        ),
        ({"silent_after_ms": 0}, "silent_after_ms: expected more than 0 or None, got 0"),
        ({"instruments_every_ms": -1}, "instruments_every_ms: expected more than 0, got -1"),
        ({"api_key": "k"}, "expected both an api_key and an api_secret"),
    ],
)
def test_what_cannot_work_is_refused_by_name(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        BybitConfig.at("mainnet", **changes)
    assert text in str(refused.value)


def test_a_place_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected one of mainnet, testnet, demo, got 'moon'"):
        BybitConfig.at("moon")


@pytest.mark.parametrize(
    ("place", "changes", "name"),
    [
        ("mainnet", {}, "rest_url"),
        ("mainnet", {"rest_url": "http://localhost"}, "ws_private_url"),
        ("mainnet", {"rest_url": "http://localhost", "ws_private_url": "ws://localhost"}, "ws_trade_url"),
        ("testnet", {"rest_url": "https://api.bytick.com"}, "rest_url"),
        ("demo", {"rest_url": "https://api.bybit.nl"}, "rest_url"),
        ("demo", {"rest_url": "https://API.BYBIT.com."}, "rest_url"),
        ("demo", {"rest_url": "https://api-testnet.x.bybit.com"}, ""),
        ("demo", {"rest_url": "https://notbybit.example"}, ""),
        ("testnet", {}, ""),
        ("demo", {}, ""),
    ],
)
def test_money_is_asked_for_twice(place: str, changes: dict[str, Any], name: str) -> None:
    settings = {"api_key": "k", "api_secret": "s"} | changes
    assert BybitConfig.at(place, **changes)  # to look at the market costs nothing
    if name:
        with pytest.raises(ConfigError, match=f"bybit: {name}: expected real_money=True with a key for"):
            BybitConfig.at(place, **settings)
    assert BybitConfig.at(place, **settings, real_money=True)


@pytest.mark.parametrize("name", ["rest_url", "ws_private_url", "ws_trade_url"])
def test_a_key_is_not_sent_in_the_clear_to_where_it_costs_money(name: str) -> None:
    url = getattr(BybitConfig.at("mainnet"), name).replace("s://", "://")
    settings = {"api_key": "k", "api_secret": "s", "real_money": True, name: url}
    with pytest.raises(ConfigError, match=f"bybit: {name}: expected (https|wss):// with a key"):
        BybitConfig.at("mainnet", **settings)


@pytest.mark.parametrize("depth", [1, 200, 1000])
async def test_books_are_subscribed_at_the_configured_depth(venue: FakeBybit, depth: int) -> None:
    book = VenueBook(venue, depth=depth)
    async with Client(venue, depth=depth) as client:
        client.feed.subscribe(BTC, DEEP)
        await eventually(lambda: client.has(book))
        assert client.subscribed() == [[f"orderbook.{depth}.BTCUSDT"]]


async def test_market_data_needs_no_key(venue: FakeBybit) -> None:
    venue.instruments, venue.spot = [instrument_row()], [spot_row()]
    book = VenueBook(venue)
    async with Client(venue, api_key="", api_secret="", categories=("linear", "spot")) as client:
        loaded = await client.connector.load_instruments()
        assert len(loaded) == 2
        client.feed.subscribe(BTC, DEEP)
        await eventually(lambda: client.has(book))
    assert all(path.startswith("/v5/market/") for path, _ in venue.calls)
    assert venue.opened["private"] == venue.opened["trade"] == 0
