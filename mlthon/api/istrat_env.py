"""The environment: what a strategy can ask of MLThon.

A strategy is handed an `IStratEnv` in ``on_framework_connected`` and keeps it. Three rules hold for every
method:

* **Nothing is answered at once.** A method returns before anything it causes reaches the strategy; the
  answer, a local refusal included, is a callback of its own, delivered after the current one has returned.
* **What cannot be served is refused, not raised.** A gateway that is not connected, an unknown instrument, a
  price off the tick: each comes back in the request's reject callback with a `GtwRejectCode`. Only
  programming errors raise: a wrong type is a TypeError that names the argument.
* **Exact numbers only.** Prices and quantities are `Price`/`Qty`, ``str``, ``decimal.Decimal`` or ``int``. A
  ``float`` is a TypeError; `Price.from_float(x, tick)` and `TickFormat` are the way in.

Where an instrument is asked for, its id (30000000000) and its name (``"byt:perp:BTC-USD"``) always work; a
bare symbol (``"BTC-USD"``, or the exchange's own ``"BTCUSD"``) works where it fits exactly one instrument.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeAlias

from mlthon.basics.defs import TIF, Exchange, ExecInstructions, OrderType, Side
from mlthon.basics.mlt_enum import MltEnum
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty

__all__ = ["IStratEnv", "MDSub"]

InstrumentRef: TypeAlias = int | str
"""An instrument's id, its name, or a symbol that fits only one."""

ClientOrdId: TypeAlias = str | int
"""An order's client id. An int n stands for ``str(n)``, the id of an order sent with ``client_id=None``."""

PriceLike: TypeAlias = Price | str | Decimal | int
QtyLike: TypeAlias = Qty | str | Decimal | int

CmdCallback: TypeAlias = Callable[[list[str]], object]
TimerCallback: TypeAlias = Callable[[], object]


class MDSub(MltEnum):
    """A kind of market data to subscribe to.

    The values are the published ones, uneven as they are; compare members, never values.

    >>> MDSub.BBO is MDSub["BBO"]
    True
    """

    OrderBook = (0,)  #: order by order; no venue here publishes it
    LevelBook = (1,)  #: levels with an id: on_add_level, on_modify_level, on_delete_level
    PriceLevelBook = (
        2,
    )  #: levels by price: on_add_price_level, on_modify_price_level, on_delete_price_level
    BBO = (3,)  #: the best bid and ask: on_best_bid_level_update, on_best_ask_level_update
    PublicTrades = 4  #: everybody's trades: on_public_trade


class IStratEnv:
    """The trading environment as a strategy sees it.

    MLThon implements it; a strategy only calls it. To see what a strategy asks for, hand it an environment
    that prints:

    >>> class PrintingEnv(IStratEnv):
    ...     def __getattribute__(self, request):
    ...         return lambda *args, **kwargs: print(request, *args, *kwargs)
    >>> env = PrintingEnv()
    >>> env.login("my strategy")
    login my strategy
    >>> env.subscribe_to_market_data(Exchange.Bybit, ["byt:perp:BTC-USDT"], [MDSub.BBO, MDSub.PublicTrades])
    subscribe_to_market_data Exchange.Bybit ['byt:perp:BTC-USDT'] [<MDSub.BBO: (3,)>, <MDSub.PublicTrades: 4>]
    >>> env.setup_timer(500, callback_func=print)
    setup_timer 500 callback_func
    """

    # -- lifecycle -------------------------------------------------------------------------------------------

    def login(self, strat_name: str) -> None:
        """Register the strategy under a name.

        Must be called inside ``on_framework_connected``: a strategy that returns from it without having
        logged in is not started, and the run ends with an error that says so.

        Raises ValueError for an empty name, UsageError for a second login.
        """
        raise NotImplementedError

    def send_stop_ack(self) -> None:
        """Tell the framework that the strategy has finished stopping.

        The answer to ``on_stop``: at once, or later, when the strategy's orders are gone. Afterwards every
        request is refused with ``GtwNotReady`` and timers do not fire, until the next ``on_start``. A
        strategy that never acknowledges is stopped when the framework's deadline passes.
        """
        raise NotImplementedError

    # -- market data and connections -------------------------------------------------------------------------

    def subscribe_to_market_data(
        self, exchange: Exchange, instruments: Sequence[InstrumentRef], md_subs: Sequence[MDSub]
    ) -> None:
        """Ask for market data of some instruments; every kind in `md_subs` for each of them.

        May be called from ``on_framework_connected`` on, most often in ``on_start``; calls add up. The feed's
        progress arrives in ``on_feed_handler_status``. An unknown instrument comes back in
        ``on_request_reject`` as ``MarketData``, a kind that the venue does not publish in
        ``on_unsupported_op`` as, for example, ``MarketData.OrderBook``.

        A strategy that never asks is given the run's own instruments, with all the data it has callbacks for.
        """
        raise NotImplementedError

    def request_execution_connection(self, exchange: Exchange, instruments: Sequence[InstrumentRef]) -> None:
        """Ask for order entry on some instruments; calls add up.

        Orders for an instrument that was not asked for are refused with ``GtwNotReady``. Whether the exchange
        takes orders is told by ``on_gateway_status``, once the parameters have been delivered.

        A strategy that never asks may trade the run's own instruments.
        """
        raise NotImplementedError

    @property
    def last_in_batch(self) -> bool:
        """Whether the message that caused the running callback causes no more of them.

        An addition to the published interface. One message of a venue may change many levels, each a callback
        of its own, or bring several public trades; between them the strategy's book is between two states of
        the venue. Update on each, decide on the last:

        >>> class Quoter:
        ...     def __init__(self, env: IStratEnv) -> None:
        ...         self.env, self.changes = env, 0
        ...     def on_modify_price_level(self, exchange, instrument_id, side, price, new_qty, recv_ts):
        ...         self.changes += 1
        ...         if self.env.last_in_batch:
        ...             self.requote()
        ...     def requote(self):
        ...         print("quotes made anew after", self.changes, "changes")
        >>> class Env(IStratEnv):
        ...     last_in_batch = False
        >>> quoter = Quoter(Env())
        >>> quoter.on_modify_price_level(Exchange.Bybit, 30000000000, Side.Buy, "9226.5", "3", 0)
        >>> Env.last_in_batch = True
        >>> quoter.on_modify_price_level(Exchange.Bybit, 30000000000, Side.Buy, "9226.0", "1", 0)
        quotes made anew after 2 changes

        Only callbacks that the strategy defines count. A snapshot's adds are one such batch for each
        instrument, and True outside of them: for orders, statuses and timers each callback stands alone.
        """
        raise NotImplementedError

    # -- orders ----------------------------------------------------------------------------------------------

    def send_new_order(
        self,
        client_id: ClientOrdId | None,
        exchange: Exchange,
        instrument_id: InstrumentRef,
        side: Side,
        price: PriceLike | None,
        qty: QtyLike,
        exec_instr: ExecInstructions,
        ord_type: OrderType,
        time_in_force: TIF,
        close_position: bool,
    ) -> int:
        """Send a new order; returns the number in its client id.

        `client_id` is the strategy's own name for the order, as `OrderMgr` makes them: a prefix and a number,
        ``"demo7"``, of which 7 is returned. Every callback about the order carries the whole id. It must not
        have been used before in this run. With None the environment makes one, whose text is the returned
        number.

        `price` must stand on the instrument's tick and `qty` on its lot; `price` is None for
        ``OrderType.Market`` only. With `close_position` the order can only shrink the position, never open or
        turn one.

        Answered by ``on_new_order_ack`` or ``on_new_order_reject``, then by ``on_order_execution`` for each
        fill and ``on_order_cancelled`` when the rest ends; always in this order.
        """
        raise NotImplementedError

    def send_modify_order(
        self,
        exchange: Exchange,
        client_ord_id: ClientOrdId,
        new_price: PriceLike | None,
        new_qty: QtyLike | None,
    ) -> None:
        """Change an open order's price, its quantity, or both; None leaves that one alone.

        `new_qty` is the order's whole quantity, what is filled already included. An order that shrinks at its
        price keeps its place in the queue; any other change gives it up.

        Answered by ``on_modify_order_ack`` or ``on_modify_order_reject``; by ``on_unsupported_op`` where the
        venue cannot modify. Raises ValueError when both are None.
        """
        raise NotImplementedError

    def send_cancel_order(
        self, exchange: Exchange, instrument_id: InstrumentRef, client_ord_id: ClientOrdId
    ) -> None:
        """Ask the venue to cancel one order.

        Answered by ``on_cancel_order_ack`` or ``on_cancel_order_reject``. The ack says only that the request
        was taken: the order is gone when ``on_order_cancelled`` says so, and may still be filled until then.
        """
        raise NotImplementedError

    def send_cancel_all(self, exchange: Exchange, instrument_id: InstrumentRef) -> None:
        """Ask the venue to cancel **everybody's** orders of this account on one instrument.

        That includes orders of other strategies and of people. To end your own, cancel them one by one. An order that
        is sent behind it may be there first, by another connection, and is cancelled as well: wait for the answer.

        Answered by ``on_cancel_all_ack`` or ``on_cancel_all_reject``, and by ``on_order_cancelled`` for each
        own order that ends.
        """
        raise NotImplementedError

    # -- questions -------------------------------------------------------------------------------------------

    def fetch_order_status(
        self, exchange: Exchange, instrument_id: InstrumentRef, client_ord_id: ClientOrdId
    ) -> None:
        """Ask the venue about one order; answered by ``on_order_status`` or ``on_request_reject``."""
        raise NotImplementedError

    def fetch_orders_info(self, exchange: Exchange, instrument_id: InstrumentRef | None = None) -> None:
        """Ask for the open orders, of one instrument or of all; answered by ``on_orders_info``.

        The list holds every open order of the account, also those that this strategy did not send.
        """
        raise NotImplementedError

    def fetch_position_info(self, exchange: Exchange, instrument_id: InstrumentRef) -> None:
        """Ask for the position in a derivative; answered by ``on_position_info``.

        Spot leaves no position, only balances: there the answer is ``on_unsupported_op``.
        """
        raise NotImplementedError

    def fetch_wallet_info(self, exchange: Exchange, coin: str) -> None:
        """Ask for the balance of a coin (``"USDT"``); answered by ``on_wallet_info``."""
        raise NotImplementedError

    def fetch_account_info(self, exchange: Exchange) -> None:
        """Ask whose account this is; answered by ``on_account_info``."""
        raise NotImplementedError

    def fetch_funding_info(self, exchange: Exchange, instrument_id: InstrumentRef) -> None:
        """Ask for a perpetual's funding rate; answered by ``on_funding_info``."""
        raise NotImplementedError

    # -- time, commands, people ------------------------------------------------------------------------------

    def setup_timer(self, duration_ms: int, callback_func: TimerCallback) -> None:
        """Call `callback_func()` in `duration_ms` milliseconds, and again as long as it returns ``True``.

        Only ``True`` itself renews; None and anything else ends the timer. Legal before ``login``. A timer
        that fell behind fires once, not in a burst. No timer fires while the strategy is stopped: those set
        up while it ran are forgotten with that run, those set up before its first start wait for the next.

        Raises ValueError unless `duration_ms` is positive, TypeError when `callback_func` cannot be called.
        """
        raise NotImplementedError

    def setup_daily_callback(self, hh_mm_ss: str, callback_func: TimerCallback) -> None:
        """Call `callback_func()` at a time of day, and daily as long as it returns ``True``.

        `hh_mm_ss` is ``"16:30:00"``, in the machine's time zone; a time that has passed today means tomorrow.

        Raises ValueError when it is no such time.
        """
        raise NotImplementedError

    def add_cmd_hook(self, cmd_name_str: str, callback_func: CmdCallback) -> None:
        """Let people run `callback_func` by typing a command; it is given the words after the name.

        Names are case-insensitive and replace an earlier hook of the same name. The parameters are a list of
        str, empty when there are none. Text that the callback returns is shown to whoever typed the command.

        Raises ValueError for an empty name, one with blanks in it, or one of the framework's own (``start``,
        ``stop``).
        """
        raise NotImplementedError

    def publish_telegram(self, msg: str) -> None:
        """Post a message (Markdown) to the strategy's Telegram channel.

        Without a channel it goes to the log, and ``on_unsupported_op`` says ``PublishTelegram``.
        """
        raise NotImplementedError
