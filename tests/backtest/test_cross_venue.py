"""One symbol at two exchanges: each has its own book, account, delays and fees, and nobody mixes them by mistake."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from scripted import SECOND_NS, START_NS, Scripted, Tape, book, order

from mlthon._core.market_event import DepthUpdate
from mlthon.api.istrat_env import MDSub
from mlthon.backtest.backtest import Backtest, ExchangeSettings, Settings
from mlthon.backtest.latency import Latency
from mlthon.basics.defs import Exchange, Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.errors import ConfigError, TapeError
from mlthon.instruments.instrument import Instrument
from mlthon.run.cli import main
from mlthon.run.option_values import tape_and_exchange
from mlthon.sim.orders import Fees
from mlthon.sim.synthetic import SyntheticMarket
from mlthon.tape.recording import TapeEvent

pytest.importorskip("pyarrow", reason="tapes need the data extra")

from mlthon.tape.merged import MergedRecording
from mlthon.tape.opening import open_tape
from mlthon.tape.writer import write_tape

BINANCE, BYBIT = Exchange.Binance, Exchange.Bybit
LEADER = SyntheticMarket(1, exchange=BINANCE).instrument
FOLLOWER = SyntheticMarket(1).instrument

FOLLOWING = """
from mlthon.api.istrat_env import MDSub
from mlthon.basics.defs import TIF, Exchange, ExecInstructions, OrderType, Side


class Following:
    \"\"\"Buys or sells at Bybit when Binance has moved by a tick and more.\"\"\"

    def on_framework_connected(self, env):
        self.env = env
        self.last = None
        self.sent = 0
        env.login("following")

    def on_instruments(self, instruments):
        self.ids = {each.get_exchange(): each.get_instrument_id() for each in instruments}
        for exchange, number in self.ids.items():
            self.env.subscribe_to_market_data(exchange, [number], [MDSub.BBO])
        self.env.request_execution_connection(Exchange.Bybit, [self.ids[Exchange.Bybit]])

    def on_stop(self, params):
        self.env.send_stop_ack()

    def on_gateway_status(self, *args): ...

    def on_best_bid_level_update(self, exchange, number, price, qty, ms):
        if exchange is not Exchange.Binance:
            return
        last, self.last = self.last, price
        if last is None or last == price or self.sent >= 5:
            return
        self.sent += 1
        self.env.send_new_order(
            None, Exchange.Bybit, self.ids[Exchange.Bybit], Side.Buy if price > last else Side.Sell, None, "0.001",
            ExecInstructions.Unset, OrderType.Market, TIF.IOC, False,
        )

    def on_order_execution(self, *args): ...

    def on_order_cancelled(self, *args): ...
"""


class Recorded:
    """A recording of a made-up market, as if it had been made at some venue."""

    def __init__(
        self, origin: str, seed: int = 1, *, day: int = 0, lot: str = "0.001", events: int = 600
    ) -> None:
        self.origin = origin
        self.market = SyntheticMarket(seed, lot=lot, start_ns=START_NS + day * 86_400 * SECOND_NS)
        self.count = events

    @property
    def instrument(self) -> Instrument:
        return self.market.instrument

    def events(self) -> Iterator[TapeEvent]:
        return (event for _, event in islice(self.market, self.count))

    def notes(self) -> dict[str, int]:
        return {}


@pytest.fixture
def tape_of(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, *args: Any, **how: Any) -> Path:
        path = tmp_path / f"{name}.tape"
        write_tape(path, Recorded(*args, **how), name)
        return path

    return write


def subscribe(env: Any) -> None:
    for instrument in (LEADER, FOLLOWER):
        exchange, number = instrument.get_exchange(), instrument.get_instrument_id()
        env.subscribe_to_market_data(exchange, [number], [MDSub.BBO])
        env.request_execution_connection(exchange, [number])


def two_markets() -> list[Tape]:
    """Binance moves at 200 ms, Bybit after it at 250 ms."""
    return [
        Tape(
            book(0, [("100", "5")], [("101", "5")], whole=True),
            book(200, [("110", "5"), ("100", "0")], [("111", "5"), ("101", "0")]),
            book(600, [("110", "6")], []),
            instrument=LEADER,
        ),
        Tape(
            book(0, [("200", "5")], [("201", "5")], whole=True),
            book(250, [("210", "5"), ("200", "0")], [("211", "5"), ("201", "0")]),
            book(600, [("210", "6")], []),
            instrument=FOLLOWER,
        ),
    ]


def test_each_exchange_has_its_own_book_gateway_account_delays_and_fees() -> None:
    strategy = Scripted(
        (1, subscribe),
        (300, order("here", Side.Buy, "111", "1", instrument=LEADER)),
        (300, order("there", Side.Buy, "211", "2", instrument=FOLLOWER)),
    )
    slow = ExchangeSettings(
        latency=Latency.constant_ms(100, 20, 10),
        fees=Fees(taker=MLDecimal("0.01")),
        deposits={"USDT": Qty("5000")},
    )
    backtest = Backtest(
        two_markets(),
        strategy,
        settings=Settings(latency=Latency.constant_ms(3, 2, 1), exchanges={BINANCE: slow}),
    )
    result = backtest.run()
    backtest.check_ledgers()
    bids = [args for name, args in strategy.told if name == "on_best_bid_level_update"]
    start_ms = START_NS // 1_000_000
    seen = {(args[0], args[2]): args[4] - start_ms for args in reversed(bids)}
    # Neither delay holds the other's news back: when Bybit's of 250 ms comes, Binance's of 200 ms is on its way.
    assert seen[BYBIT, Price("210")] == 253
    assert seen[BINANCE, Price("110")] == 300
    fills = {args[0]: args for name, args in strategy.told if name == "on_order_execution"}
    assert (fills[BINANCE][3], fills[BINANCE][4]) == (Price("111"), Qty("1"))
    assert (fills[BYBIT][3], fills[BYBIT][4]) == (Price("211"), Qty("2"))
    latency = result.to_json()["latency_ms"]
    assert (latency["NewOrder"]["max"], latency["NewOrder"]["count"]) == (30.0, 2)
    by_name = {connector.exchange: connector.account for connector in backtest.connectors}
    assert by_name[BINANCE].purse.size("BTCUSDT") == Qty("1")
    assert by_name[BYBIT].purse.size("BTCUSDT") == Qty("2")
    assert by_name[BINANCE].purse.cash["USDT"] == MLDecimal("5000") - MLDecimal("1.11")
    assert by_name[BYBIT].purse.cash["USDT"] == MLDecimal("1000000") - MLDecimal("422") * MLDecimal("0.00055")
    told = result.to_json()
    assert told["coins"]["USDT"]["capital"] == "1005000.00000000"
    assert list(told["instruments"]) == ["bin:perp:BTC-USDT", "byt:perp:BTC-USDT"]


def test_settings_of_an_exchange_without_a_tape_are_a_slip() -> None:
    with pytest.raises(ConfigError, match="expected those of exchanges with a tape, Binance, Bybit, got Okx"):
        Backtest(two_markets(), Scripted(), settings=Settings(exchanges={Exchange.Okx: ExchangeSettings()}))


# -- which tapes are one instrument ------------------------------------------------------------------------------


def test_tapes_of_two_venues_are_not_one_instrument(tape_of: Callable[..., Path]) -> None:
    first, second = tape_of("first", "binance"), tape_of("second", "bybit", 2, day=1)
    with pytest.raises(ConfigError) as caught:
        Backtest([first, second], Scripted())
    said = str(caught.value)
    assert "first.tape') of binance and Tape(" in said
    assert "second.tape') of bybit would become one instrument, byt:perp:BTC-USDT: give one" in said
    assert "--tape FILE@EXCHANGE or open_tape(path, exchange=...)" in said
    # Naming one exchange for both is no way around it.
    both = [open_tape(path, exchange=BINANCE) for path in (first, second)]
    with pytest.raises(ConfigError, match="would become one instrument, bin:perp:BTC-USDT"):
        Backtest(both, Scripted())
    backtest = Backtest([open_tape(first, exchange=BINANCE), second], Scripted())
    names = [instrument.get_instrument_name() for instrument in backtest.instruments]
    assert names == ["bin:perp:BTC-USDT", "byt:perp:BTC-USDT"]


def test_a_made_up_market_is_none_that_was_recorded(tape_of: Callable[..., Path]) -> None:
    for other in (SyntheticMarket(5), SyntheticMarket(6)):
        with pytest.raises(ConfigError, match="would become one instrument"):
            Backtest([tape_of("day", "bybit"), other], Scripted())
    with pytest.raises(ConfigError, match="would become one instrument"):
        Backtest([SyntheticMarket(5), SyntheticMarket(6)], Scripted())


def test_days_of_one_venue_join_though_their_steps_differ(tape_of: Callable[..., Path]) -> None:
    days = [tape_of("monday", "binance", lot="0.01"), tape_of("tuesday", "binance", 2, day=1, lot="0.004")]
    backtest = Backtest(days, Scripted())
    [instrument] = backtest.instruments
    assert instrument.get_quantity_tick_rules() == Qty("0.002")
    result = backtest.run()
    assert result.facts.messages == 1200


def test_a_tape_that_names_no_venue_is_of_the_exchange_it_is_opened_at(tape_of: Callable[..., Path]) -> None:
    known, unknown = tape_of("known", "binance"), tape_of("unknown", "", 2, day=1)
    with pytest.raises(ConfigError, match=r"of binance and .* names none, --tape"):
        Backtest([known, unknown], Scripted())
    both = [open_tape(path, exchange=BINANCE) for path in (known, unknown)]
    assert len(Backtest(both, Scripted()).instruments) == 1


def test_what_is_imported_at_an_exchange_keeps_name_and_origin(tmp_path: Path) -> None:
    path = tmp_path / "there.tape"
    write_tape(path, Recorded("binance"), "there", exchange=Exchange.Okx)
    tape = open_tape(path)
    assert (tape.instrument.get_instrument_name(), tape.origin) == ("okx:perp:BTC-USDT", "binance")
    assert tape.instrument.get_instrument_id() // 10**10 == Exchange.Okx.value
    write_tape(path, Recorded(""), "there", exchange=Exchange.Okx)
    assert open_tape(path).origin == "okx"


def test_recordings_of_two_venues_are_not_merged() -> None:
    with pytest.raises(
        TapeError, match="expected recordings of one venue, to merge them, got binance, bybit"
    ):
        MergedRecording([Recorded("binance"), Recorded("bybit")])
    assert MergedRecording([Recorded(""), Recorded("bybit")]).origin == "bybit"


# -- the command line ----------------------------------------------------------------------------------------------


def ended(*arguments: object) -> object:
    with pytest.raises(SystemExit) as exited:
        main([*map(str, arguments)])
    return exited.value.code


def test_the_command_line_trades_one_venue_on_the_news_of_another(
    capsys: pytest.CaptureFixture[str], tape_of: Callable[..., Path], tmp_path: Path
) -> None:
    pytest.importorskip("plotly", reason="the tearsheet needs the report extra")
    strategy, log, report = tmp_path / "following.py", tmp_path / "events.jsonl", tmp_path / "report.html"
    strategy.write_text(FOLLOWING)
    leader, follower = tape_of("leader", "binance"), tape_of("follower", "bybit", 2)
    assert ended("backtest", "--tape", leader, "--tape", follower) == 2
    assert "would become one instrument, byt:perp:BTC-USDT" in capsys.readouterr().err
    code = ended(
        *(
            "backtest",
            "--tape",
            f"{leader}@binance",
            "--tape",
            follower,
            "--strategy",
            f"{strategy}:Following",
        ),
        *("--feed-latency", "2", "--feed-latency", "binance=40", "--taker-fee", "byt=0.001"),
        *("--json", "--event-log", log, "--report", report),
    )
    out, err = capsys.readouterr()
    assert code == 0, err
    told = json.loads(out.splitlines()[-1])
    assert told["instrument"] == "bin:perp:BTC-USDT, byt:perp:BTC-USDT"
    traded = told["instruments"]["byt:perp:BTC-USDT"]
    assert traded["fills"] >= 5
    assert told["instruments"]["bin:perp:BTC-USDT"]["fills"] == 0
    share = float(traded["pnl"]["fees"]) / float(traded["volume"])
    assert share == pytest.approx(0.001, rel=1e-6)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    subscribed = [line["args"] for line in lines if line["name"] == "subscribe_to_market_data"]
    assert {args["exchange"] for args in subscribed} == {"Binance", "Bybit"}
    told_by = [line["args"]["exchange"] for line in lines if line["name"] == "on_best_bid_level_update"]
    assert set(told_by) == {"Binance", "Bybit"}
    assert {line["args"]["exchange"] for line in lines if line["name"] == "on_order_execution"} == {"Bybit"}
    page = report.read_text()
    assert "bin:perp:BTC-USDT" in page
    assert "byt:perp:BTC-USDT" in page


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--tape", "x.tape@nowhere"), "--tape x.tape@: expected one of blockchain, blade, bybit, binance"),
        (("--feed-latency", "nowhere=5"), "--feed-latency: expected one of "),
        (("--feed-latency", "fast"), "--feed-latency: expected milliseconds, got 'fast'"),
        (("--feed-latency", "5", "--feed-latency", "6"), "--feed-latency: 6 comes after another value"),
        (("--taker-fee", "binance=0.1"), "expected those of exchanges with a tape, Bybit, got Binance"),
    ],
)
def test_slips_are_one_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert ended("backtest", "--duration", "1", *arguments) == 2
    err = capsys.readouterr().err
    assert said in err
    assert len(err.splitlines()) == 1


def test_a_file_with_an_at_in_its_name_is_meant_itself(tape_of: Callable[..., Path], tmp_path: Path) -> None:
    there = tape_of("plain", "bybit").rename(tmp_path / "odd@binance")
    assert ended("backtest", "--tape", there, "--duration", "1", "--json") == 0
    assert tape_and_exchange(str(there)) == (there, None)
    assert tape_and_exchange(f"{there}@okx") == (there, Exchange.Okx)


def test_captures_of_two_venues(captures: Path) -> None:
    """The two captures and Tardis's files say where they are from."""
    for name, origin in (
        ("binance/usdm_btcusdt_20240808.gz", "binance"),
        ("binance/spot_btcusdt_20240808.gz", "binance"),
        ("bybit/2024-12-01_XRPUSDT_ob500.jsonl", "bybit"),
        ("tardis/binance_futures_trades_2020-02.csv.gz", "binance"),
        ("tardis/deribit_incremental_book_L2_BTC-PERPETUAL.csv", "deribit"),
        ("tardis/bitmex_trades_XBTUSD.csv", "bitmex"),
    ):
        assert open_tape(captures / name).origin == origin
    first = next(iter(open_tape(captures / "bybit/2024-12-01_XRPUSDT_ob500.jsonl").cursor()))[1]
    assert isinstance(first, DepthUpdate)
