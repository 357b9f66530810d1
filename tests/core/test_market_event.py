"""Depth updates and public trades: what is taken, what is refused, and that they are values."""

from __future__ import annotations

import copy
import gc
import pickle
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.basics.defs import Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty


def test_depth_update_keeps_levels_in_order() -> None:
    update = DepthUpdate(
        [("9226.5", "3"), (b"9225", b"0.000000000000000001")],
        [[Price("9227"), Qty("0")]],
        venue_ns=11,
        recv_ns=12,
        seq=13,
        prev_seq=9,
    )
    assert update.bids() == [
        (Price("9226.5"), Qty("3")),
        (Price("9225"), Qty("0.000000000000000001")),
    ]
    assert update.asks() == [(Price("9227"), Qty("0"))]
    assert (len(update), update.bid_count, update.ask_count) == (3, 2, 1)
    assert (update.venue_ns, update.recv_ns, update.seq, update.prev_seq) == (11, 12, 13, 9)
    assert not update.is_snapshot


def test_an_update_without_levels_is_an_update() -> None:
    update = DepthUpdate([], (), is_snapshot=True, seq=5)
    assert (update.bids(), update.asks(), len(update), update.prev_seq) == ([], [], 0, -1)
    assert update
    assert update.copy() == update
    assert update != DepthUpdate([], [], is_snapshot=False, seq=5)


LONG = "1" * 5000

BAD_SIDES: list[tuple[Any, type[Exception], str]] = [
    (None, TypeError, "bids: expected a list of (price, qty) pairs, got None"),
    ("12", TypeError, "bids: expected a list"),
    ({"1": "2"}, TypeError, "bids: expected a list"),
    (7, TypeError, "bids: expected a list"),
    ([None], TypeError, "bids[0]: expected a (price, qty) pair, got None"),
    (["12"], TypeError, "bids[0]: expected a (price, qty) pair, got '12'"),
    ([("1", "2"), ("1",)], ValueError, "bids[1]: expected a (price, qty) pair, got ('1',)"),
    ([("1", "2", "3")], ValueError, "bids[0]: expected a (price, qty) pair"),
    ([[]], ValueError, "bids[0]: expected a (price, qty) pair"),
    ([(1.5, "2")], TypeError, "bids[0]: price: expected decimal text, got 1.5"),
    ([(1, "2")], TypeError, "bids[0]: price: expected decimal text, got 1"),
    ([("1", None)], TypeError, "bids[0]: qty: expected decimal text, got None"),
    ([("1", ["2"])], TypeError, "bids[0]: qty: expected decimal text, got ['2']"),
    ([("1", Price("2"))], TypeError, "bids[0]: qty: expected decimal text, got Price('2.00000000')"),
    ([(Qty("2"), "1")], TypeError, "bids[0]: price: expected decimal text, got Qty('2.00000000')"),
    ([("1", "2"), ("x", "1")], ValueError, "bids[1]: price: expected decimal text, got 'x'"),
    ([("", "1")], ValueError, "bids[0]: price: expected decimal text, got ''"),
    ([("1", "nan")], ValueError, "bids[0]: qty: expected decimal text, got 'nan'"),
    ([("1", "1e-19")], ValueError, "bids[0]: qty: expected decimal text, got '1e-19'"),
    ([("1e30", "1")], ValueError, "bids[0]: price: expected decimal text, got '1e30'"),
    ([("0", "1")], ValueError, "bids[0]: price: expected more than 0, got '0'"),
    ([("-5", "1")], ValueError, "bids[0]: price: expected more than 0, got '-5'"),
    ([("5", "-1")], ValueError, "bids[0]: qty: expected 0 or more, got '-1'"),
    ([(LONG, "1")], ValueError, "bids[0]: price: expected decimal text, got '1111"),
    ([("1\x00", "1")], ValueError, "bids[0]: price: expected decimal text, got '1\\x00'"),
    ([("\ud800", "1")], ValueError, "bids[0]: price: expected decimal text"),
]


@pytest.mark.parametrize(("bids", "error", "text"), BAD_SIDES)
def test_depth_update_refuses(bids: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        DepthUpdate(bids, [])
    assert str(caught.value).startswith(text)
    assert len(str(caught.value)) < 300
    with pytest.raises(error) as caught:
        DepthUpdate([("1", "1")], bids)
    assert str(caught.value).startswith(text.replace("bids", "asks"))


def test_stamps_are_64_bit_integers() -> None:
    with pytest.raises(TypeError):
        DepthUpdate([], [], seq=1.5)  # type: ignore[arg-type]
    with pytest.raises(OverflowError):
        DepthUpdate([], [], seq=2**63)


def test_events_never_change() -> None:
    update = DepthUpdate([("1", "2")], [])
    trade = PublicTrade(Side.Buy, "1", "2")
    for event, name in ((update, "seq"), (update, "bid_count"), (trade, "price"), (trade, "trade_id")):
        with pytest.raises(AttributeError):
            setattr(event, name, 1)


def test_a_failed_second_init_keeps_the_first() -> None:
    update = DepthUpdate([("1", "2")], [])
    with pytest.raises(ValueError, match=r"asks\[0\]"):
        update.__init__([("5", "5")], [("x", "1")])
    assert update.bids() == [(Price("1"), Qty("2"))]


def test_levels_are_given_back() -> None:
    def churn() -> None:
        for _ in range(200):
            update = DepthUpdate([("1", "2")] * 50, [("3", "4")] * 50)
            pickle.loads(pickle.dumps(update.copy()))
            update.__init__([("1", "2")] * 70, [])
            with pytest.raises(ValueError, match="asks"):
                DepthUpdate([("1", "2")] * 50, [("3", "x")])

    churn()  # fills caches and free lists
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        churn()
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 20_000, "200 updates of 100 levels take 640,000 bytes"


def test_trade() -> None:
    trade = PublicTrade(Side.Sell, "9226.5", b"0.1", venue_ns=1, recv_ns=2, trade_id="77")
    assert (trade.taker_side, trade.price, trade.qty) == (Side.Sell, Price("9226.5"), Qty("0.1"))
    assert (trade.venue_ns, trade.recv_ns, trade.trade_id) == (1, 2, "77")
    assert repr(trade) == "<PublicTrade Sell 0.1 @ 9226.5>"
    assert hash(trade) == hash(trade.copy())


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (("Buy", "1", "1"), TypeError, "side: expected Side.Buy or Side.Sell, got 'Buy'"),
        ((Side.Buy, 1, "1"), TypeError, "trade: price: expected decimal text, got 1"),
        ((Side.Buy, "0", "1"), ValueError, "trade: price: expected more than 0, got '0'"),
        ((Side.Buy, "1", "0.00"), ValueError, "trade: qty: expected more than 0, got '0.00'"),
        ((Side.Buy, "1", "-1"), ValueError, "trade: qty: expected 0 or more, got '-1'"),
        ((Side.Buy, "1", None), TypeError, "trade: qty: expected decimal text, got None"),
        ((Side.Buy, "1e40", "1"), ValueError, "trade: price: expected decimal text, got '1e40'"),
    ],
)
def test_trade_refuses(arguments: tuple[Any, Any, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        PublicTrade(*arguments)
    assert str(caught.value).startswith(text)


def test_trade_id_is_text() -> None:
    for wrong in (None, 7):
        with pytest.raises(TypeError):
            PublicTrade(Side.Buy, "1", "1", trade_id=wrong)  # type: ignore[arg-type]


def decimal_texts(lowest: int) -> st.SearchStrategy[str]:
    mantissas = st.integers(lowest, 10**30)
    return mantissas.map(lambda mantissa: f"{mantissa // 10**18}.{mantissa % 10**18:018d}")


levels = st.lists(st.tuples(decimal_texts(1), decimal_texts(0)), max_size=6)
stamps = st.integers(-(2**63), 2**63 - 1)


@given(levels, levels, st.booleans(), stamps, stamps, stamps, stamps)
def test_depth_update_is_a_value(
    bids: list[tuple[str, str]],
    asks: list[tuple[str, str]],
    is_snapshot: bool,
    venue_ns: int,
    recv_ns: int,
    seq: int,
    prev_seq: int,
) -> None:
    update = DepthUpdate(
        bids,
        asks,
        is_snapshot=is_snapshot,
        venue_ns=venue_ns,
        recv_ns=recv_ns,
        seq=seq,
        prev_seq=prev_seq,
    )
    assert update.bids() == [(Price(price), Qty(qty)) for price, qty in bids]
    assert update.asks() == [(Price(price), Qty(qty)) for price, qty in asks]
    twins = (
        update.copy(),
        copy.copy(update),
        copy.deepcopy(update),
        pickle.loads(pickle.dumps(update)),
        DepthUpdate(
            update.bids(),
            update.asks(),
            is_snapshot=is_snapshot,
            venue_ns=venue_ns,
            recv_ns=recv_ns,
            seq=seq,
            prev_seq=prev_seq,
        ),
    )
    for twin in twins:
        assert twin is not update
        assert twin == update
    if seq != 0:
        assert update != DepthUpdate(bids, asks, is_snapshot=is_snapshot)


@given(st.sampled_from(Side), decimal_texts(1), decimal_texts(1), stamps, stamps, st.text(max_size=8))
def test_trade_is_a_value(
    side: Side, price: str, qty: str, venue_ns: int, recv_ns: int, trade_id: str
) -> None:
    trade = PublicTrade(side, price, qty, venue_ns=venue_ns, recv_ns=recv_ns, trade_id=trade_id)
    assert (trade.taker_side, trade.price, trade.qty) == (side, Price(price), Qty(qty))
    for twin in (
        trade.copy(),
        copy.copy(trade),
        copy.deepcopy(trade),
        pickle.loads(pickle.dumps(trade)),
    ):
        assert twin is not trade
        assert twin == trade
        assert hash(twin) == hash(trade)
    other_side = Side.Sell if side is Side.Buy else Side.Buy
    assert trade != PublicTrade(other_side, price, qty, venue_ns=venue_ns, recv_ns=recv_ns, trade_id=trade_id)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | decimal_texts(0),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(json_values, json_values)
def test_any_json_is_taken_whole_or_refused(bids: Any, asks: Any) -> None:
    try:
        update = DepthUpdate(bids, asks)
    except (TypeError, ValueError) as error:
        assert str(error).startswith(("bids", "asks"))
        assert "\n" not in str(error)
    else:
        assert len(update) == len(bids) + len(asks)


def test_equality_is_with_the_same_kind_only() -> None:
    assert DepthUpdate([], []) != PublicTrade(Side.Buy, "1", "1")
    assert PublicTrade(Side.Buy, "1", "1") != "trade"
    with pytest.raises(TypeError, match="unhashable"):
        hash(DepthUpdate([], []))
