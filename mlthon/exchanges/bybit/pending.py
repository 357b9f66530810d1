"""Requests that were made and whose effect has not been seen, and the messages that carried them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TypeAlias

from mlthon.engine.ports import (
    CancelOrderRequest,
    ModifyOrderRequest,
    NewOrderRequest,
    OrderReport,
    RequestKind,
)
from mlthon.exchanges.bybit.codec.fields import Json
from mlthon.exchanges.bybit.order_routes import Route

__all__ = ["Message", "Pending"]

Request: TypeAlias = NewOrderRequest | ModifyOrderRequest | CancelOrderRequest


@dataclass(slots=True, eq=False)
class Message:
    """What went to the venue as one message: a request, or a batch of cancels."""

    req_id: str
    route: Route
    members: list[Pending]


@dataclass(slots=True, eq=False)
class Pending:
    """A request whose effect has not been seen."""

    kind: RequestKind
    request: Request
    fields: Json = field(default_factory=dict)  # in the venue's words
    message: Message | None = None  # None: not sent yet
    sent_at: float = 0.0  # loop time
    taken: bool = False  # the venue said that it took it
    told: bool = False  # the listener had its one answer
    done: bool = False
    then: list[Pending] = field(default_factory=list)  # cancels of the order that is on its way
    due_at: float = 0.0  # loop time: when it is asked after
    inquiry: asyncio.Task[None] | None = None

    @property
    def wire_id(self) -> str:
        return self.request.wire_id

    @property
    def order_key(self) -> str:
        if isinstance(self.request, NewOrderRequest):
            return self.request.wire_id
        return self.request.wire_id or self.request.exchange_id

    @property
    def exchange_id(self) -> str:
        return "" if isinstance(self.request, NewOrderRequest) else self.request.exchange_id

    def is_shown_by(self, report: OrderReport) -> bool:
        """Whether this is a modify, and a report shows that it was carried out."""
        asked = self.request
        if not isinstance(asked, ModifyOrderRequest):
            return False
        return asked.new_price in (None, report.price) and asked.new_qty in (None, report.qty)
