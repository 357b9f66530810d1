"""The order desk: between the environment and a gateway, for one strategy on one exchange.

Downwards it hands requests over; upwards it turns what the venue tells into one consistent story per order
(`mlthon._core.order_story`), and passes on what it tells of the account.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from mlthon._core.dispatch import Dispatcher
from mlthon._core.order import seen_order
from mlthon._core.order_story import DeskOrder, OrderStory
from mlthon.basics.defs import Exchange, GtwRejectCode, GtwStatus
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.account_info import AccountInfo
from mlthon.engine.ports import (
    CancelOrderRequest,
    FillReport,
    Gateway,
    ModifyOrderRequest,
    OrderEvent,
    OrderReport,
    RequestKind,
)
from mlthon.engine.scheduler import Scheduler
from mlthon.instruments.instrument import Instrument
from mlthon.order.order import Order

__all__ = ["DeskOrder", "OrderDesk", "OrderRecord"]

log = logging.getLogger("mlthon.engine")

_MISSING_FILLS_MS = 1_000  # how long an end waits for its fills before they are asked for


class OrderRecord(Protocol):
    """Where the story of every order is written down, for whoever counts it afterwards.

    The engine's own withdrawals of what a stopped strategy left open are not part of it.
    """

    def record_order(self, event: OrderEvent, order: DeskOrder, code: GtwRejectCode | None) -> None:
        """A step of an order that was sent, before the strategy hears of it; ``code`` is why it was refused."""

    def record_refusal(self, kind: RequestKind, code: GtwRejectCode) -> None:
        """A request that the engine refused by itself, and did not send."""


class OrderDesk(OrderStory, AccountInfo):
    """Orders, fills and account answers of one exchange. Implements `GatewayListener`.

    ``on_fill(fill)`` is called for every new fill of an own order, before the strategy hears of it.
    """

    def __init__(
        self,
        exchange: Exchange,
        gateway: Gateway,
        dispatcher: Dispatcher,
        scheduler: Scheduler,
        on_fill: Callable[[FillReport], None],
        record: OrderRecord | None = None,
    ) -> None:
        OrderStory.__init__(self, exchange, gateway, dispatcher, on_fill, self._wait_for_fills, record)
        AccountInfo.__init__(self, dispatcher)
        self._record = record
        self._scheduler = scheduler
        self._cancel_alls: Counter[int] = Counter()
        self.told_status: GtwStatus | None = None
        gateway.attach(self)

    # -- requests, from the environment ------------------------------------------------------------------------

    def send_modify(self, order: DeskOrder, new_price: Price | None, new_qty: Qty | None) -> None:
        """Ask for another price or total quantity of an open order without pending requests."""
        order.modify_pending = ModifyOrderRequest(
            order.wire_id, order.exchange_id, order.instrument, new_price, new_qty
        )
        self.gateway.send_modify(order.modify_pending)
        self._note(OrderEvent.ModifySent, order)

    def withdraw(self, orders: Sequence[DeskOrder]) -> None:
        """Ask to cancel orders of a strategy that is no longer there to do it."""
        for order in orders:
            order.withdrawal_pending = True
        self.gateway.send_cancels(
            [CancelOrderRequest(order.wire_id, order.exchange_id, order.instrument) for order in orders]
        )

    def send_cancel_all(self, instrument: Instrument) -> None:
        """Ask to cancel everybody's orders of the account on an instrument."""
        self._cancel_alls[instrument.get_instrument_id()] += 1
        for order in self.open_orders():
            if order.instrument.get_instrument_id() == instrument.get_instrument_id():
                order.cancel_asked = True
        self.gateway.send_cancel_all(instrument)

    # -- GatewayListener: what is not about single orders --------------------------------------------------------

    def announce(self) -> None:
        """Begin to tell the strategy of this exchange: the gateway's status first, then what the account holds."""
        self.told_status = self.gateway.status
        self._dispatcher.call("on_gateway_status", self.exchange, self.told_status, "")
        self.announce_account()

    def on_status(self, status: GtwStatus, detail: str) -> None:
        if self.told_status is None or status is self.told_status:
            return
        self.told_status = status
        self._tell("on_gateway_status", self.exchange, status, detail)

    def on_cancel_all_accepted(self, instrument: Instrument) -> None:
        if self._take_cancel_all(instrument):
            self._tell("on_cancel_all_ack", self.exchange, instrument.get_instrument_id())

    def on_cancel_all_refused(self, instrument: Instrument, code: GtwRejectCode, reason: str) -> None:
        if self._take_cancel_all(instrument):
            self._tell("on_cancel_all_reject", self.exchange, instrument.get_instrument_id(), code, reason)

    # -- GatewayListener: answers to questions about orders ------------------------------------------------------

    def on_order_status(self, report: OrderReport) -> None:
        order = self.find(report.wire_id, report.exchange_id)
        self._tell(
            "on_order_status",
            self.exchange,
            report.instrument_id,
            order.client_id if order is not None else report.wire_id,
            report.exchange_id,
            report.side,
            report.price,
            report.leaves_qty,
            report.status,
            report.order_type,
            report.tif,
            report.exec_instr,
        )

    def on_orders(self, reports: Sequence[OrderReport]) -> None:
        self._tell("on_orders_info", self.exchange, [self._published_order(report) for report in reports])

    # -- details -------------------------------------------------------------------------------------------------

    def _wait_for_fills(self, order: DeskOrder) -> None:
        """Give the fills that an order's end counts a moment to arrive."""
        self._scheduler.once(_MISSING_FILLS_MS, "missing fills", lambda: self._ask_for_missing_fills(order))

    def _ask_for_missing_fills(self, order: DeskOrder) -> None:
        """Ask the venue for the fills that an order's end counts and nobody has told us of."""
        if order.held_end is None or order.ended:
            return
        log.warning(
            "%s: %s ended with %s filled, but fills of only %s came; asking for the rest",
            self.exchange.name,
            order.wire_id,
            order.held_end.cum_qty,
            order.cum_qty,
        )
        self.gateway.recover_fills(order.instrument, order.wire_id, order.exchange_id)
        self._wait_for_fills(order)

    def _note(self, event: OrderEvent, order: DeskOrder) -> None:
        if self._record is not None:
            self._record.record_order(event, order, None)

    def _take_cancel_all(self, instrument: Instrument) -> bool:
        number = instrument.get_instrument_id()
        if self._cancel_alls[number] == 0:
            return False
        self._cancel_alls[number] -= 1
        return True

    def _published_order(self, report: OrderReport) -> Order:
        """An order as strategies know it: an own one under its client id, another under its wire id."""
        order = self.find(report.wire_id, report.exchange_id)
        return seen_order(
            order.client_id if order is not None else report.wire_id,
            report.exchange_id,
            report.instrument_id,
            report.side,
            report.price,
            report.qty,
            report.cum_qty,
            report.order_type,
            report.tif,
            report.exec_instr,
            is_cancel_pending=order is not None and order.cancel_pending,
        )
