"""OrderMgr: a strategy's own account of its orders, told of every request before it and every callback after it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import count
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeAlias, TypeVar

from mlthon.basics.defs import TIF, ExecInstructions, OrderType, Side
from mlthon.basics.mlt_enum import MltEnum
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.order.order import Order
from mlthon.order.order_state import InstrumentId, OrderState

__all__ = ["OrderMgr"]

PriceLike: TypeAlias = Price | str | Decimal | int
QtyLike: TypeAlias = Qty | str | Decimal | int

_Args = ParamSpec("_Args")
_Number = TypeVar("_Number", Price, Qty)
_Member = TypeVar("_Member", bound=MltEnum)

ENDED_ORDERS_KEPT = 10_000  # for late messages and questions; the oldest are forgotten first


class _Tracked(NamedTuple):
    state: OrderState
    order: Order


class OrderMgr:
    """Keeps the state of a strategy's orders on one exchange, and says which requests that state allows.

    Ask a ``prepare_*`` before each request, and send only what it allows; feed every order callback to the
    ``apply_*`` of its name. Messages may come in any order and more than once: orders never end twice or open
    again, and leaves never go below zero. A client id that is not known is never an error: ``prepare_*`` refuse it,
    ``apply_*`` return False, `apply_order_execution` None. The last 10,000 ended orders stay known.

    Client ids are ``client_id_prefix`` and a number from 1, so a replayed run makes the same ids. Two managers of
    one strategy need different prefixes; the environment refuses a client id it has seen.

    Prices and quantities are `Price`/`Qty`, or str, Decimal or int; a float is a TypeError. An instrument is named
    by its id, in older strategies by its symbol; the manager takes the two for different instruments.

    >>> mgr = OrderMgr("demo")
    >>> order = mgr.prepare_new_order(30000000000, Side.Buy, "9226.5", "10")
    >>> mgr.apply_order_execution("demo1", Qty("4"), Qty("6"))  # the fill overtook the ack
    False
    >>> mgr.apply_new_order_ack("demo1", "ex-1", Price("9226.5"), Qty("6"))
    True
    >>> mgr.prepare_cancel_order("demo1"), mgr.prepare_cancel_order("demo1")  # once is enough
    (True, False)
    >>> mgr.apply_order_cancelled("demo1")
    True
    >>> order.is_cancelled(), order.get_leaves_qty(), mgr.get_num_open_orders()
    (True, Qty('0.00000000'), 0)
    """

    def __init__(self, client_id_prefix: str) -> None:
        if not isinstance(client_id_prefix, str):
            raise TypeError(f"client_id_prefix: expected a str, got {client_id_prefix!r}")
        self._prefix = client_id_prefix
        self._numbers = count(1)
        self._open: dict[str, _Tracked] = {}
        self._ended: dict[str, _Tracked] = {}  # oldest first
        self._pending_cancel_alls: dict[InstrumentId | None, None] = {}  # oldest first; None: all instruments

    # -- questions -------------------------------------------------------------------------------------------

    def get_open_orders(self) -> list[Order]:
        """Return the orders that have not ended, oldest first; those awaiting their first ack included."""
        return [tracked.order for tracked in self._open.values()]

    def get_num_open_orders(self) -> int:
        """Return how many orders have not ended; those awaiting their first ack included."""
        return len(self._open)

    def get_order_with_client_id(self, client_id: str) -> Order | None:
        """Return the order, open or ended; None when the id is not known, or was forgotten long after its end."""
        tracked = self._open.get(client_id) or self._ended.get(client_id)
        return tracked.order if tracked is not None else None

    # -- before a request ------------------------------------------------------------------------------------

    def prepare_new_order(
        self,
        instrument_id: InstrumentId | None = None,
        side: Side | None = None,
        price: PriceLike | None = None,
        qty: QtyLike | None = None,
        exec_instr: ExecInstructions = ExecInstructions.Unset,
        order_type: OrderType = OrderType.Limit,
        tif: TIF = TIF.GTC,
        nullable_attachment: Any = None,
        *,
        symbol: InstrumentId | None = None,
    ) -> Order | None:
        """Register an order about to be sent; returns it, or None while a cancel-all of its instrument is pending.

        Send it with its `get_client_id()`. It counts as open at once, awaiting its ack. `price` is None for
        ``OrderType.Market`` only. `nullable_attachment` is anything to keep with the order. `symbol` is the older
        name of `instrument_id`. Whether price and quantity suit the instrument is not judged here.

        Raises TypeError for a wrong or missing argument, ValueError for a quantity that is not above zero.
        """
        if symbol is not None and instrument_id is not None:
            raise TypeError("give instrument_id or its older name symbol, not both")
        instrument_id = _instrument(instrument_id if symbol is None else symbol)
        state = OrderState(
            client_id="",
            exchange_id="",
            instrument_id=instrument_id,
            side=_member(Side, "side", side),
            price=_price_of(price, _member(OrderType, "order_type", order_type)),
            qty=_positive("qty", qty),
            order_type=order_type,
            tif=_member(TIF, "tif", tif),
            exec_instr=_member(ExecInstructions, "exec_instr", exec_instr),
            attachment=nullable_attachment,
            is_new_pending=True,
        )
        if self._is_cancel_all_pending(instrument_id):
            return None
        state.client_id = self._next_client_id()
        return self._track(state)

    def prepare_modify_order(
        self, client_id: str, new_price: PriceLike | None = None, new_qty: QtyLike | None = None
    ) -> bool:
        """Register a modify about to be sent; returns whether it may be.

        `new_qty` is the order's whole quantity, fills included; None leaves price or quantity unchanged.

        Refused: an unknown or ended order, one with any request pending, one whose instrument has a cancel-all
        pending, and a quantity that is filled already. Raises ValueError when neither value is given.

        >>> mgr = OrderMgr("demo")
        >>> order = mgr.prepare_new_order(30000000000, Side.Sell, "9227", "10")
        >>> mgr.prepare_modify_order("demo1", new_qty="15")  # not before the ack
        False
        >>> mgr.apply_new_order_ack("demo1", "ex-1") and mgr.prepare_modify_order("demo1", new_qty="15")
        True
        >>> mgr.apply_order_execution("demo1", Qty("4"), Qty("6"))
        False
        >>> order.get_leaves_qty(), order.get_leaves_qty_after_modify_prep()
        (Qty('6.00000000'), Qty('11.00000000'))
        """
        if new_price is None and new_qty is None:
            raise ValueError("a modify needs new_price or new_qty, got neither")
        price = None if new_price is None else Price(new_price)
        qty = None if new_qty is None else _positive("new_qty", new_qty)
        tracked = self._open.get(client_id)
        if tracked is None:
            return False
        state = tracked.state
        if state.has_pending_request or self._is_cancel_all_pending(state.instrument_id):
            return False
        if qty is not None and qty <= state.cum_qty:
            return False
        state.prepare_modify(price, qty)
        return True

    def prepare_cancel_order(self, client_id: str) -> bool:
        """Register a cancel about to be sent; returns whether it may be.

        Refused: an unknown or ended order, and one with a cancel pending. An order that awaits its ack, or the
        answer to a modify, may be cancelled: the venue may answer that it does not know it yet, which arrives as a
        reject and allows the next cancel.
        """
        tracked = self._open.get(client_id)
        if tracked is None or tracked.state.is_cancel_pending:
            return False
        tracked.state.is_cancel_pending = True
        return True

    def prepare_cancel_all(self, instrument_id: InstrumentId | None = None) -> bool:
        """Register a cancel-all about to be sent, of one instrument or of all; returns whether it may be.

        Until it is answered, new orders and modifies of its instruments are refused, and so is a second one. The
        orders themselves end one by one, by `apply_order_cancelled`.

        >>> mgr = OrderMgr("demo")
        >>> mgr.prepare_cancel_all(30000000000)
        True
        >>> print(mgr.prepare_new_order(30000000000, Side.Buy, "9226.5", "1"))
        None
        >>> mgr.apply_cancel_all_ack(30000000000)
        True
        """
        if instrument_id is not None:
            _instrument(instrument_id)
        if self._is_cancel_all_pending(instrument_id):
            return False
        self._pending_cancel_alls[instrument_id] = None
        return True

    def add_open_order(
        self,
        client_id: str,
        exchange_id: str,
        instrument_id: InstrumentId,
        side: Side,
        price: PriceLike,
        qty: QtyLike,
        order_type: OrderType,
        tif: TIF,
        exec_instr: ExecInstructions,
        nullable_attachment: Any = None,
    ) -> Order | None:
        """Register an order that was open at the venue before this manager; None when its client id is known.

        `qty` is what is still open of it. Better to leave no orders behind when a strategy stops.
        """
        for name, text in (("client_id", client_id), ("exchange_id", exchange_id)):
            if not isinstance(text, str):
                raise TypeError(f"{name}: expected a str, got {text!r}")
        state = OrderState(
            client_id=client_id,
            exchange_id=exchange_id,
            instrument_id=_instrument(instrument_id),
            side=_member(Side, "side", side),
            price=Price(price),
            qty=_positive("qty", qty),
            order_type=_member(OrderType, "order_type", order_type),
            tif=_member(TIF, "tif", tif),
            exec_instr=_member(ExecInstructions, "exec_instr", exec_instr),
            attachment=nullable_attachment,
        )
        return None if self._is_known(client_id) else self._track(state)

    # -- after a callback: new, modify, cancel ----------------------------------------------------------------

    def apply_new_order_ack(
        self,
        client_id: str,
        exchange_id: str | None = None,
        price: PriceLike | None = None,
        leaves_qty: QtyLike | None = None,
    ) -> bool:
        """Take over on_new_order_ack; returns whether the order is known.

        What is left out stays as it was asked for. An ack that comes after fills does not undo them, one that
        comes after the end of the order, or twice, tells no more than the exchange id.
        """
        return self._tell(
            client_id, OrderState.apply_ack, exchange_id or "", _nullable(Price, price), _leaves(leaves_qty)
        )

    def apply_new_order_reject(self, client_id: str) -> bool:
        """Take over on_new_order_reject; returns whether the order is known.

        The order ends, unless it was acknowledged or filled in part: such an order lives, whatever the reject
        was about.
        """
        return self._tell(client_id, OrderState.apply_reject)

    def apply_modify_order_ack(
        self,
        client_id: str,
        leaves_qty: QtyLike | None = None,
        *,
        new_price: PriceLike | None = None,
        new_qty: QtyLike | None = None,
    ) -> bool:
        """Take over on_modify_order_ack; returns whether the order is known.

        Price and quantity are those asked for, unless given. Leaves become the new quantity less all fills, in
        whatever order fills and ack come; an order that has no more to fill then ends as filled. An ack without
        a pending modify, a repeated one say, changes nothing.
        """
        qty = None if new_qty is None else _positive("new_qty", new_qty)
        return self._tell(
            client_id, OrderState.apply_modify_ack, _nullable(Price, new_price), qty, _leaves(leaves_qty)
        )

    def apply_modify_order_reject(self, client_id: str) -> bool:
        """Take over on_modify_order_reject: the order stays as it was. Returns whether it is known."""
        return self._tell(client_id, OrderState.apply_modify_reject)

    def apply_cancel_order_ack(self, client_id: str) -> bool:
        """Take over on_cancel_order_ack; returns whether the order is known.

        The order is still open and its cancel still pending: only `apply_order_cancelled` ends it.
        """
        return self._find(client_id) is not None

    def apply_cancel_order_reject(self, client_id: str | None) -> bool:
        """Take over on_cancel_order_reject: the order may be cancelled anew. Returns whether it is known.

        None, as the callback's `nullable_client_id` may be, is the reject of every pending cancel-all.
        """
        if client_id is None:
            return self.apply_cancel_all_reject()
        return self._tell(client_id, OrderState.apply_cancel_reject)

    def apply_cancel_all_ack(self, instrument_id: InstrumentId | None = None) -> bool:
        """Take over on_cancel_all_ack: orders may be sent again. Returns whether a cancel-all was pending.

        An instrument's ack answers its own cancel-all, else the first one named in another way: the one of all
        instruments, or one by symbol where the callback brings an id. None answers every one.
        """
        return self._answer_cancel_all(instrument_id)

    def apply_cancel_all_reject(self, instrument_id: InstrumentId | None = None) -> bool:
        """Take over on_cancel_all_reject: orders may be sent again. Returns whether a cancel-all was pending."""
        return self._answer_cancel_all(instrument_id)

    # -- after a callback: what became of an order -------------------------------------------------------------

    def apply_order_execution(
        self, client_id: str, fill_qty: QtyLike, nullable_leaves_qty: QtyLike | None = None
    ) -> bool | None:
        """Take over on_order_execution; returns whether the order is filled whole, None when it is not known.

        Pass the callback's leaves: with them a fill told twice counts once, and fills may come in any order.
        Without them every call counts. Zero leaves end the order, unless a modify to a larger quantity is pending,
        whose answer then decides. A fill after the order's end is counted, and opens nothing.

        Raises ValueError for a fill that is not above zero, or leaves below zero.

        >>> mgr = OrderMgr("demo")
        >>> order = mgr.prepare_new_order(30000000000, Side.Buy, "9226.5", "10")
        >>> mgr.apply_order_execution("demo1", fill_qty=Qty("10"), nullable_leaves_qty=Qty("0"))
        True
        >>> print(mgr.apply_order_execution("demo2", fill_qty=Qty("10")))
        None
        """
        fill = _positive("fill_qty", fill_qty)
        leaves = _leaves(nullable_leaves_qty)
        state = self._find(client_id)
        if state is None:
            return None
        is_filled = state.apply_fill(fill, leaves)
        self._retire_if_ended(state)
        return is_filled

    def apply_order_cancelled(self, client_id: str) -> bool:
        """Take over on_order_cancelled: the order ends, asked for or not. Returns whether it is known."""
        return self._tell(client_id, OrderState.apply_cancelled)

    # -- details ---------------------------------------------------------------------------------------------

    def _find(self, client_id: str) -> OrderState | None:
        tracked = self._open.get(client_id) or self._ended.get(client_id)
        return tracked.state if tracked is not None else None

    def _tell(
        self,
        client_id: str,
        change: Callable[Concatenate[OrderState, _Args], object],
        *args: _Args.args,
        **kwargs: _Args.kwargs,
    ) -> bool:
        state = self._find(client_id)
        if state is None:
            return False
        change(state, *args, **kwargs)
        self._retire_if_ended(state)
        return True

    def _is_known(self, client_id: str) -> bool:
        return client_id in self._open or client_id in self._ended

    def _next_client_id(self) -> str:
        # An order added from outside may have the next id already.
        return next(
            client_id
            for number in self._numbers
            if not self._is_known(client_id := f"{self._prefix}{number}")
        )

    def _track(self, state: OrderState) -> Order:
        order = Order(state)
        self._open[state.client_id] = _Tracked(state, order)
        return order

    def _retire_if_ended(self, state: OrderState) -> None:
        if state.is_open or state.client_id not in self._open:
            return
        self._ended[state.client_id] = self._open.pop(state.client_id)
        if len(self._ended) > ENDED_ORDERS_KEPT:
            del self._ended[next(iter(self._ended))]

    def _is_cancel_all_pending(self, instrument_id: InstrumentId | None) -> bool:
        return instrument_id in self._pending_cancel_alls or None in self._pending_cancel_alls

    def _answer_cancel_all(self, instrument_id: InstrumentId | None) -> bool:
        pending = self._pending_cancel_alls
        answered: list[InstrumentId | None]
        if instrument_id is None:
            answered = list(pending)
        elif instrument_id in pending:
            answered = [instrument_id]
        else:
            answered = [name for name in pending if type(name) is not type(instrument_id)][:1]
        for name in answered:
            del pending[name]
        return bool(answered)


def _nullable(kind: type[_Number], value: _Number | str | Decimal | int | None) -> _Number | None:
    return None if value is None else kind(value)


def _leaves(value: QtyLike | None) -> Qty | None:
    leaves = _nullable(Qty, value)
    if leaves is not None and leaves.sign() < 0:
        raise ValueError(f"leaves_qty: expected zero or more, got {leaves}")
    return leaves


def _positive(name: str, value: QtyLike | None) -> Qty:
    if value is None:
        raise TypeError(f"{name}: expected a Qty, str, Decimal or int, got None")
    qty = Qty(value)
    if qty.sign() <= 0:
        raise ValueError(f"{name}: expected more than zero, got {qty}")
    return qty


def _price_of(value: PriceLike | None, order_type: OrderType) -> Price | None:
    if value is None and order_type is not OrderType.Market:
        raise TypeError(
            f"price: expected a Price, str, Decimal or int for a {order_type.name} order, got None"
        )
    return _nullable(Price, value)


def _instrument(value: InstrumentId | None) -> InstrumentId:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError(f"instrument_id: expected an int or a symbol as str, got {value!r}")
    return value


def _member(kind: type[_Member], name: str, value: object) -> _Member:
    if not isinstance(value, kind):
        raise TypeError(f"{name}: expected {kind.__name__}.*, got {value!r}")
    return value
