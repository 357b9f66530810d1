"""Order requests on their way from the strategy to a desk: understood, checked, numbered, recorded.

Wrong types raise at the call. Whatever else is wrong comes back in the request's reject callback, after the
strategy's current callback has returned. Requests with which nothing is wrong mostly take the short way, and do not
come here at all (`mlthon._core.order_entry`).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from mlthon._core.dispatch import Dispatcher
from mlthon._core.order_entry import PlainRequests
from mlthon.api.istrat_env import ClientOrdId, InstrumentRef, PriceLike, QtyLike
from mlthon.basics.defs import TIF, Exchange, ExecInstructions, GtwRejectCode, GtwStatus, OrderType, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.access import Access, Refused, expect_exchange
from mlthon.engine.order_checks import BrokenRule, broken_rule, rules_of, why_closed
from mlthon.engine.order_desk import DeskOrder, OrderDesk, OrderRecord
from mlthon.engine.ports import NewOrderRequest, RequestKind
from mlthon.engine.wire_ids import WireIds
from mlthon.instruments.instrument import Instrument

__all__ = ["OrderEntry", "client_id_text"]

_Member = TypeVar("_Member", Side, ExecInstructions, OrderType, TIF)
_Number = TypeVar("_Number", Price, Qty)
_MAX_CLIENT_ID = 128


class OrderEntry(PlainRequests):
    """New, modify, cancel and cancel-all, for one strategy; new and cancel are asked of the base, the short way."""

    def __init__(
        self,
        access: Access,
        dispatcher: Dispatcher,
        wire_ids: WireIds,
        why_not_tradable: Callable[[Exchange, Instrument], str | None],
        record: Callable[..., None],
        order_record: OrderRecord | None = None,
        *,
        is_recorded: bool = True,
    ) -> None:
        super().__init__(
            access.session,
            access.desks,
            access.instruments,
            wire_ids,
            GtwStatus.ReadyToTrade,
            record,
            is_recorded=is_recorded,
        )
        self._access = access
        self._dispatcher = dispatcher
        self._why_not_tradable = why_not_tradable
        self._record = record
        self._order_record = order_record
        self.refused = 0  # new orders that were rejected here, and never sent

    # -- the four requests -------------------------------------------------------------------------------------

    def new_checked(
        self,
        client_id: ClientOrdId | None,
        exchange: Exchange,
        ref: InstrumentRef,
        side: Side,
        price: PriceLike | None,
        qty: QtyLike,
        exec_instr: ExecInstructions | None,
        ord_type: OrderType | None,
        tif: TIF | None,
        close_position: bool,
    ) -> int:
        """Send any new order, or post its reject; returns the number in the client id."""
        expect_exchange(exchange)
        _member("side", Side, side)
        exec_instr = _member("exec_instr", ExecInstructions, exec_instr or ExecInstructions.Unset)
        ord_type = _member("ord_type", OrderType, ord_type or OrderType.Unset)
        tif = _member("time_in_force", TIF, tif or TIF.Unset)
        if not isinstance(close_position, bool):
            raise TypeError(f"close_position: expected a bool, got {close_position!r}")
        if ord_type is OrderType.Unset:
            ord_type = OrderType.Limit
        if tif is TIF.Unset:
            tif = TIF.IOC if ord_type is OrderType.Market else TIF.GTC
        self.requests += 1
        client_id = self._new_client_id() if client_id is None else client_id_text(client_id)
        if ord_type is not OrderType.Market:
            _check_type("price", Price, price)
        _check_type("qty", Qty, qty)
        wire_id = self.wire_ids.next()
        self._record(
            "send_new_order",
            client_id=client_id,
            exchange=exchange,
            instrument_id=ref,
            side=side,
            price=price,
            qty=qty,
            exec_instr=exec_instr,
            ord_type=ord_type,
            time_in_force=tif,
            close_position=close_position,
            wire_id=wire_id,
        )
        try:
            desk = self._access.desk(exchange)
            instrument = self._access.instrument(exchange, ref)
            if (why_not := self._why_not_tradable(exchange, instrument)) is not None:
                raise Refused(GtwRejectCode.GtwNotReady, why_not)
            if desk.order(client_id) is not None:
                raise Refused(GtwRejectCode.DuplicateClientId, f"client id {client_id!r} was used before")
            request = NewOrderRequest(
                wire_id,
                instrument,
                side,
                None if ord_type is OrderType.Market else _price(price),
                _qty(qty),
                ord_type,
                tif,
                exec_instr,
                close_position,
            )
            _refuse(why_closed(instrument))
            _refuse(broken_rule(instrument, request.price, request.qty, closes=close_position))
        except Refused as refusal:
            self.refused += 1
            self._note(RequestKind.NewOrder, refusal)
            self._dispatcher.post("on_new_order_reject", exchange, client_id, refusal.code, refusal.reason)
        else:
            desk.send_new(client_id, request)
            self.learn(exchange, ref, desk, rules_of(instrument))
        return self.number_in(client_id)

    def modify(
        self,
        exchange: Exchange,
        client_id: ClientOrdId,
        new_price: PriceLike | None,
        new_qty: QtyLike | None,
    ) -> None:
        """Ask for another price, total quantity, or both; or post the reject."""
        expect_exchange(exchange)
        client_id = client_id_text(client_id)
        if new_price is None and new_qty is None:
            raise ValueError("send_modify_order: expected a new price, a new qty, or both; got neither")
        if new_price is not None:
            _check_type("new_price", Price, new_price)
        if new_qty is not None:
            _check_type("new_qty", Qty, new_qty)
        self._record(
            "send_modify_order",
            exchange=exchange,
            client_ord_id=client_id,
            new_price=new_price,
            new_qty=new_qty,
        )
        try:
            desk = self._access.desk(exchange)
            order = _open_order(desk, client_id)
            if order.modify_pending is not None or order.cancel_pending or not order.acked:
                raise Refused(
                    GtwRejectCode.RequestPending, f"{client_id} has a request that is not answered yet"
                )
            price = None if new_price is None else _price(new_price)
            qty = None if new_qty is None else _qty(new_qty)
            if qty is not None and qty <= order.cum_qty:
                raise Refused(
                    GtwRejectCode.InvalidQty, f"new qty {qty} is not above the {order.cum_qty} already filled"
                )
            rules = self._access.instrument(exchange, order.instrument)  # which may have changed since
            kept_price = order.price if price is None else price  # a price of zero is false, and is checked
            _refuse(broken_rule(rules, kept_price, order.qty if qty is None else qty))
        except Refused as refusal:
            self._note(RequestKind.ModifyOrder, refusal)
            self._dispatcher.post("on_modify_order_reject", exchange, client_id, refusal.code, refusal.reason)
        else:
            desk.send_modify(order, price, qty)

    def cancel_checked(self, exchange: Exchange, ref: InstrumentRef, client_id: ClientOrdId) -> None:
        """Ask to cancel any order, or post the reject."""
        expect_exchange(exchange)
        client_id = client_id_text(client_id)
        self._record("send_cancel_order", exchange=exchange, instrument_id=ref, client_ord_id=client_id)
        try:
            desk = self._access.desk(exchange)
            instrument = self._access.instrument(exchange, ref)
            order = _open_order(desk, client_id)
            if order.instrument.get_instrument_id() != instrument.get_instrument_id():
                raise Refused(
                    GtwRejectCode.UnknownOrder,
                    f"{client_id} is an order for {order.instrument.get_instrument_name()}, "
                    f"not {instrument.get_instrument_name()}",
                )
            if order.cancel_pending:
                raise Refused(GtwRejectCode.RequestPending, f"a cancel of {client_id} is not answered yet")
        except Refused as refusal:
            self._note(RequestKind.CancelOrder, refusal)
            self._dispatcher.post("on_cancel_order_reject", exchange, client_id, refusal.code, refusal.reason)
        else:
            desk.send_cancel(order)

    def cancel_all(self, exchange: Exchange, ref: InstrumentRef) -> None:
        """Ask to cancel everybody's orders of the account on an instrument, or post the reject."""
        expect_exchange(exchange)
        self._record("send_cancel_all", exchange=exchange, instrument_id=ref)
        about = ref
        try:
            instrument = self._access.instrument(exchange, ref)
            about = instrument.get_instrument_id()
            desk = self._access.desk(exchange)
            if (why_not := self._why_not_tradable(exchange, instrument)) is not None:
                raise Refused(GtwRejectCode.GtwNotReady, why_not)
        except Refused as refusal:
            self._note(RequestKind.CancelAll, refusal)
            self._dispatcher.post("on_cancel_all_reject", exchange, about, refusal.code, refusal.reason)
        else:
            desk.send_cancel_all(instrument)

    def _note(self, kind: RequestKind, refusal: Refused) -> None:
        if self._order_record is not None:
            self._order_record.record_refusal(kind, refusal.code)

    def _new_client_id(self) -> str:
        """The number of the request, or the next one that the strategy has not used itself."""
        number = self.requests
        while any(desk.order(str(number)) is not None for desk in self._access.desks.values()):
            number += 1
        return str(number)


def _open_order(desk: OrderDesk, client_id: str) -> DeskOrder:
    order = desk.order(client_id)
    if order is None:
        raise Refused(GtwRejectCode.UnknownOrder, f"no order has the client id {client_id!r}")
    if order.ended:
        raise Refused(GtwRejectCode.TooLate, f"{client_id} has already ended")
    return order


def _refuse(rule: BrokenRule | None) -> None:
    if rule is not None:
        raise Refused(rule.code, rule.reason)


def _member(name: str, enum: type[_Member], value: object) -> _Member:
    if not isinstance(value, enum):
        raise TypeError(f"{name}: expected a member of {enum.__name__}, got {value!r}")
    return value


def client_id_text(value: object) -> str:
    """A client id as callbacks carry it: a strategy may give the bare number that a request returned."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError(f"client id: expected a str or an int, got {value!r}")
    text = str(value)
    if not 0 < len(text) <= _MAX_CLIENT_ID:
        raise ValueError(f"client id: expected 1 to {_MAX_CLIENT_ID} characters, got {len(text)}")
    return text


def _check_type(name: str, number: type[_Number], value: object) -> None:
    """Raise TypeError for what can never be an exact number."""
    if isinstance(value, float):
        raise TypeError(
            f"{name}: expected a {number.__name__}, str, Decimal or int, got the float {value!r}; "
            f"{number.__name__}.from_float(x, tick) makes an exact one"
        )
    if isinstance(value, bool) or not isinstance(value, number | str | Decimal | int):
        raise TypeError(f"{name}: expected a {number.__name__}, str, Decimal or int, got {value!r}")


def _price(value: PriceLike | None) -> Price:
    return _parsed(Price, GtwRejectCode.InvalidPrice, value)


def _qty(value: QtyLike) -> Qty:
    return _parsed(Qty, GtwRejectCode.InvalidQty, value)


def _parsed(number: type[_Number], code: GtwRejectCode, value: object) -> _Number:
    """Turn what a strategy gave into an exact number; a value that is none is Refused."""
    if isinstance(value, number):
        return value
    assert isinstance(value, str | Decimal | int)
    try:
        return number(value)
    except (ValueError, OverflowError) as error:
        raise Refused(code, str(error)) from None
