"""A strategy as they were written for the older generation of MLThon.

Symbols stand where ids stand now (``symbol``, ``product``), requests are made with the older keywords, newer
callbacks are missing, and timers are set before the login. It trades BTC-USDT on Bybit in rounds: rest an order far
below the market, cancel it, buy at the offer, sell at the bid. What it saw is in its attributes.
"""

from __future__ import annotations

from mlthon import TickUnit
from mlthon.api.istrat_env import MDSub
from mlthon.api.istrategy import IStrategy
from mlthon.basics.defs import (
    TIF,
    Exchange,
    ExecInstructions,
    FeedHandlerStatus,
    GtwStatus,
    OrderType,
    Side,
)
from mlthon.basics.tick_format import TickFormat
from mlthon.order.books.level_book import LevelBook
from mlthon.order.order_mgr import OrderMgr

SYMBOL = "BTC-USDT"
TICK = 0.1
LOT = 0.001
QTY = 0.01
CHECK_MS = 50


class LegacyStrategy(IStrategy):
    """Rounds of rest, cancel, buy, sell, until `rounds_wanted` are done."""

    def __init__(self):
        self._env_ = None
        self._order_mgr_ = OrderMgr("lgc")
        self._book_ = LevelBook()
        self._ready_ = False
        self._stopping_ = False
        self._book_is_whole_ = False
        self._next_step_ = self.rest_
        self.rounds_wanted = 2
        self.rounds = 0
        self.position = 0.0
        self.last_trade_price = None
        self.seen = []  # names of the callbacks that came, repeats left out
        self.products = set()  # what came where older strategies expect a product or symbol
        self.sent, self.acked, self.cancelled = [], [], []
        self.fills = []  # (client_id, side, price, fill_qty, leaves_qty)
        self.rejects = []  # (what, client_id, reject_code, reject_reason)
        self.command_params = []

    @property
    def done(self):
        return self.rounds >= self.rounds_wanted

    # -- lifecycle

    def on_framework_connected(self, env):
        self.note_("on_framework_connected")
        self._env_ = env
        self._env_.setup_timer(CHECK_MS, self.on_check)
        self._env_.setup_timer(CHECK_MS, self.on_timer_that_ends)
        self._env_.add_cmd_hook("python_new_order", self.new_order_hook)
        self._env_.add_cmd_hook("get_position", self.get_position_hook)
        self._env_.login("legacy_strat")

    def on_framework_disconnected(self):
        self.note_("on_framework_disconnected")

    def on_start(self, params):
        self.note_("on_start")
        self.start_params = "params: " + params
        self._stopping_ = False
        self._env_.subscribe_to_market_data(Exchange.Bybit, [SYMBOL], [MDSub.LevelBook, MDSub.PublicTrades])
        self._env_.request_execution_connection(Exchange.Bybit, [SYMBOL])

    def on_stop(self, params):
        self.note_("on_stop")
        self._stopping_ = True
        for order in list(self._order_mgr_.get_open_orders()):
            self.cancel_(order.get_client_id())
        self._env_.publish_telegram("```\nstopped after " + str(self.rounds) + " rounds\n```")
        self._env_.send_stop_ack()

    def on_gateway_status(self, exchange, status, detail):
        self.note_("on_gateway_status")
        self._ready_ = status == GtwStatus.ReadyToTrade

    def on_feed_handler_status(self, exchange, status, detail):
        self.note_("on_feed_handler_status")
        if status == FeedHandlerStatus.SnapshotStart:
            self._book_.clear()
        self._book_is_whole_ = status == FeedHandlerStatus.SnapshotEnd

    # -- trading

    def on_check(self):
        self.note_("on_check")
        _, bid = self._book_.get_best_bid_lvl()
        _, ask = self._book_.get_best_ask_lvl()
        if self._ready_ and self._book_is_whole_ and bid and ask and not self.done and not self._stopping_:
            self._next_step_(bid, ask)
        return True

    def on_timer_that_ends(self):
        self.note_("on_timer_that_ends")

    def rest_(self, bid, ask):
        if self._order_mgr_.get_num_open_orders() == 0:
            self.send_(Side.Buy, bid.get_price().to_float() * 0.99, TIF.GTC, ExecInstructions.PostOnly)
        self._next_step_ = self.cancel_resting_

    def cancel_resting_(self, bid, ask):
        for order in list(self._order_mgr_.get_open_orders()):
            self.cancel_(order.get_client_id())
        if self._order_mgr_.get_num_open_orders() == 0:
            self._next_step_ = self.buy_

    def buy_(self, bid, ask):
        if self.position > 0:
            self._next_step_ = self.sell_
        elif self._order_mgr_.get_num_open_orders() == 0:
            self.send_(Side.Buy, ask.get_price().to_float() * 1.001, TIF.IOC, ExecInstructions.Unset)

    def sell_(self, bid, ask):
        if self.position <= 0:
            self.rounds += 1
            self._next_step_ = self.rest_
        elif self._order_mgr_.get_num_open_orders() == 0:
            self.send_(Side.Sell, bid.get_price().to_float() * 0.999, TIF.IOC, ExecInstructions.Unset)

    def send_(self, side, price_float, tif, exec_instr):
        if side == Side.Buy:
            price = TickFormat.price_up_from_float(price_float, tick_size=TICK, tick_unit=TickUnit.Cent)
        else:
            price = TickFormat.price_down_from_float(price_float, tick_size=TICK, tick_unit=TickUnit.Cent)
        size = self.position if side == Side.Sell else QTY
        qty = TickFormat.qty_down_from_float(size, tick_size=LOT, tick_unit=TickUnit.Lot)
        order = self._order_mgr_.prepare_new_order(
            symbol=SYMBOL,
            side=side,
            price=price,
            qty=qty,
            exec_instr=exec_instr,
            order_type=OrderType.Limit,
            tif=tif,
            nullable_attachment=None,
        )
        if not order:
            return
        self._env_.send_new_order(
            client_id=order.get_client_id(),
            side=side,
            price=price,
            qty=qty,
            exec_instr=exec_instr,
            exchange=Exchange.Bybit,
            symbol=SYMBOL,
            ord_type=OrderType.Limit,
            time_in_force=tif,
        )
        self.sent.append("order " + order.get_client_id())

    def cancel_(self, client_id):
        if self._order_mgr_.prepare_cancel_order(client_id=client_id):
            self._env_.send_cancel_order(Exchange.Bybit, SYMBOL, client_id)

    # -- orders

    def on_new_order_ack(
        self,
        exchange,
        client_id,
        exchange_id,
        product,
        side,
        price,
        qty,
        leaves_qty,
        order_type,
        tif,
        exec_instr,
    ):
        self.note_("on_new_order_ack")
        self.products.add(product)
        self.acked.append(client_id)
        order = self._order_mgr_.get_order_with_client_id(client_id)
        self._order_mgr_.apply_new_order_ack(
            client_id=client_id,
            exchange_id=exchange_id,
            price=price,
            leaves_qty=order.get_pending_qty() or leaves_qty,
        )

    def on_cancel_order_ack(self, exchange, client_id):
        self.note_("on_cancel_order_ack")
        self._order_mgr_.apply_cancel_order_ack(client_id=client_id)

    def on_new_order_reject(self, exchange, client_id, reject_code, reject_reason):
        self.note_("on_new_order_reject")
        self.rejects.append(("new", client_id, reject_code, reject_reason))
        self._order_mgr_.apply_new_order_reject(client_id=client_id)

    def on_cancel_order_reject(self, exchange, client_id, reject_code, reject_reason):
        self.note_("on_cancel_order_reject")
        self.rejects.append(("cancel", client_id, reject_code, reject_reason))
        self._order_mgr_.apply_cancel_order_reject(client_id=client_id)

    def on_order_execution(self, exchange, client_id, side, price, fill_qty, leaves_qty, exec_ts, recv_ts):
        self.note_("on_order_execution")
        self.fills.append((client_id, side, price, fill_qty, leaves_qty))
        signed = fill_qty.to_float() if side == Side.Buy else -fill_qty.to_float()
        self.position = round(self.position + signed, 3)
        self._order_mgr_.apply_order_execution(
            client_id=client_id, fill_qty=fill_qty, nullable_leaves_qty=leaves_qty
        )

    def on_order_cancelled(
        self, exchange, client_id, unsolicited, engine_ts, recv_ts, cancel_code, cancel_reason
    ):
        self.note_("on_order_cancelled")
        self.cancelled.append(client_id)
        self._order_mgr_.apply_order_cancelled(client_id=client_id)

    # -- market data

    def on_add_level(self, exchange, symbol, side, level_id, price, qty, recv_ts):
        self.note_("on_add_level")
        self.products.add(symbol)
        self._book_.add_lvl(level_id, side, price, qty)

    def on_modify_level(self, exchange, symbol, side, level_id, new_qty, recv_ts):
        self.note_("on_modify_level")
        self._book_.modify_lvl_qty(level_id, new_qty)

    def on_delete_level(self, exchange, symbol, side, level_id, recv_ts):
        self.note_("on_delete_level")
        self._book_.delete_lvl(level_id)

    def on_public_trade(self, exchange, symbol, side, price, qty, exec_ts, recv_ts):
        self.note_("on_public_trade")
        self.last_trade_price = price.to_float()

    # -- commands

    def new_order_hook(self, params):
        self.command_params.append(params)
        self._next_step_ = self.rest_

    def get_position_hook(self, params):
        self.command_params.append(params)
        return "position " + str(self.position)

    def note_(self, callback):
        if callback not in self.seen:
            self.seen.append(callback)
