"""DemoStrat against an environment that records what it asks for; the tests answer as a venue would."""

from __future__ import annotations

import random

import pytest

from mlthon.api.istrat_env import IStratEnv, MDSub
from mlthon.basics.defs import (
    TIF,
    CancelCode,
    Exchange,
    ExecInstructions,
    FeedHandlerStatus,
    GtwRejectCode,
    GtwStatus,
    InstrumentType,
    OrderType,
    Side,
)
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.errors import InstrumentError
from mlthon.instruments.instrument_ids import instrument_id
from mlthon.instruments.perpetual import Perpetual
from mlthon.instruments.spot import Spot
from mlthon.strats.demo_strat import PAUSE_MS, RACE_PAUSE_MS, DemoStrat

NAME = "byt:perp:BTC-USDT"
BTC = instrument_id(Exchange.Bybit, NAME)
PERP = Perpetual(
    instrument_id=BTC,
    instrument_type=InstrumentType.Perpetual,
    exchange=Exchange.Bybit,
    mlt_symbol="BTC-USDT",
    exch_instr_id="BTCUSDT",
    price_tick_rules="0.10",
    quantity_tick_rules="0.001",
    min_quantity="0.001",
)
SPOT = Spot(
    instrument_id=instrument_id(Exchange.Bybit, "byt:spot:BTC-USDT"),
    instrument_type=InstrumentType.Spot,
    exchange=Exchange.Bybit,
    mlt_symbol="BTC-USDT",
    exch_instr_id="BTCUSDT",
    price_tick_rules="0.01",
    quantity_tick_rules="0.000001",
    min_quantity="0.000048",
)


class RecordingEnv(IStratEnv):
    """Writes every request down; answers nothing by itself."""

    def __init__(self):
        self.requests = []
        self.hooks = {}
        self.timers = []  # (duration_ms, callback)
        self.name = None

    def login(self, strat_name):
        self.name = strat_name

    def add_cmd_hook(self, cmd_name_str, callback_func):
        self.hooks[cmd_name_str] = callback_func

    def setup_timer(self, duration_ms, callback_func):
        self.timers.append((duration_ms, callback_func))

    def subscribe_to_market_data(self, exchange, instruments, md_subs):
        self.requests.append(("subscribe", exchange, instruments, md_subs))

    def request_execution_connection(self, exchange, instruments):
        self.requests.append(("execution", exchange, instruments))

    def send_new_order(
        self,
        client_id,
        exchange,
        instrument_id,
        side,
        price,
        qty,
        exec_instr,
        ord_type,
        time_in_force,
        close_position,
    ):
        assert (exchange, instrument_id, ord_type) == (Exchange.Bybit, BTC, OrderType.Limit)
        kind = "rest" if exec_instr is ExecInstructions.PostOnly else "cross"
        assert time_in_force is (TIF.GTC if kind == "rest" else TIF.IOC)
        self.requests.append((kind, client_id, side.name, short(price), short(qty)))
        return int(client_id.removeprefix("demo"))

    def send_modify_order(self, exchange, client_ord_id, new_price, new_qty):
        assert exchange is Exchange.Bybit
        assert new_qty is None
        self.requests.append(("modify", client_ord_id, short(new_price)))

    def send_cancel_order(self, exchange, instrument_id, client_ord_id):
        assert (exchange, instrument_id) == (Exchange.Bybit, BTC)
        self.requests.append(("cancel", client_ord_id))

    def send_stop_ack(self):
        self.requests.append(("stop_ack",))

    def take(self):
        """The requests since the last call."""
        requests, self.requests = self.requests, []
        return requests


def short(value):
    return None if value is None else value.to_str().rstrip("0").rstrip(".")


class Stage:
    """A strategy, its environment, and the callbacks a venue would cause."""

    def __init__(self, cfg=None, *, instruments=(PERP,), params=None):
        self.env = RecordingEnv()
        self.strat = DemoStrat(cfg)
        self.strat.on_framework_connected(self.env)
        self.strat.on_start("")
        self.subscriptions = self.env.take()
        self.strat.on_instruments(instruments)
        self.strat.on_strat_params_update(params or {})
        self.gateway(GtwStatus.ReadyToTrade)
        self.feed(FeedHandlerStatus.SnapshotStart)
        self.feed(FeedHandlerStatus.SnapshotEnd)

    def gateway(self, status):
        self.strat.on_gateway_status(Exchange.Bybit, status, "")

    def feed(self, status):
        self.strat.on_feed_handler_status(Exchange.Bybit, status, "")

    def bid(self, price, qty):
        self.strat.on_best_bid_level_update(Exchange.Bybit, BTC, Price(price), Qty(qty), 0)
        return self.env.take()

    def ask(self, price, qty):
        self.strat.on_best_ask_level_update(Exchange.Bybit, BTC, Price(price), Qty(qty), 0)
        return self.env.take()

    def order(self, client_id):
        return self.strat._order_mgr_.get_order_with_client_id(client_id)

    def ack(self, *client_ids):
        for client_id in client_ids:
            order = self.order(client_id)
            self.strat.on_new_order_ack(
                Exchange.Bybit,
                client_id,
                "ex-" + client_id,
                BTC,
                order.get_side(),
                order.get_price(),
                order.get_leaves_qty(),
                order.get_leaves_qty(),
                order.get_type(),
                order.get_tif(),
                order.get_exec_instructions(),
            )
        return self.env.take()

    def modified(self, client_id):
        order = self.order(client_id)
        self.strat.on_modify_order_ack(
            Exchange.Bybit, client_id, order.get_pending_price(), None, order.get_leaves_qty()
        )
        return self.env.take()

    def fill(self, client_id, qty):
        order = self.order(client_id)
        leaves = order.get_leaves_qty() - Qty(qty)
        self.strat.on_order_execution(
            Exchange.Bybit, client_id, order.get_side(), order.get_price(), Qty(qty), leaves, 0, 0
        )
        return self.env.take()

    def cancelled(self, client_id, unsolicited=False):
        code = CancelCode.Unset if unsolicited else CancelCode.CanceledByUser
        self.strat.on_order_cancelled(Exchange.Bybit, client_id, unsolicited, 0, 0, code, "")
        return self.env.take()

    def reject(self, what, client_id, code):
        getattr(self.strat, f"on_{what}_order_reject")(Exchange.Bybit, client_id, code, "because")
        return self.env.take()

    def run_timers(self):
        timers, self.env.timers = self.env.timers, []
        for _, callback in timers:
            assert callback() is not True
        return self.env.take()

    def quoting(self):
        """Both entry orders resting: demo1 buys at 100, demo2 sells at 100.1."""
        self.bid("100", "2")
        assert self.ask("100.1", "2") == [
            ("rest", "demo1", "Buy", "100", "0.01"),
            ("rest", "demo2", "Sell", "100.1", "0.01"),
        ]
        assert self.ack("demo1", "demo2") == []
        return self


# -- starting ------------------------------------------------------------------------------------------------


def test_it_logs_in_hooks_its_commands_and_subscribes():
    stage = Stage()
    assert stage.env.name == "demo_strat"
    assert set(stage.env.hooks) == {"get_orders", "get_position", "get_pnl", "test"}
    assert stage.subscriptions == [
        ("subscribe", Exchange.Bybit, [NAME], [MDSub.BBO]),
        ("execution", Exchange.Bybit, [NAME]),
    ]


@pytest.mark.parametrize("ref", [BTC, str(BTC), NAME, NAME.upper(), "BTC-USDT", "btcusdt"])
def test_the_instrument_may_be_named_by_id_name_or_symbol(ref):
    assert Stage({"instrument": ref}).quoting().strat._instrument_id_ == BTC


def test_an_instrument_in_the_parameters_is_subscribed_too():
    stage = Stage(params={"instrument": BTC})
    assert stage.env.take() == [
        ("subscribe", Exchange.Bybit, [BTC], [MDSub.BBO]),
        ("execution", Exchange.Bybit, [BTC]),
    ]


@pytest.mark.parametrize(
    ("ref", "instruments", "text"),
    [
        ("ETH-USDT", [PERP], "it fits 0; there are byt:perp:BTC-USDT"),
        ("BTC-USDT", [PERP, SPOT], "it fits 2; there are byt:perp:BTC-USDT, byt:spot:BTC-USDT"),
        ("BTC-USDT", [], "it fits 0; there are none"),
    ],
)
def test_an_instrument_must_fit_exactly_one(ref, instruments, text):
    with pytest.raises(InstrumentError, match=text):
        Stage({"instrument": ref}, instruments=instruments)


def test_the_instrument_cannot_be_changed_later():
    stage = Stage(instruments=[PERP, SPOT])
    with pytest.raises(ValueError, match="instrument: it cannot be changed after the first start"):
        stage.strat.on_strat_params_update({"instrument": "byt:spot:BTC-USDT"})


# -- settings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "text"),
    [
        (
            {"order_size": 1},
            "unknown parameter 'order_size'; there are exchange, instrument, entry_qty_threshold",
        ),
        ({"order_qty": "much"}, "order_qty: expected a number, got 'much'"),
        ({"order_qty": None}, "order_qty: expected a number, got None"),
        ({"order_qty": True}, "order_qty: expected a number, got True"),
        ({"max_position": -1}, "max_position: expected 0 or more, got -1"),
        ({"entry_qty_threshold": float("nan")}, "entry_qty_threshold: expected a number, got nan"),
        ({"price_tick": 0}, "price_tick: expected more than 0, got 0"),
        (
            {"exchange": "NYSE"},
            f"exchange: expected one of {', '.join(e.name for e in Exchange)}, got 'NYSE'",
        ),
        ({"instrument": ""}, "instrument: expected an id, a name or a symbol, got ''"),
        ({"instrument": 1.5}, "instrument: expected an id, a name or a symbol, got 1.5"),
    ],
)
def test_bad_settings_are_refused_by_name_and_change_nothing(params, text):
    with pytest.raises(ValueError, match=f"^DemoStrat: {text}"):
        DemoStrat(params)
    stage = Stage()
    before = stage.strat._settings_
    with pytest.raises(ValueError, match=f"^DemoStrat: {text}"):
        stage.strat.on_strat_params_update({"exit_qty_threshold": "9", **params})
    assert stage.strat._settings_ is before


@pytest.mark.parametrize("value", ["0.02", 0.02, Qty("0.02")])
def test_numbers_may_be_text_or_what_yaml_makes_of_it(value):
    assert DemoStrat({"order_qty": value})._settings_.order_qty == Qty("0.02")


def test_parameters_come_on_top_of_the_configuration():
    stage = Stage({"order_qty": "0.02", "max_position": "1"}, params={"order_qty": "0.03"})
    assert stage.strat._settings_.order_qty == Qty("0.03")
    assert stage.strat._settings_.max_position == Qty("1")


def test_a_smaller_size_replaces_what_rests():
    stage = Stage().quoting()
    stage.strat.on_strat_params_update({"order_qty": "0.005"})
    assert stage.env.take() == [("cancel", "demo1"), ("cancel", "demo2")]
    assert stage.cancelled("demo1") == [("rest", "demo3", "Buy", "100", "0.005")]


# -- entries -------------------------------------------------------------------------------------------------


def test_it_joins_the_top_only_where_enough_others_are():
    stage = Stage()
    assert stage.bid("100", "0.5") == []  # no offer yet
    assert stage.ask("100.1", "0.499") == [("rest", "demo1", "Buy", "100", "0.01")]
    assert stage.ask("100.1", "0.5") == [("rest", "demo2", "Sell", "100.1", "0.01")]


def test_it_cancels_when_the_size_ahead_shrinks():
    stage = Stage().quoting()
    assert stage.bid("100", "0.51") == []  # 0.5 of it are others'
    assert stage.bid("100", "0.509") == [("cancel", "demo1")]
    assert stage.bid("100", "0.4") == []  # once is enough
    assert stage.cancelled("demo1") == []
    assert stage.bid("100", "0.6") == [("rest", "demo3", "Buy", "100", "0.01")]


def test_it_follows_the_top():
    stage = Stage().quoting()
    assert stage.ask("100.3", "2") == [("modify", "demo2", "100.3")]
    assert stage.bid("100.2", "2") == [("modify", "demo1", "100.2")]
    assert stage.bid("100.1", "2") == []  # the modify is not answered yet
    assert stage.modified("demo1") == [("modify", "demo1", "100.1")]


def test_an_update_of_another_instrument_or_exchange_is_not_its_business():
    stage = Stage().quoting()
    stage.strat.on_best_bid_level_update(Exchange.Bybit, BTC + 1, Price("50"), Qty("0"), 0)
    stage.strat.on_best_bid_level_update(Exchange.Blade, BTC, Price("50"), Qty("0"), 0)
    stage.strat.on_gateway_status(Exchange.Blade, GtwStatus.Connecting, "")
    stage.strat.on_feed_handler_status(Exchange.Blade, FeedHandlerStatus.Disconnected, "")
    assert stage.env.take() == []
    assert stage.bid("100", "0.1") == [("cancel", "demo1")]


@pytest.mark.parametrize(("bid", "ask"), [(("100.1", "2"), ("100.1", "2")), (("100", "0"), ("100.1", "2"))])
def test_it_waits_while_the_market_is_crossed_or_one_sided(bid, ask):
    stage = Stage()
    assert stage.bid(*bid) == []
    assert stage.ask(*ask) == []
    assert stage.bid("100", "2") == [
        ("rest", "demo1", "Buy", "100", "0.01"),
        ("rest", "demo2", "Sell", "100.1", "0.01"),
    ]


def test_rounding_never_makes_an_order_more_aggressive():
    strat = Stage().strat
    assert strat.format_price_and_qty_(Price("100.19"), Qty("0.0109"), Side.Buy) == (
        Price("100.1"),
        Qty("0.010"),
    )
    assert strat.format_price_and_qty_(Price("100.11"), Qty("0.0109"), Side.Sell) == (
        Price("100.2"),
        Qty("0.01"),
    )


def test_ticks_can_be_overridden():
    stage = Stage({"price_tick": "0.5", "qty_tick": "0.01", "order_qty": "0.019"})
    stage.bid("100.4", "2")
    assert stage.ask("100.6", "2") == [
        ("rest", "demo1", "Buy", "100", "0.01"),
        ("rest", "demo2", "Sell", "101", "0.01"),
    ]


# -- exits ---------------------------------------------------------------------------------------------------


def test_after_a_fill_the_order_on_the_other_side_is_the_exit():
    stage = Stage().quoting()
    assert stage.fill("demo1", "0.01") == [("rest", "demo3", "Buy", "100", "0.01")]
    assert stage.ack("demo3") == []
    assert stage.order("demo2").get_leaves_qty() == Qty("0.01")
    assert stage.fill("demo3", "0.01") == [
        ("rest", "demo4", "Buy", "100", "0.01"),
        ("cancel", "demo2"),  # too small now
    ]
    assert stage.cancelled("demo2") == [("rest", "demo5", "Sell", "100.1", "0.02")]
    stage.ack("demo4", "demo5")
    assert stage.fill("demo5", "0.02") == [("rest", "demo6", "Sell", "100.1", "0.01")]
    assert stage.strat._position_.size == Qty("0")


def test_a_filled_buy_is_closed_aggressively_when_the_bid_goes():
    stage = Stage().quoting()
    stage.fill("demo1", "0.01")  # demo3 buys again
    stage.ack("demo3")
    assert stage.bid("100", "0.29") == [("cancel", "demo3"), ("cancel", "demo2")]
    assert stage.cancelled("demo2") == []  # not before the own bid is out of the way
    assert stage.cancelled("demo3") == [("cross", "demo4", "Sell", "100", "0.01")]
    assert stage.bid("100", "0.28") == []
    stage.ack("demo4")
    assert stage.fill("demo4", "0.004") == []
    assert stage.cancelled("demo4", unsolicited=True) == [("cross", "demo5", "Sell", "100", "0.006")]
    stage.ack("demo5")
    assert stage.fill("demo5", "0.006") == [("rest", "demo6", "Sell", "100.1", "0.01")]


def test_a_filled_sell_is_closed_aggressively_when_the_offer_goes():
    stage = Stage().quoting()
    stage.fill("demo2", "0.01")  # demo3 sells again
    stage.ack("demo3")
    assert stage.ask("100.1", "0.29") == [("cancel", "demo1"), ("cancel", "demo3")]
    stage.cancelled("demo1")
    assert stage.cancelled("demo3") == [("cross", "demo4", "Buy", "100.1", "0.01")]


def test_the_position_never_exceeds_its_limit():
    stage = Stage({"max_position": "0.015"}).quoting()
    assert stage.fill("demo1", "0.01") == [("rest", "demo3", "Buy", "100", "0.005")]
    stage.ack("demo3")
    assert [request for request in stage.fill("demo3", "0.005") if request[2:3] == ("Buy",)] == []


# -- rejects and breakdowns ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "pause_ms"),
    [(GtwRejectCode.PostOnlyWouldCross, RACE_PAUSE_MS), (GtwRejectCode.InsufficientFunds, PAUSE_MS)],
)
def test_a_rejected_order_is_sent_again_after_a_pause(code, pause_ms):
    stage = Stage()
    stage.bid("100", "2")
    stage.ask("100.1", "0.1")
    assert stage.reject("new", "demo1", code) == []
    assert [duration for duration, _ in stage.env.timers] == [pause_ms]
    assert stage.bid("100", "3") == []
    assert stage.run_timers() == [("rest", "demo2", "Buy", "100", "0.01")]


def test_overlapping_pauses_last_as_long_as_the_longest():
    stage = Stage()
    stage.bid("100", "2")
    stage.ask("100.1", "2")
    stage.reject("new", "demo1", GtwRejectCode.PostOnlyWouldCross)
    stage.reject("new", "demo2", GtwRejectCode.InsufficientFunds)
    _, first = stage.env.timers.pop(0)
    first()
    assert stage.env.take() == []
    assert len(stage.run_timers()) == 2


def test_a_rejected_modify_leaves_the_order_to_be_modified_again():
    stage = Stage().quoting()
    assert stage.bid("99.9", "2") == [("modify", "demo1", "99.9")]
    assert stage.reject("modify", "demo1", GtwRejectCode.RateLimited) == []
    assert stage.run_timers() == [("modify", "demo1", "99.9")]
    assert stage.modified("demo1") == []
    assert stage.order("demo1").get_price() == Price("99.9")


def test_a_rejected_cancel_is_sent_again():
    stage = Stage().quoting()
    assert stage.bid("100", "0.1") == [("cancel", "demo1")]
    assert stage.reject("cancel", "demo1", GtwRejectCode.RateLimited) == []
    assert stage.run_timers() == [("cancel", "demo1")]


def test_a_cancel_that_a_fill_overtook():
    stage = Stage().quoting()
    assert stage.bid("100", "0.31") == [("cancel", "demo1")]
    assert stage.fill("demo1", "0.01") == []  # demo2 is the exit, and the bid still supports it
    assert stage.reject("cancel", "demo1", GtwRejectCode.TooLate) == []
    assert stage.strat._position_.size == Qty("0.01")


def test_without_modify_it_cancels_and_comes_back():
    stage = Stage().quoting()
    assert stage.bid("99.9", "2") == [("modify", "demo1", "99.9")]
    stage.strat.on_unsupported_op(Exchange.Bybit, "ModifyOrder")
    assert stage.bid("99.9", "2") == [("cancel", "demo1")]
    assert stage.cancelled("demo1") == [("rest", "demo3", "Buy", "99.9", "0.01")]


def test_it_slows_down_when_the_rate_limit_is_near():
    stage = Stage()
    stage.strat.on_rate_limit_info(Exchange.Bybit, 100, 50, 0)
    assert stage.env.timers == []
    stage.strat.on_rate_limit_info(Exchange.Bybit, 100, 10, 0)
    stage.bid("100", "2")
    assert stage.ask("100.1", "2") == []
    assert len(stage.run_timers()) == 2


def test_without_market_data_it_has_no_orders():
    stage = Stage().quoting()
    stage.feed(FeedHandlerStatus.Disconnected)
    assert stage.env.take() == [("cancel", "demo1"), ("cancel", "demo2")]
    assert stage.cancelled("demo1") == []
    assert stage.cancelled("demo2") == []
    stage.feed(FeedHandlerStatus.SnapshotStart)
    assert stage.bid("100", "2") == []
    assert stage.ask("100.1", "2") == []
    stage.feed(FeedHandlerStatus.SnapshotEnd)
    assert len(stage.env.take()) == 2


def test_what_was_known_before_a_snapshot_is_forgotten():
    stage = Stage().quoting()
    stage.feed(FeedHandlerStatus.SnapshotStart)
    stage.cancelled("demo1")
    stage.cancelled("demo2")
    stage.feed(FeedHandlerStatus.SnapshotEnd)
    assert stage.env.take() == []
    assert stage.bid("100", "2") == []  # the offer is still unknown


def test_without_a_gateway_it_asks_for_nothing():
    stage = Stage().quoting()
    stage.gateway(GtwStatus.Connecting)
    stage.feed(FeedHandlerStatus.Disconnected)
    assert stage.bid("99", "2") == []
    assert stage.fill("demo1", "0.004") == []  # found out while connecting
    assert stage.cancelled("demo1", unsolicited=True) == []
    stage.gateway(GtwStatus.ReadyToTrade)
    assert stage.env.take() == [("cancel", "demo2")]  # still without data


# -- stopping ------------------------------------------------------------------------------------------------


def test_it_stops_at_once_without_orders():
    stage = Stage()
    stage.strat.on_stop("")
    assert stage.env.take() == [("stop_ack",)]
    stage.bid("100", "2")
    assert stage.ask("100.1", "2") == []


def test_it_acknowledges_the_stop_once_its_orders_are_gone():
    stage = Stage().quoting()
    stage.fill("demo1", "0.004")
    stage.strat.on_stop("now")
    assert stage.env.take() == [("cancel", "demo1"), ("cancel", "demo2")]
    assert stage.cancelled("demo1") == []
    assert stage.reject("cancel", "demo2", GtwRejectCode.RateLimited) == []
    assert stage.run_timers() == [("cancel", "demo2")]
    assert stage.fill("demo2", "0.01") == [("stop_ack",)]
    assert stage.bid("100", "3") == []


def test_an_order_whose_ack_is_outstanding_is_cancelled_too():
    stage = Stage()
    stage.bid("100", "2")
    stage.ask("100.1", "0.1")
    stage.strat.on_stop("")
    assert stage.env.take() == [("cancel", "demo1")]
    assert stage.reject("cancel", "demo1", GtwRejectCode.UnknownOrder) == []
    assert stage.ack("demo1") == []
    assert stage.run_timers() == [("cancel", "demo1")]
    assert stage.cancelled("demo1") == [("stop_ack",)]


def test_an_order_rejected_while_stopping_counts_as_gone():
    stage = Stage()
    stage.bid("100", "2")
    stage.ask("100.1", "0.1")
    stage.strat.on_stop("")
    stage.env.take()
    assert stage.reject("new", "demo1", GtwRejectCode.InvalidPrice) == [("stop_ack",)]


def test_it_can_be_started_again():
    stage = Stage().quoting()
    stage.reject("cancel", "demo1", GtwRejectCode.VenueFault)  # a pause that its timer will not end
    stage.env.timers.clear()
    stage.strat.on_stop("")
    stage.cancelled("demo1")
    stage.cancelled("demo2")
    stage.env.take()
    stage.strat.on_start("")
    assert stage.env.take() == stage.subscriptions
    stage.strat.on_strat_params_update({})
    assert stage.bid("100", "2") == [
        ("rest", "demo3", "Buy", "100", "0.01"),
        ("rest", "demo4", "Sell", "100.1", "0.01"),
    ]


# -- commands ------------------------------------------------------------------------------------------------


def test_commands():
    stage = Stage()
    hooks = stage.env.hooks
    assert hooks["get_orders"]([]) == "no open orders"
    assert hooks["get_position"]([]) == "position 0.00000000 at no price"
    stage.quoting()
    assert hooks["get_orders"]([]).count("\n") == 1
    stage.fill("demo1", "0.01")
    stage.bid("100.2", "2")
    assert hooks["get_position"]([]) == "position 0.01000000 at 100.00000000"
    assert hooks["get_pnl"]([]) == "realised 0.00000000, unrealised 0.00200000"
    assert hooks["test"](["a", "b"]) == "test: ['a', 'b']"


# -- an unruly venue -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_no_venue_makes_it_break_its_limits(seed):
    """Random markets, answers and breakdowns: the limits hold throughout, and a stop leaves nothing behind."""
    rng = random.Random(seed)
    stage = Stage({"max_position": "0.03"})
    venue = UnrulyVenue(stage, rng)
    for _ in range(600):
        venue.step()
        venue.check(Qty("0.03"))
    assert venue.fills > 5
    stage.strat.on_stop("")
    venue.note(stage.env.take())
    for _ in range(1000):
        venue.answer()
        if venue.stop_acks:
            break
    assert venue.stop_acks == 1
    assert not venue.orders
    venue.move_market()
    venue.note(stage.run_timers())
    assert venue.stop_acks == 1
    assert not venue.orders


class UnrulyVenue:
    """Answers late, in any legal order, and refuses at times."""

    def __init__(self, stage, rng):
        self.stage = stage
        self.rng = rng
        self.orders = {}  # client_id -> its requests that are not answered yet, oldest first
        self.mid = 1000  # ticks
        self.fills = 0
        self.stop_acks = 0

    def note(self, requests):
        """Take the requests that a callback has led to."""
        for kind, *rest in requests:
            if kind == "stop_ack":
                self.stop_acks += 1
            elif kind in ("rest", "cross"):
                assert rest[0] not in self.orders
                self.orders[rest[0]] = ["new"]
            else:
                assert rest[0] in self.orders, "a request for an order that has ended"
                self.orders[rest[0]].append(kind)

    def step(self):
        choice = self.rng.random()
        if choice < 0.5:
            self.move_market()
        elif choice < 0.52:
            self.stage.feed(
                self.rng.choice([FeedHandlerStatus.Disconnected, FeedHandlerStatus.SnapshotStart])
            )
        elif choice < 0.58:
            self.stage.feed(FeedHandlerStatus.SnapshotEnd)
        elif choice < 0.6:
            self.stage.gateway(GtwStatus.Connecting)
        elif choice < 0.64:
            self.stage.gateway(GtwStatus.ReadyToTrade)
        else:
            self.answer()
        self.note(self.stage.env.take())

    def move_market(self):
        self.mid += self.rng.choice([-1, 0, 0, 0, 1])
        qty = self.rng.choice(["0", "0.1", "0.4", "0.6", "3"])
        if self.rng.random() < 0.5:
            self.note(self.stage.bid(f"{self.mid / 10:.1f}", qty))
        else:
            self.note(self.stage.ask(f"{(self.mid + 1) / 10:.1f}", qty))

    def answer(self):
        if self.rng.random() < 0.3:
            self.note(self.stage.run_timers())
        if not self.orders:
            return
        client_id = self.rng.choice(list(self.orders))
        pending = self.orders[client_id]
        if pending and self.rng.random() < 0.8:
            self.answer_request(client_id, pending)
        elif "new" in pending:
            return  # the ack comes before anything else
        elif self.stage.order(client_id).get_tif() is TIF.IOC and self.rng.random() < 0.5:
            self.end(client_id, self.stage.cancelled, client_id, unsolicited=True)
        else:
            self.fill(client_id)

    def answer_request(self, client_id, pending):
        is_refused = self.rng.random() < 0.15
        if is_refused and pending[0] == "new":
            self.end(client_id, self.stage.reject, "new", client_id, self.any_code())
        elif is_refused:
            self.note(self.stage.reject(pending.pop(0), client_id, self.any_code()))
        elif pending[0] == "cancel":
            self.end(client_id, self.stage.cancelled, client_id)
        else:
            acknowledge = {"new": self.stage.ack, "modify": self.stage.modified}[pending.pop(0)]
            self.note(acknowledge(client_id))

    def fill(self, client_id):
        self.fills += 1
        lots = self.stage.order(client_id).get_leaves_qty().mantissa // 10**15
        part = self.rng.randint(1, lots)
        qty = Qty.from_mantissa(part * 10**15)
        if part == lots:
            self.end(client_id, self.stage.fill, client_id, qty)
        else:
            self.note(self.stage.fill(client_id, qty))

    def end(self, client_id, tell, *args, **kwargs):
        """An order ends; what was still asked of it is refused."""
        unanswered = self.orders.pop(client_id)
        self.note(tell(*args, **kwargs))
        for kind in unanswered:
            if kind == "modify":
                self.note(self.stage.reject("modify", client_id, GtwRejectCode.TooLate))

    def any_code(self):
        return self.rng.choice([GtwRejectCode.TooLate, GtwRejectCode.RateLimited, GtwRejectCode.Other])

    def check(self, limit):
        position = self.stage.strat._position_.size
        assert abs(position) <= limit
        resting = [self.stage.order(client_id) for client_id in self.orders]
        sides = [order.get_side() for order in resting]
        assert len(sides) == len(set(sides)), "two orders on one side"
        for order in resting:
            signed = order.get_leaves_qty() if order.get_side() is Side.Buy else -order.get_leaves_qty()
            assert abs(position + signed) <= limit, "an open order could break the limit"


# -- instruments --------------------------------------------------------------------------------------------------


def contract(tick="0.10", **changes):
    fields = {
        "instrument_id": BTC,
        "instrument_type": InstrumentType.Perpetual,
        "exchange": Exchange.Bybit,
        "mlt_symbol": "BTC-USDT",
        "exch_instr_id": "BTCUSDT",
        "price_tick_rules": tick,
        "quantity_tick_rules": "0.001",
        "min_quantity": "0.001",
    }
    return Perpetual(**fields | changes)


def test_a_tick_that_changes_while_it_runs_is_rounded_to():
    stage = Stage()
    price, qty = Price("100.3"), Qty("1")
    assert stage.strat.format_price_and_qty_(price, qty, Side.Buy) == (price, qty)
    stage.strat.on_instruments([contract("0.5")])
    assert stage.strat.format_price_and_qty_(price, qty, Side.Buy) == (Price("100"), qty)


def test_the_profit_of_inverse_contracts_is_counted_in_the_coin():
    inverse = contract(mlt_symbol="BTC-USD", exch_instr_id="BTCUSD", settlement_method="inverse")
    stage = Stage({"instrument": "BTCUSD"}, instruments=[inverse])
    stage.strat._position_.apply_fill(Side.Buy, Price("50000"), Qty("100"))
    stage.strat._position_.apply_fill(Side.Sell, Price("62500"), Qty("100"))
    assert stage.strat.get_pnl_command([]).startswith("realised 0.00040000,")
