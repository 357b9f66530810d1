"""DemoStrat: a small market maker, and the example to start from.

How it thinks: whenever something has changed (the market, an order, a setting), `act_` compares the one order it
has on each side with the one it wants there, and sends the request that closes the gap. No callback decides
anything itself.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mlthon.api.istrat_env import IStratEnv, MDSub
from mlthon.api.istrategy import IStrategy
from mlthon.basics.defs import (
    TIF,
    CancelCode,
    Exchange,
    ExecInstructions,
    FeedHandlerStatus,
    GtwRejectCode,
    GtwStatus,
    OrderType,
    Side,
)
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.instruments.instrument import Instrument
from mlthon.order.order import Order
from mlthon.order.order_mgr import OrderMgr
from mlthon.order.position import InversePosition, Position
from mlthon.strats.demo_settings import DemoSettings, find_instrument, is_inverse

__all__ = ["DemoStrat"]

log = logging.getLogger("mlthon.strategy.demo")

OPPOSITE = {Side.Buy: Side.Sell, Side.Sell: Side.Buy}

# Rejects that a fill or a price move on its way explains: try again soon. After any other, give it a second.
RACES = {GtwRejectCode.TooLate, GtwRejectCode.UnknownOrder, GtwRejectCode.PostOnlyWouldCross}
RACE_PAUSE_MS = 50
PAUSE_MS = 1000

NOTHING = Qty("0")


class Level(NamedTuple):
    """The best level of one side."""

    price: Price
    qty: Qty


class WantedOrder(NamedTuple):
    """What should be open on one side."""

    price: Price
    qty: Qty
    tif: TIF
    is_exit: bool


class DemoStrat(IStrategy):
    """Make a market in one instrument: rest at the best bid and offer while enough others do.

    **Entry.** It rests `order_qty` at the top of a side as long as others show at least `entry_qty_threshold` there,
    moves along with the top, and cancels when they show less. Its position never exceeds `max_position`.

    **Exit.** Once an order has been filled it rests a closing order on the other side, as long as others still show
    `exit_qty_threshold` at the top of the side that was filled. When they show less, the price is about to move
    away: it crosses the spread to close at once.

    ``cfg``, and later ``on_strat_params_update``, may set:

    ======================= ======================= ==================================================================
    key                     default                 meaning
    ======================= ======================= ==================================================================
    ``exchange``            ``Bybit``               name of a member of `Exchange`
    ``instrument``          ``byt:perp:BTC-USDT``   id, name or symbol
    ``entry_qty_threshold`` 0.5                     others' quantity at the top that makes it join them
    ``exit_qty_threshold``  0.3                     others' quantity at the top that lets it wait for its price
    ``order_qty``           0.01                    quantity of an entry order
    ``max_position``        0.05                    limit of the position, long or short
    ``price_tick``          the instrument's        prices are rounded to it, away from the market
    ``qty_tick``            the instrument's        quantities are rounded down to it
    ======================= ======================= ==================================================================

    Quantities are in the instrument's unit. Exchange and instrument cannot be changed after the first start.

    >>> strategy = DemoStrat({"order_qty": "0.02", "max_position": "0.10"})
    >>> strategy.get_position_command([])
    'position 0.00000000 at no price'
    """

    _env_: IStratEnv
    _price_step_: Price
    _qty_step_: Qty
    _min_qty_: Qty

    def __init__(self, cfg: Mapping[str, Any] | None) -> None:
        self._params_: dict[str, Any] = {}
        self.configure_(cfg or {})
        self._order_mgr_ = OrderMgr("demo")
        self._position_ = Position()
        self._instruments_: list[Instrument] = []
        self._instrument_id_ = 0  # chosen once the instruments and the parameters are known
        self._top_: dict[Side, Level] = {}
        self._feed_is_live_ = False
        self._gateway_is_ready_ = False
        self._can_modify_ = True
        self._is_stopping_ = False
        self._is_stopped_ = True
        self._pauses_ = 0

    # -- lifecycle ---------------------------------------------------------------------------------------------

    def on_framework_connected(self, env: IStratEnv) -> None:
        self._env_ = env
        env.login("demo_strat")
        env.add_cmd_hook("get_orders", self.get_orders_command)
        env.add_cmd_hook("get_position", self.get_position_command)
        env.add_cmd_hook("get_pnl", self.get_pnl_command)
        env.add_cmd_hook("test", self.hooked_command_test)

    def on_framework_disconnected(self) -> None:
        self._gateway_is_ready_ = self._feed_is_live_ = False

    def on_start(self, params: str) -> None:
        self._is_stopping_ = self._is_stopped_ = False
        self._pauses_ = 0  # the timers that would have ended them went with the last stop
        self.subscribe_()

    def on_instruments(self, instruments: Iterable[Instrument]) -> None:
        self._instruments_ = list(instruments)
        if self._instrument_id_:  # told again, because a rule has changed
            self.choose_instrument_()

    def on_strat_params_update(self, strat_params: Mapping[str, Any]) -> None:
        before = self._settings_
        self.configure_(strat_params)
        if (self._settings_.exchange, self._settings_.instrument) != (before.exchange, before.instrument):
            self.subscribe_()
        self.choose_instrument_()
        self.act_()

    def on_stop(self, params: str) -> None:
        self._is_stopping_ = True
        self.act_()

    # -- market data and connections ---------------------------------------------------------------------------

    def on_best_bid_level_update(
        self, exchange: Exchange, instrument_id: int, price: Price, qty: Qty, recv_ts: int
    ) -> None:
        self.update_top_(Side.Buy, exchange, instrument_id, Level(price, qty))

    def on_best_ask_level_update(
        self, exchange: Exchange, instrument_id: int, price: Price, qty: Qty, recv_ts: int
    ) -> None:
        self.update_top_(Side.Sell, exchange, instrument_id, Level(price, qty))

    def update_top_(self, side: Side, exchange: Exchange, instrument_id: int, level: Level) -> None:
        if exchange is self._exchange_ and instrument_id == self._instrument_id_:
            self._top_[side] = level
            self.act_()

    def on_feed_handler_status(self, exchange: Exchange, status: FeedHandlerStatus, detail: str) -> None:
        if exchange is self._exchange_:
            self._feed_is_live_ = status is FeedHandlerStatus.SnapshotEnd
            if status is FeedHandlerStatus.SnapshotStart:
                self._top_.clear()
            self.act_()

    def on_gateway_status(self, exchange: Exchange, status: GtwStatus, detail: str) -> None:
        if exchange is self._exchange_:
            self._gateway_is_ready_ = status is GtwStatus.ReadyToTrade
            self.act_()

    def on_rate_limit_info(
        self, exchange: Exchange, rate_limit: int, rate_remaining: int, reset_ts: int
    ) -> None:
        if rate_remaining * 10 <= rate_limit:
            self.pause_(PAUSE_MS)

    def on_unsupported_op(self, exchange: Exchange | None, unsupported_msg_type: str) -> None:
        if unsupported_msg_type == "ModifyOrder":
            self._can_modify_ = False
            for order in self._order_mgr_.get_open_orders():
                self._order_mgr_.apply_modify_order_reject(client_id=order.get_client_id())

    def on_request_reject(
        self, exchange: Exchange, reject_code: GtwRejectCode, detail: str, rejected_rqst_type: str
    ) -> None:
        log.error("%s refused: %s %s", rejected_rqst_type, reject_code.name, detail)

    # -- orders ------------------------------------------------------------------------------------------------

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
        self._order_mgr_.apply_new_order_ack(
            client_id=client_id, exchange_id=exchange_id, price=price, leaves_qty=leaves_qty
        )
        self.act_()

    def on_modify_order_ack(
        self,
        exchange: Exchange,
        client_id: str,
        new_price: Price | None,
        new_qty: Qty | None,
        leaves_qty: Qty,
    ) -> None:
        self._order_mgr_.apply_modify_order_ack(client_id=client_id, leaves_qty=leaves_qty)
        self.act_()

    def on_cancel_order_ack(self, exchange: Exchange, client_id: str) -> None:
        self._order_mgr_.apply_cancel_order_ack(client_id=client_id)

    def on_new_order_reject(
        self, exchange: Exchange, client_id: str, reject_code: GtwRejectCode, reject_reason: str
    ) -> None:
        self._order_mgr_.apply_new_order_reject(client_id=client_id)
        self.back_off_("new order", client_id, reject_code, reject_reason)

    def on_modify_order_reject(
        self, exchange: Exchange, client_id: str, reject_code: GtwRejectCode, reject_reason: str
    ) -> None:
        self._order_mgr_.apply_modify_order_reject(client_id=client_id)
        self.back_off_("modify", client_id, reject_code, reject_reason)

    def on_cancel_order_reject(
        self,
        exchange: Exchange,
        nullable_client_id: str | None,
        reject_code: GtwRejectCode,
        reject_reason: str,
    ) -> None:
        if nullable_client_id is not None:
            self._order_mgr_.apply_cancel_order_reject(client_id=nullable_client_id)
            self.back_off_("cancel", nullable_client_id, reject_code, reject_reason)

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
        self._order_mgr_.apply_order_execution(
            client_id=client_id, fill_qty=fill_qty, nullable_leaves_qty=leaves_qty
        )
        self._position_.apply_fill(side, price, fill_qty)
        log.debug("%s: %s %s at %s, position %s", client_id, side.name, fill_qty, price, self._position_.size)
        self.act_()

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
        self._order_mgr_.apply_order_cancelled(client_id=client_id)
        self.act_()

    # -- commands ----------------------------------------------------------------------------------------------

    def get_orders_command(self, params: list[str]) -> str:
        """List the open orders, one a line."""
        return "\n".join(str(order) for order in self._order_mgr_.get_open_orders()) or "no open orders"

    def get_position_command(self, params: list[str]) -> str:
        """Tell the position and its average price."""
        return f"position {self._position_.size} at {self._position_.avg_price or 'no price'}"

    def get_pnl_command(self, params: list[str]) -> str:
        """Tell the profit so far, before fees; what is open counts at the price it could be closed at."""
        side = Side.Buy if self._position_.size.sign() > 0 else Side.Sell
        mark = self._top_.get(side)
        unrealised = "unknown" if mark is None else self._position_.unrealised(mark.price)
        return f"realised {self._position_.realised}, unrealised {unrealised}"

    def hooked_command_test(self, params: list[str]) -> str:
        """Show that commands arrive, and how."""
        return f"test: {params}"

    # -- what it wants -----------------------------------------------------------------------------------------

    def act_(self) -> None:
        """Bring the open orders in line with what is wanted now."""
        if self._is_stopped_:
            return
        if self._is_stopping_:
            self.finish_stop_()
        elif self._pauses_ or not self._gateway_is_ready_:
            return
        elif not self._feed_is_live_:
            self.cancel_all_open_orders_("no market data")
        elif self.is_market_valid_():
            for side in Side:
                self.quote_(side)

    def quote_(self, side: Side) -> None:
        """Close the gap between the order that is open on a side and the one that is wanted."""
        wanted = self.wanted_order_(side)
        order = self.open_order_(side)
        if order is None:
            # An own order on the other side must be gone before we cross, lest we trade with ourselves.
            if wanted is not None and not (wanted.tif is TIF.IOC and self.open_order_(OPPOSITE[side])):
                self.send_order_(side, wanted)
        elif order.has_any_pending_request() or order.get_tif() is TIF.IOC:
            return  # its answer, or its end, is on the way, and leads back here
        elif wanted is None:
            self.cancel_order_(order, self._instrument_id_, "not wanted")
        elif wanted.tif is TIF.IOC:
            self.cancel_order_(order, self._instrument_id_, "about to cross the spread instead")
        elif not self.is_size_right_(order, wanted):
            self.cancel_order_(order, self._instrument_id_, "wrong size")
        elif order.get_price() != wanted.price:
            self.reprice_(order, wanted.price)

    def wanted_order_(self, side: Side) -> WantedOrder | None:
        """Say what should be open on a side: a closing order, an entry, or nothing."""
        size, top, opposite = self._position_.size, self._top_[side].price, OPPOSITE[side]
        to_close = size if side is Side.Sell else -size
        if to_close.sign() <= 0:
            enough = self._entry_qty_threshold_
            if size:  # where we would want out, we do not want more
                enough = max(enough, self._exit_qty_threshold_)
            if self.size_ahead_(side) < enough:
                return None
            room = self._settings_.max_position - abs(size)
            wanted = WantedOrder(top, min(self._settings_.order_qty, room), TIF.GTC, is_exit=False)
        elif self.size_ahead_(opposite) >= self._exit_qty_threshold_:
            wanted = WantedOrder(top, to_close, TIF.GTC, is_exit=True)
        else:
            wanted = WantedOrder(self._top_[opposite].price, to_close, TIF.IOC, is_exit=True)
        price, qty = self.format_price_and_qty_(wanted.price, wanted.qty, side)
        if qty.sign() <= 0 or qty < self._min_qty_:
            return None  # the venue would not take it
        return wanted._replace(price=price, qty=qty)

    def is_size_right_(self, order: Order, wanted: WantedOrder) -> bool:
        """Tell whether an open order can stay in the place of the wanted one.

        An entry may be smaller: it was filled in part. An exit may be larger, by an entry: it was one, before the
        other side was filled.
        """
        leaves = order.get_leaves_qty()
        if not wanted.is_exit:
            return leaves <= wanted.qty
        entry = min(self._settings_.order_qty, self._settings_.max_position)
        return wanted.qty <= leaves <= wanted.qty + entry

    def open_order_(self, side: Side) -> Order | None:
        """The one order that is open on a side, if any."""
        return next((each for each in self._order_mgr_.get_open_orders() if each.get_side() is side), None)

    def size_ahead_(self, side: Side) -> Qty:
        """Say what others show at the top of a side: the displayed quantity less our own."""
        top, own = self._top_[side], self.open_order_(side)
        if own is None or own.is_new_pending() or own.get_price() != top.price:
            return top.qty
        return top.qty - own.get_leaves_qty()

    def is_market_valid_(self) -> bool:
        """Tell whether both sides are there and do not cross.

        Between the two updates of one message they may seem to.
        """
        bid, ask = self._top_.get(Side.Buy), self._top_.get(Side.Sell)
        if bid is None or ask is None or not bid.qty or not ask.qty:
            return False
        return bid.price < ask.price

    def format_price_and_qty_(self, price: Price, qty: Qty, side: Side) -> tuple[Price, Qty]:
        """Round a price away from the market and a quantity down, to multiples of their ticks."""
        price = price.round_down(self._price_step_) if side is Side.Buy else price.round_up(self._price_step_)
        return price, qty.round_down(self._qty_step_)

    # -- what it sends -----------------------------------------------------------------------------------------

    def send_order_(self, side: Side, wanted: WantedOrder) -> None:
        """Send a new order, if the order manager allows one."""
        exec_instr = ExecInstructions.PostOnly if wanted.tif is TIF.GTC else ExecInstructions.Unset
        order = self._order_mgr_.prepare_new_order(
            instrument_id=self._instrument_id_,
            side=side,
            price=wanted.price,
            qty=wanted.qty,
            exec_instr=exec_instr,
            order_type=OrderType.Limit,
            tif=wanted.tif,
        )
        if order is None:
            return
        log.debug("%s: %s", order, "exit" if wanted.is_exit else "entry")
        self._env_.send_new_order(
            order.get_client_id(),
            self._exchange_,
            self._instrument_id_,
            side,
            wanted.price,
            wanted.qty,
            exec_instr,
            OrderType.Limit,
            wanted.tif,
            False,  # the account may hold more than this position, which is what an exit closes
        )

    def reprice_(self, order: Order, price: Price) -> None:
        """Move an order to another price; where the venue cannot modify, cancel it and come back."""
        if self._can_modify_:
            client_id, side = order.get_client_id(), order.get_side()
            self.modify_order_(client_id, side, price, None, "the top moved", self._exchange_)
        else:
            self.cancel_order_(order, self._instrument_id_, "the top moved")

    def modify_order_(
        self, client_id: str, side: Side, price: Price | None, qty: Qty | None, reason: str, exch: Exchange
    ) -> None:
        """Change an open order, if the order manager allows it; None leaves the price or the quantity."""
        if self._order_mgr_.prepare_modify_order(client_id=client_id, new_price=price, new_qty=qty):
            log.debug("%s: modify %s to %s, %s: %s", client_id, side.name, price, qty, reason)
            self._env_.send_modify_order(exch, client_id, price, qty)

    def cancel_order_(self, order: Order, instrument_id: int, reason: str = "cancel_order") -> None:
        """Cancel an order, if the order manager allows it."""
        if self._order_mgr_.prepare_cancel_order(client_id=order.get_client_id()):
            log.debug("%s: cancel: %s", order.get_client_id(), reason)
            self._env_.send_cancel_order(self._exchange_, instrument_id, order.get_client_id())

    def cancel_all_open_orders_(self, reason: str = "cancel_all") -> None:
        """Cancel the own orders on both sides, one by one: a venue's cancel-all takes other people's, too."""
        for side in Side:
            self.cancel_all_open_orders_on_side_(side, reason)

    def cancel_all_open_orders_on_side_(self, side: Side, reason: str = "cancel_all") -> None:
        """Cancel the own orders on one side."""
        for order in self._order_mgr_.get_open_orders():
            if order.get_side() is side:
                self.cancel_order_(order, self._instrument_id_, reason)

    def finish_stop_(self) -> None:
        """Cancel what is open; acknowledge the stop once nothing is."""
        if self._order_mgr_.get_num_open_orders() == 0:
            self._is_stopped_ = True
            self._env_.send_stop_ack()
        elif not self._pauses_:
            self.cancel_all_open_orders_("stop")

    def back_off_(self, what: str, client_id: str, code: GtwRejectCode, reason: str) -> None:
        """Note a reject, and pause before trying again, so that a lasting cause is not answered with a flood."""
        is_race = code in RACES
        level = logging.DEBUG if is_race else logging.WARNING
        log.log(level, "%s: %s refused: %s %s", client_id, what, code.name, reason)
        self.pause_(RACE_PAUSE_MS if is_race else PAUSE_MS)
        self.act_()

    def pause_(self, duration_ms: int) -> None:
        self._pauses_ += 1
        self._env_.setup_timer(duration_ms, self.resume_)

    def resume_(self) -> None:
        self._pauses_ -= 1
        self.act_()

    # -- settings ----------------------------------------------------------------------------------------------

    def configure_(self, params: Mapping[str, Any]) -> None:
        """Take over settings, all or none; raises ValueError that names the key."""
        params = {**self._params_, **params}
        settings = DemoSettings.from_params(params)
        self._params_, self._settings_ = params, settings
        self._exchange_ = settings.exchange
        self._entry_qty_threshold_ = settings.entry_qty_threshold
        self._exit_qty_threshold_ = settings.exit_qty_threshold

    def subscribe_(self) -> None:
        """Ask for the market data and the order entry it needs."""
        exchange, instrument = self._settings_.exchange, self._settings_.instrument
        self._env_.subscribe_to_market_data(exchange, [instrument], [MDSub.BBO])
        self._env_.request_execution_connection(exchange, [instrument])

    def choose_instrument_(self) -> None:
        """Find the instrument among those of the run, and learn its rules."""
        settings = self._settings_
        found = find_instrument(self._instruments_, settings.exchange, settings.instrument)
        if self._instrument_id_ not in (0, found.get_instrument_id()):
            raise ValueError("DemoStrat: instrument: it cannot be changed after the first start")
        if not self._instrument_id_ and is_inverse(found):
            self._position_ = InversePosition()
        self._instrument_id_ = found.get_instrument_id()
        self._price_step_ = settings.price_tick or found.get_price_tick_rules()
        self._qty_step_ = settings.qty_tick or found.get_quantity_tick_rules()
        self._min_qty_ = found.get_min_quantity() or NOTHING
