from typing import final

from mlthon._core.dispatch import Dispatcher
from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.price_book import PriceLevelBook
from mlthon.basics.defs import Exchange

@final
class InstrumentFeed:
    price_levels: bool
    levels: bool
    bbo: bool
    trades: bool
    @property
    def exchange(self) -> Exchange: ...
    @property
    def instrument_id(self) -> int: ...
    @property
    def book(self) -> PriceLevelBook: ...
    @property
    def keeps_book(self) -> bool: ...
    def __init__(
        self, dispatcher: Dispatcher, exchange: Exchange, instrument_id: int, *, level_id_decimals: int = 4
    ) -> None: ...
    def apply(self, update: DepthUpdate, tell: bool) -> bool: ...
    def replay(self, recv_ms: int) -> None: ...
    def trade(self, trade: PublicTrade) -> None: ...
