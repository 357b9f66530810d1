"""The venue's list: read in pages, and watched for what changes in it."""

from __future__ import annotations

import copy
import logging
from collections.abc import AsyncIterator, Sequence

import pytest
from bybit_messages import instrument_row, inverse_row, spot_row
from fake_bybit import FakeBybit, eventually, http, refusal, result

from mlthon.basics.price import Price
from mlthon.exchanges.bybit import BybitConnector
from mlthon.exchanges.bybit.codec.fields import Json
from mlthon.instruments.instrument import Instrument

INFO = "/v5/market/instruments-info"
BTC, ETH = instrument_row(), instrument_row("ETHUSDT", "ETH", "0.01", "0.01")


class Watcher:
    """A connector that watches the list, and what it tells."""

    def __init__(self, venue: FakeBybit) -> None:
        categories = ("linear", "inverse", "spot")
        config = venue.config(instruments_every_ms=10, categories=categories)
        self.connector = BybitConnector(config, lambda: venue.now_ms() * 1_000_000)
        self.told: list[Instrument] = []

    async def load(self) -> list[Instrument]:
        found = await self.connector.load_instruments()
        self.connector.watch_instruments(self._tell)
        return found

    def _tell(self, changed: Sequence[Instrument]) -> None:
        self.told += changed

    def last(self, name: str) -> Instrument | None:
        return next((each for each in reversed(self.told) if each.get_instrument_name() == name), None)


@pytest.fixture
async def watcher(venue: FakeBybit) -> AsyncIterator[Watcher]:
    venue.instruments, venue.inverse, venue.spot = [BTC, ETH], [inverse_row()], [spot_row()]
    watching = Watcher(venue)
    try:
        yield watching
    finally:
        await watching.connector.close()


async def asked_again(venue: FakeBybit, times: int = 6) -> None:
    """Wait until the whole list has been asked for a few times more."""
    before = len(venue.asked(INFO))
    await eventually(lambda: len(venue.asked(INFO)) >= before + times)


async def test_a_list_in_pages_is_read_to_its_end(venue: FakeBybit) -> None:
    rows = [instrument_row(f"C{n}USDT", f"C{n}") for n in range(7)]

    def page(start: int, cursor: str) -> Json:
        return {"list": rows[start : start + 3], "nextPageCursor": cursor}

    venue.scripts[INFO].extend([result(page(0, "a%3D")), result(page(3, "b")), result(page(6, ""))])
    connector = BybitConnector(venue.config(), lambda: 0)
    found = await connector.load_instruments()
    await connector.close()
    assert [each.get_exch_instr_id() for each in found] == [f"C{n}USDT" for n in range(7)]
    assert [params.get("cursor") for params in venue.asked(INFO)] == [None, "a=", "b"]


async def test_a_step_that_cannot_be_held_is_refused_by_name_and_loudly(
    venue: FakeBybit, watcher: Watcher, caplog: pytest.LogCaptureFixture
) -> None:
    venue.spot.append(spot_row("TINYUSDT", "TINY", tick="0.0000000000000000001"))
    found = await watcher.load()
    assert len(found) == 4
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert errors[0].startswith("instrument TINYUSDT (spot) refused: ")
    await asked_again(venue)
    assert watcher.told == []  # refused again, which is no news


async def test_a_changed_tick_is_noticed_announced_and_applied(
    venue: FakeBybit, watcher: Watcher, caplog: pytest.LogCaptureFixture
) -> None:
    await watcher.load()
    finer = copy.deepcopy(BTC)
    finer["priceFilter"]["tickSize"] = "0.01"
    venue.instruments = [finer, ETH]
    await eventually(lambda: watcher.told)
    (told,) = watcher.told
    assert (told.get_instrument_name(), told.get_price_tick_rules()) == ("byt:perp:BTC-USDT", Price("0.01"))
    assert "byt:perp:BTC-USDT has changed: price_tick_rules 0.10000000 -> 0.01000000" in caplog.text
    await asked_again(venue)
    assert len(watcher.told) == 1


async def test_a_tick_that_cannot_be_held_any_more_stops_trading(
    venue: FakeBybit, watcher: Watcher, caplog: pytest.LogCaptureFixture
) -> None:
    await watcher.load()
    finer = copy.deepcopy(BTC)
    finer["priceFilter"]["tickSize"] = "0.0000000000000000001"
    venue.instruments = [finer, ETH]
    await eventually(lambda: watcher.told)
    assert [each.get_status() for each in watcher.told] == ["Refused"]
    assert "instrument BTCUSDT (linear) refused: " in caplog.text


@pytest.mark.parametrize("way", ["a status", "gone", "refused"])
async def test_a_delisting_is_noticed_and_a_return_too(venue: FakeBybit, watcher: Watcher, way: str) -> None:
    await watcher.load()
    venue.refuses_unlisted = way == "refused"
    venue.instruments = [BTC | {"status": "Closed"}, ETH] if way == "a status" else [ETH]
    await eventually(lambda: watcher.told)
    (told,) = watcher.told
    assert told.get_instrument_name() == "byt:perp:BTC-USDT"
    assert told.get_status() == ("Closed" if way == "a status" else "Delisted")
    assert told.get_price_tick_rules() == Price("0.1")
    await asked_again(venue)
    assert len(watcher.told) == 1
    venue.instruments = [BTC, ETH]
    await eventually(lambda: len(watcher.told) == 2)
    assert watcher.told[1].get_status() == "Trading"


async def test_a_list_that_is_cut_short_delists_nothing(venue: FakeBybit, watcher: Watcher) -> None:
    await watcher.load()
    venue.left_out = {"BTCUSDT", "ETHUSDT", "BTCUSD"}
    await eventually(lambda: any("symbol" in params for params in venue.asked(INFO)))
    await asked_again(venue, 20)
    assert watcher.told == []


async def test_a_question_that_fails_changes_nothing(venue: FakeBybit, watcher: Watcher) -> None:
    await watcher.load()
    venue.scripts[INFO].extend([refusal(10001), http(404), result({"list": "none"})])
    await eventually(lambda: not venue.scripts[INFO])
    await asked_again(venue)
    assert watcher.told == []


async def test_what_is_new_can_be_traded(venue: FakeBybit, watcher: Watcher) -> None:
    await watcher.load()
    venue.spot = [spot_row(), spot_row("ETHUSDT", "ETH")]
    await eventually(lambda: watcher.told)
    assert [each.get_instrument_name() for each in watcher.told] == ["byt:spot:ETH-USDT"]
    assert len(await watcher.connector.load_instruments()) == 5
