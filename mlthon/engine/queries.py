"""Questions to a venue: each is answered by its callback, or refused with on_request_reject."""

from __future__ import annotations

from collections.abc import Callable

from mlthon._core.dispatch import Dispatcher
from mlthon.api.istrat_env import ClientOrdId, InstrumentRef
from mlthon.basics.defs import Exchange, GtwRejectCode
from mlthon.engine.access import Access, Refused, expect_exchange
from mlthon.engine.order_desk import OrderDesk
from mlthon.engine.order_entry import client_id_text
from mlthon.engine.ports import RequestKind

__all__ = ["Queries"]


class Queries:
    """The six questions of `IStratEnv`."""

    def __init__(self, access: Access, dispatcher: Dispatcher, record: Callable[..., None]) -> None:
        self._access = access
        self._dispatcher = dispatcher
        self._record = record

    def order_status(self, exchange: Exchange, ref: InstrumentRef, client_id: ClientOrdId) -> None:
        def ask(desk: OrderDesk) -> None:
            instrument = self._access.instrument(exchange, ref)
            order = desk.order(text)
            if order is None:
                raise Refused(GtwRejectCode.UnknownOrder, f"no order has the client id {text!r}")
            desk.gateway.fetch_order_status(instrument, order.wire_id, order.exchange_id)

        text = client_id_text(client_id)
        self._record("fetch_order_status", exchange=exchange, instrument_id=ref, client_ord_id=text)
        self._ask(exchange, RequestKind.OrderStatus, ask)

    def orders(self, exchange: Exchange, ref: InstrumentRef | None) -> None:
        def ask(desk: OrderDesk) -> None:
            desk.gateway.fetch_orders(None if ref is None else self._access.instrument(exchange, ref))

        self._record("fetch_orders_info", exchange=exchange, instrument_id=ref)
        self._ask(exchange, RequestKind.OrdersInfo, ask)

    def position(self, exchange: Exchange, ref: InstrumentRef) -> None:
        def ask(desk: OrderDesk) -> None:
            instrument = self._access.instrument(exchange, ref)
            desk.expect_answer(instrument.get_instrument_id())
            desk.gateway.fetch_position(instrument)

        self._record("fetch_position_info", exchange=exchange, instrument_id=ref)
        self._ask(exchange, RequestKind.PositionInfo, ask)

    def wallet(self, exchange: Exchange, coin: str) -> None:
        if not isinstance(coin, str):
            raise TypeError(f"coin: expected a str, got {coin!r}")

        def ask(desk: OrderDesk) -> None:
            desk.expect_answer(coin)
            desk.gateway.fetch_wallet(coin)

        self._record("fetch_wallet_info", exchange=exchange, coin=coin)
        self._ask(exchange, RequestKind.WalletInfo, ask)

    def account(self, exchange: Exchange) -> None:
        self._record("fetch_account_info", exchange=exchange)
        self._ask(exchange, RequestKind.AccountInfo, lambda desk: desk.gateway.fetch_account())

    def funding(self, exchange: Exchange, ref: InstrumentRef) -> None:
        def ask(desk: OrderDesk) -> None:
            desk.gateway.fetch_funding(self._access.instrument(exchange, ref))

        self._record("fetch_funding_info", exchange=exchange, instrument_id=ref)
        self._ask(exchange, RequestKind.FundingInfo, ask)

    def _ask(self, exchange: Exchange, kind: RequestKind, ask: Callable[[OrderDesk], None]) -> None:
        expect_exchange(exchange)
        try:
            ask(self._access.desk(exchange))
        except Refused as refusal:
            self._dispatcher.post("on_request_reject", exchange, refusal.code, refusal.reason, kind.value)
