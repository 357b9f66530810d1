from typing_extensions import disjoint_base

from mlthon._core.joined_book import JoinedBook
from mlthon._core.market_event import DepthUpdate, PublicTrade

@disjoint_base
class FollowedMarket(JoinedBook):
    @property
    def crossed_updates(self) -> int: ...
    def apply_depth(self, update: DepthUpdate) -> None: ...
    def apply_trade(self, trade: PublicTrade) -> None: ...
