"""The strategy interface: what MLThon tells a strategy.

A strategy is a class with some of the 36 callbacks of `IStrategy`. Those it does not define are simply not
called.

**Order of events.** ``__init__(cfg)``, or ``__init__()``; then ``on_framework_connected(env)``, which must
call ``env.login(name)``; then ``on_start``, ``on_instruments``, ``on_strat_params_update``; then statuses and
data, of which ``on_gateway_status(..., ReadyToTrade, ...)`` is always announced, and never before the
parameters. ``on_stop`` asks the strategy to wind down; it answers with ``env.send_stop_ack()``, and may be
started again. ``on_framework_disconnected`` is the last callback, whatever ended the run.

**Rules for every callback.**

* They are plain functions on one thread. While one runs nothing else does, so it must not block or sleep.
* None runs inside another, or inside a call of the environment: what a request causes at once is delivered
  after the current callback has returned, before the next market event.
* Arguments are positional; a strategy may name its parameters as it likes.
* What is handed over is borrowed until the callback returns. `Price`, `Qty` and `Instrument` never change and
  may be kept; an `Order` or a list may not.
* Times (``*_ts``) are integer milliseconds since the epoch, UTC. ``recv_ts`` is when the bytes arrived here.
* An exception ends the strategy: a backtest stops with the traceback; in all other modes the strategy's own
  orders are cancelled and the process exits with an error.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

from mlthon.api.istrat_env import IStratEnv
from mlthon.basics.defs import (
    TIF,
    CancelCode,
    Exchange,
    ExecInstructions,
    FeedHandlerStatus,
    GtwRejectCode,
    GtwStatus,
    OrderStatus,
    OrderType,
    Side,
)
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.instruments.instrument import Instrument
from mlthon.order.order import Order

__all__ = ["IStrategy"]


class IStrategy:
    """The base of a strategy.

    Callbacks are marked abstract, as published, for tools that look at the mark; nothing enforces it, so a
    strategy that lacks some of them still runs.

    >>> class TopWatcher(IStrategy):
    ...     def on_framework_connected(self, env):
    ...         self._env_ = env
    ...         env.login("top watcher")
    ...
    ...     def on_best_bid_level_update(self, exchange, instrument_id, price, qty, recv_ts):
    ...         print(f"{exchange.name} {instrument_id}: {qty} bid at {price}")
    >>> watcher = TopWatcher()
    >>> watcher.on_best_bid_level_update(
    ...     Exchange.Bybit, 30000000000, Price("9226.5"), Qty("13952"), 1594097430427)
    Bybit 30000000000: 13952.00000000 bid at 9226.50000000
    """

    # -- lifecycle -------------------------------------------------------------------------------------------

    @abstractmethod
    def on_framework_connected(self, env: IStratEnv) -> None:
        """Keep the environment and log in; a strategy that does not log in here is not started.

        Timers and command hooks may be set up here, before or after the login.

        >>> class Quiet(IStrategy):
        ...     def on_framework_connected(self, env):
        ...         self._env_ = env
        ...         env.login("quiet")
        """

    @abstractmethod
    def on_framework_disconnected(self) -> None:
        """Let go of everything: the framework is gone. Requests made here go nowhere."""

    @abstractmethod
    def on_start(self, params: str) -> None:
        """Begin: subscribe to market data and request execution connections.

        Follows the login by itself, and whenever somebody types the ``start`` command. `params` is all the
        text after the command, ``""`` when there is none. Legal again after a stop.
        """

    @abstractmethod
    def on_stop(self, params: str) -> None:
        """Wind down: stop trading, cancel own orders, then call ``env.send_stop_ack()``.

        Requests still pass until that call. `params` is the text after the ``stop`` command.
        """

    def on_instruments(self, instruments: Iterable[Instrument]) -> None:
        """Keep what is needed of the instruments; called once, with all that the run's exchanges list.

        When a venue changes a rule, lists an instrument or stops trading one, it is called again, with all.

        >>> class Keeper(IStrategy):
        ...     def on_instruments(self, instruments):
        ...         self.by_name = {each.get_instrument_name(): each for each in instruments}
        >>> keeper = Keeper()
        >>> keeper.on_instruments([Instrument(instrument_name="byt:perp:BTC-USD", price_tick_rules="0.5")])
        >>> keeper.by_name["byt:perp:BTC-USD"].get_price_tick_rules()
        Price('0.50000000')
        """

    def on_strat_params_update(self, strat_params: dict[str, Any]) -> None:
        """Take over parameters: called at each start, ``{}`` when none are set, and on every change.

        >>> class Tunable(IStrategy):
        ...     def on_strat_params_update(self, strat_params):
        ...         self.spread_ticks = int(strat_params.get("spread_ticks", 2))
        >>> tunable = Tunable()
        >>> tunable.on_strat_params_update({"spread_ticks": 4})
        >>> tunable.spread_ticks
        4
        """

    # -- connections -----------------------------------------------------------------------------------------

    @abstractmethod
    def on_gateway_status(self, exchange: Exchange, status: GtwStatus, detail: str) -> None:
        """Learn whether an exchange takes orders.

        `status` is ``ReadyToTrade``; ``Connecting``, while the connection is being made; or ``Maintenance``,
        while the exchange says it is closed. Requests sent in the latter two are refused. What happened to
        open orders during ``Connecting`` is found out and delivered before the next ``ReadyToTrade``.
        `detail` says why.
        """

    @abstractmethod
    def on_feed_handler_status(self, exchange: Exchange, status: FeedHandlerStatus, detail: str) -> None:
        """Follow the market data of an exchange being lost and found.

        ``Disconnected``: its books are not to be trusted. ``SnapshotStart``: clear **all** books of this
        exchange; every subscribed one is about to be told again, level by level. ``SnapshotEnd``: they are
        whole, and what follows are changes. When a single book had to be fetched anew, the same three come,
        `detail` of the first names the instrument, and the healthy books are repeated from memory.
        """

    @abstractmethod
    def on_rate_limit_info(
        self, exchange: Exchange, rate_limit: int, rate_remaining: int, reset_ts: int
    ) -> None:
        """Slow down: 50, 90 or 100 % of the allowed requests are used up.

        Of `rate_limit` requests `rate_remaining` are left until `reset_ts` (milliseconds).

        >>> class Careful(IStrategy):
        ...     def on_rate_limit_info(self, exchange, rate_limit, rate_remaining, reset_ts):
        ...         self.may_quote = rate_remaining * 10 > rate_limit
        >>> careful = Careful()
        >>> careful.on_rate_limit_info(Exchange.Bybit, 100, 10, 1594159619000)
        >>> careful.may_quote
        False
        """

    @abstractmethod
    def on_unsupported_op(self, exchange: Exchange, unsupported_msg_type: str) -> None:
        """Learn that an exchange has no such request, or MLThon no such service; nothing was sent.

        `unsupported_msg_type` is the request's name: ``"ModifyOrder"``, ``"MarketData.OrderBook"`` and so on.
        For ``"PublishTelegram"``, which concerns no exchange, `exchange` is the first one of the run.
        """

    @abstractmethod
    def on_request_reject(
        self, exchange: Exchange, reject_code: GtwRejectCode, detail: str, rejected_rqst_type: str
    ) -> None:
        """Learn that a ``fetch_*`` request or a subscription was refused.

        `rejected_rqst_type` is the request's name: ``"WalletInfo"``, ``"MarketData"`` and so on.
        """

    # -- answers about orders --------------------------------------------------------------------------------

    @abstractmethod
    def on_new_order_ack(
        self,
        exchange: Exchange,
        client_id: str,
        exchange_id: str,
        instrument_id: int,
        side: Side,
        price: Price,
        qty: Qty,
        leaves_qty: Qty,
        order_type: OrderType,
        tif: TIF,
        exec_instr: ExecInstructions,
    ) -> None:
        """Learn that the exchange took a new order; `exchange_id` is its name for it.

        Comes before the order's first fill, and once. `leaves_qty` is what is still open.
        """

    @abstractmethod
    def on_modify_order_ack(
        self,
        exchange: Exchange,
        client_id: str,
        new_price: Price | None,
        new_qty: Qty | None,
        leaves_qty: Qty,
    ) -> None:
        """Learn that an order was changed; what was not changed is None, but never both."""

    @abstractmethod
    def on_cancel_order_ack(self, exchange: Exchange, client_id: str) -> None:
        """Learn that a cancel request was taken. The order lives on until ``on_order_cancelled``."""

    @abstractmethod
    def on_cancel_all_ack(self, exchange: Exchange, instrument_id: int) -> None:
        """Learn that a cancel-all request was taken. The orders live on until ``on_order_cancelled``."""

    @abstractmethod
    def on_new_order_reject(
        self, exchange: Exchange, client_id: str, reject_code: GtwRejectCode, reject_reason: str
    ) -> None:
        """Learn that a new order was refused, by the exchange or before it got there; it never existed.

        `reject_reason` is the exchange's own words, and may be empty.
        """

    @abstractmethod
    def on_modify_order_reject(
        self, exchange: Exchange, client_id: str, reject_code: GtwRejectCode, reject_reason: str
    ) -> None:
        """Learn that a change was refused; the order stands as it was, or has ended meanwhile."""

    @abstractmethod
    def on_cancel_order_reject(
        self,
        exchange: Exchange,
        nullable_client_id: str | None,
        reject_code: GtwRejectCode,
        reject_reason: str,
    ) -> None:
        """Learn that a cancel was refused: most often because the order was filled first (``TooLate``).

        None for the id means that the refused request was a cancel-all; MLThon itself always uses
        ``on_cancel_all_reject`` for those.
        """

    @abstractmethod
    def on_cancel_all_reject(
        self, exchange: Exchange, instrument_id: int, reject_code: GtwRejectCode, reject_reason: str
    ) -> None:
        """Learn that a cancel-all was refused; the orders stand."""

    # -- what becomes of orders ------------------------------------------------------------------------------

    @abstractmethod
    def on_order_execution(
        self,
        exchange: Exchange,
        client_id: str,
        side: Side,
        price: Price,
        fill_qty: Qty,
        leaves_qty: Qty,
        exec_ts: int,
        recv_ts: int,
    ) -> None:
        """Book a fill: `fill_qty` was traded at `price`, `leaves_qty` of the order is still open.

        Each fill is delivered once. No cancel of the order follows when `leaves_qty` is zero. `exec_ts` is
        the exchange's time.
        """

    @abstractmethod
    def on_order_cancelled(
        self,
        exchange: Exchange,
        client_id: str,
        unsolicited: bool,
        engine_ts: int,
        recv_ts: int,
        cancel_code: CancelCode,
        cancel_reason: str,
    ) -> None:
        """Learn that an order ended with something unfilled.

        `unsolicited` is True when this strategy did not ask for it: the rest of an IOC order, a post-only
        order that would have traded, a decision of the exchange. `engine_ts` is the exchange's time, 0 if it
        told none.
        """

    # -- answers to questions --------------------------------------------------------------------------------

    @abstractmethod
    def on_order_status(
        self,
        exchange: Exchange,
        instrument_id: int,
        client_ord_id: str,
        exch_ord_id: str,
        side: Side,
        price: Price,
        leaves_qty: Qty,
        status: OrderStatus,
        order_type: OrderType,
        tif: TIF,
        exec_instr: ExecInstructions,
    ) -> None:
        """Read the answer to ``fetch_order_status``."""

    @abstractmethod
    def on_orders_info(self, exchange: Exchange, orders: list[Order]) -> None:
        """Read the answer to ``fetch_orders_info``: the open orders that match; the list is borrowed."""

    @abstractmethod
    def on_position_info(self, exchange: Exchange, instrument_id: int, position: Qty) -> None:
        """Read the position in a derivative: negative when short, in the instrument's unit of quantity.

        The answer to ``fetch_position_info``; an exchange may also send it by itself.
        """

    @abstractmethod
    def on_wallet_info(
        self, exchange: Exchange, coin: str, total_balance: Qty, available_balance: Qty
    ) -> None:
        """Read the balance of a coin; what is available is not bound by orders or positions.

        The answer to ``fetch_wallet_info``; an exchange may also send it by itself.
        """

    @abstractmethod
    def on_account_info(self, exchange: Exchange, user_id: str) -> None:
        """Read the answer to ``fetch_account_info``: whose account it is."""

    @abstractmethod
    def on_funding_info(
        self, exchange: Exchange, instrument_id: int, funding_rate: float, next_funding_ts: int
    ) -> None:
        """Read the answer to ``fetch_funding_info``.

        `funding_rate` is a fraction of the position's value (0.0001 is one basis point), paid by longs to
        shorts at `next_funding_ts`; by shorts to longs when negative.
        """

    # -- market data -----------------------------------------------------------------------------------------

    @abstractmethod
    def on_best_bid_level_update(
        self, exchange: Exchange, instrument_id: int, price: Price, qty: Qty, recv_ts: int
    ) -> None:
        """See a new best bid: its price or its quantity changed. Subscribed with ``MDSub.BBO``.

        When the side has become empty, price and quantity are zero.
        """

    @abstractmethod
    def on_best_ask_level_update(
        self, exchange: Exchange, instrument_id: int, price: Price, qty: Qty, recv_ts: int
    ) -> None:
        """See a new best ask, under the same rules as the best bid."""

    @abstractmethod
    def on_public_trade(
        self,
        exchange: Exchange,
        instrument_id: int,
        side: Side,
        price: Price,
        qty: Qty,
        exec_ts: int,
        recv_ts: int,
    ) -> None:
        """See a trade of the market; `side` is the taker's. Subscribed with ``MDSub.PublicTrades``."""

    @abstractmethod
    def on_add_price_level(
        self, exchange: Exchange, instrument_id: int, side: Side, price: Price, qty: Qty, recv_ts: int
    ) -> None:
        """Put a level into the book. Subscribed with ``MDSub.PriceLevelBook``.

        One message of the exchange may change many levels, and between two of its changes the book may look
        crossed.

        >>> from mlthon.order.books.price_level_book import PriceLevelBook
        >>> class BookKeeper(IStrategy):
        ...     def __init__(self):
        ...         self.book = PriceLevelBook()
        ...     def on_add_price_level(self, exchange, instrument_id, side, price, qty, recv_ts):
        ...         self.book.add_lvl(side, price, qty)
        >>> keeper = BookKeeper()
        >>> keeper.on_add_price_level(
        ...     Exchange.Bybit, 30000000000, Side.Buy, Price("9226.5"), Qty("13952"), 1594097430427)
        >>> updated, best = keeper.book.get_best_bid_lvl()
        >>> best.get_price()
        Price('9226.50000000')
        """

    @abstractmethod
    def on_modify_price_level(
        self, exchange: Exchange, instrument_id: int, side: Side, price: Price, new_qty: Qty, recv_ts: int
    ) -> None:
        """Set the quantity of a level that is in the book."""

    @abstractmethod
    def on_delete_price_level(
        self, exchange: Exchange, instrument_id: int, side: Side, price: Price, recv_ts: int
    ) -> None:
        """Take a level out of the book."""

    @abstractmethod
    def on_add_level(
        self,
        exchange: Exchange,
        instrument_id: int,
        side: Side,
        level_id: int,
        price: Price,
        qty: Qty,
        recv_ts: int,
    ) -> None:
        """Put a level into a book that is kept by level ids. Subscribed with ``MDSub.LevelBook``.

        The same changes as ``on_add_price_level``, told another way. Where the exchange has no ids, the id is
        the price times 10,000 (9226.5 is 92265000), and finer where the tick asks for it.
        """

    @abstractmethod
    def on_modify_level(
        self, exchange: Exchange, instrument_id: int, side: Side, level_id: int, new_qty: Qty, recv_ts: int
    ) -> None:
        """Set the quantity of the level with this id."""

    @abstractmethod
    def on_delete_level(
        self, exchange: Exchange, instrument_id: int, side: Side, level_id: int, recv_ts: int
    ) -> None:
        """Take the level with this id out of the book."""
