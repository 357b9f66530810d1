"""MLThon: `Backtest` over the tape, with every default: 5 ms each way, fees, queues, limits, ledgers."""

import resource
import sys
from pathlib import Path
from typing import Any

from turns import serve

from mlthon.api.istrat_env import IStratEnv
from mlthon.backtest.backtest import Backtest

WORK, TAPE = sys.argv[1], Path(sys.argv[2])


class Empty:
    """Does nothing with what it is told; it is given what it has callbacks for."""

    def on_framework_connected(self, env: IStratEnv) -> None:
        self.env = env
        env.login("bench")

    def on_start(self, *_args: Any) -> None: ...

    def on_stop(self, *_args: Any) -> None:
        self.env.send_stop_ack()

    def on_gateway_status(self, exchange, status, detail): ...

    def on_feed_handler_status(self, exchange, status, detail): ...


class Best(Empty):
    def on_best_bid_level_update(self, exchange, instrument_id, price, qty, recv_ts): ...

    def on_best_ask_level_update(self, exchange, instrument_id, price, qty, recv_ts): ...

    def on_public_trade(self, exchange, instrument_id, side, price, qty, exec_ts, recv_ts): ...


class Levels(Empty):
    def on_add_price_level(self, exchange, instrument_id, side, price, qty, recv_ts): ...

    def on_modify_price_level(self, exchange, instrument_id, side, price, qty, recv_ts): ...

    def on_delete_price_level(self, exchange, instrument_id, side, price, recv_ts): ...

    def on_public_trade(self, exchange, instrument_id, side, price, qty, exec_ts, recv_ts): ...


STRATEGIES = {"best": Best, "levels": Levels}


def prepare() -> Backtest:
    backtest = Backtest([TAPE], STRATEGIES[WORK]())
    backtest.load()
    return backtest


def seen(backtest: Backtest) -> dict[str, Any]:
    backtest.close()
    facts = backtest.result().facts
    [connector] = backtest.connectors
    book = connector.sim.book("BTCUSDT")
    return {
        "events": facts.levels + facts.trades,
        "callbacks": facts.callbacks,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "top": [
            level.get_price().to_float()
            for side in (book.bids(), book.asks())
            for level in [next(iter(side))]
        ],
    }


serve(prepare, Backtest.play, seen)
