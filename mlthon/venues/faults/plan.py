"""A fault plan: what goes wrong, to which messages, and when.

    FaultPlan
    └── faults, each one of
        ├── MessageFault    drop, delay, duplicate, reorder, truncate, corrupt, cut, hang,
        │                   http_error, refuse, throttle, lose_ack, refuse_login
        └── VenueFault      restart, disconnect, outage, maintenance, skew_clock, fill_while_disconnected

A message fault hits messages of one channel and direction whose kind fits a pattern. When it does is said by at most
one of ``at_s``, ``nth``, ``every`` and ``probability``; without, it hits all of them. A fault of the venue as a whole
needs one of them, and counts the messages that ``after`` describes. With ``after``, a message fault counts those as
well, and hits the next message of its own.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "Channel",
    "Corrupt",
    "Cut",
    "Delay",
    "Direction",
    "Disconnect",
    "Drop",
    "Duplicate",
    "Fault",
    "FaultPlan",
    "FillWhileDisconnected",
    "Hang",
    "HttpError",
    "LoseAck",
    "Maintenance",
    "MessageFault",
    "Messages",
    "Outage",
    "Refuse",
    "RefuseLogin",
    "Reorder",
    "Restart",
    "SkewClock",
    "Throttle",
    "Truncate",
    "VenueFault",
]

Milliseconds: TypeAlias = Annotated[float, Field(gt=0, le=600_000)]

_BAD_KEY = 10003


class Channel(Enum):
    """Where a message travels."""

    Rest = "rest"
    Public = "public"
    Private = "private"
    Trade = "trade"


class Direction(Enum):
    """Which way a message travels, as the venue sees it."""

    In = "in"  # a request
    Out = "out"  # an answer, or news


ALL_CHANNELS = tuple(Channel)
_SOCKETS = frozenset(
    (channel, way) for channel in Channel for way in Direction if channel is not Channel.Rest
)
_NOT_INTO_REST = _SOCKETS | {(Channel.Rest, Direction.Out)}
_EVERYWHERE = _NOT_INTO_REST | {(Channel.Rest, Direction.In)}
_REST = _EVERYWHERE - _SOCKETS
_REQUESTS = frozenset({(Channel.Rest, Direction.In), (Channel.Trade, Direction.In)})
_ANSWERS = frozenset({(Channel.Rest, Direction.Out), (Channel.Trade, Direction.Out)})
_LOGINS = frozenset({(Channel.Private, Direction.In), (Channel.Trade, Direction.In)})


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Messages(_Model):
    """Messages to look for: a channel (all, unless one is named), a direction, and a pattern for their kind.

    The kind of a message is its topic (``orderbook.50.BTCUSDT``, ``execution``), else its operation
    (``order.create``, ``auth``); of a REST request its path, written the same way: ``order.create`` for
    ``/v5/order/create``.
    """

    channel: Channel | None = None
    direction: Direction = Direction.In
    kind: str = "*"  #: with the wildcards of file names


class _Planned(_Model):
    """When a fault comes about."""

    after: Messages | None = None
    at_s: Annotated[float, Field(ge=0)] | None = None  #: since the venue was started
    nth: Annotated[int, Field(ge=1)] | None = None
    every: Annotated[int, Field(ge=1)] | None = None
    probability: Annotated[float, Field(gt=0, le=1)] | None = None
    times: Annotated[int, Field(ge=1)] | None = None  #: at most; 1 with at_s and nth, else without end

    @property
    def triggers(self) -> list[str]:
        """The names of what says when."""
        return [name for name in ("at_s", "nth", "every", "probability") if getattr(self, name) is not None]

    @model_validator(mode="after")
    def _one_trigger(self) -> _Planned:
        if len(self.triggers) > 1:
            raise ValueError(f"expected one of at_s, nth, every, probability, got {', '.join(self.triggers)}")
        if self.at_s is not None and self.after is not None:
            raise ValueError("after: expected nth, every or probability with it, got at_s")
        return self


class MessageFault(_Planned):
    """A fault of single messages: those of a channel and direction whose kind fits."""

    possible: ClassVar[Collection[tuple[Channel, Direction]]] = _EVERYWHERE

    channel: Channel
    direction: Direction = Direction.Out
    kind: str = "*"

    @model_validator(mode="after")
    def _is_possible(self) -> MessageFault:
        if self.after is not None and not self.triggers:
            raise ValueError("after: expected nth, every or probability with it, got none")
        if (self.channel, self.direction) not in self.possible:
            places = sorted(f"{channel.value} {way.value}" for channel, way in self.possible)
            got = f"{self.channel.value} {self.direction.value}"
            raise ValueError(f"channel and direction: expected one of {', '.join(places)}, got {got}")
        return self


class VenueFault(_Planned):
    """A fault of the venue as a whole."""

    @model_validator(mode="after")
    def _has_trigger(self) -> VenueFault:
        if not self.triggers:
            raise ValueError("expected one of at_s, nth, every, probability, got none")
        if self.at_s is None and self.after is None:
            raise ValueError(f"{self.triggers[0]}: expected after, which says what is counted, with it")
        return self


# -- faults of messages ----------------------------------------------------------------------------------------


class Drop(MessageFault):
    """The message is lost. A REST request is not carried out (``in``), or carried out (``out``), and hung up on."""

    fault: Literal["drop"] = "drop"


class Delay(MessageFault):
    """The message, and what comes after it on its connection, is late."""

    fault: Literal["delay"] = "delay"
    delay_ms: Milliseconds


class Duplicate(MessageFault):
    """The message comes twice."""

    possible = _SOCKETS

    fault: Literal["duplicate"] = "duplicate"


class Reorder(MessageFault):
    """The message lets others of its connection overtake it: that many, or those that come within a time."""

    possible = _SOCKETS

    fault: Literal["reorder"] = "reorder"
    behind: Annotated[int, Field(ge=1, le=100)] = 1
    within_ms: Milliseconds = 200.0


class Truncate(MessageFault):
    """Only the beginning of the message comes, in a frame that is whole."""

    possible = _NOT_INTO_REST

    fault: Literal["truncate"] = "truncate"


class Corrupt(MessageFault):
    """Some of its characters are replaced by control characters, which no JSON may hold: it can be told."""

    possible = _NOT_INTO_REST

    fault: Literal["corrupt"] = "corrupt"


class Cut(MessageFault):
    """The connection ends in the middle of the message; one that was to come in is lost."""

    possible = _NOT_INTO_REST

    fault: Literal["cut"] = "cut"


class Hang(MessageFault):
    """From this message on the connection stays open, and nothing goes through it any more."""

    fault: Literal["hang"] = "hang"


class HttpError(MessageFault):
    """A REST request is answered with an HTTP status: not carried out (``in``), or carried out (``out``)."""

    possible = _REST

    fault: Literal["http_error"] = "http_error"
    channel: Channel = Channel.Rest
    direction: Direction = Direction.In
    status: Annotated[int, Field(ge=400, le=599)] = 502


class Refuse(MessageFault):
    """A request is answered with a code of the venue: not carried out (``in``), or carried out (``out``)."""

    possible = _REQUESTS | _ANSWERS

    fault: Literal["refuse"] = "refuse"
    direction: Direction = Direction.In
    kind: str = "order.*"
    code: int
    text: str = "refused by the fault plan"


class Throttle(MessageFault):
    """A request is not carried out and answered with 10006, as if the rate limit were reached."""

    possible = _REQUESTS

    fault: Literal["throttle"] = "throttle"
    direction: Direction = Direction.In
    kind: str = "order.*"
    code: Literal[10006] = 10006
    text: str = "Too many visits. Exceeded the API Rate Limit."


class LoseAck(MessageFault):
    """The answer to an order that was taken is lost; the order lives."""

    possible = _ANSWERS

    fault: Literal["lose_ack"] = "lose_ack"
    channel: Channel = Channel.Trade
    direction: Direction = Direction.Out
    kind: str = "order.create"


class RefuseLogin(MessageFault):
    """A login is refused."""

    possible = _LOGINS

    fault: Literal["refuse_login"] = "refuse_login"
    direction: Direction = Direction.In
    kind: Literal["auth"] = "auth"
    code: int = _BAD_KEY
    text: str = "API key is invalid"


# -- faults of the venue ---------------------------------------------------------------------------------------


class Restart(VenueFault):
    """Book messages are numbered from 1 again; every websocket ends, unless it says otherwise."""

    fault: Literal["restart"] = "restart"
    drop_connections: bool = True


class Disconnect(VenueFault):
    """The websockets of some channels end without a word."""

    fault: Literal["disconnect"] = "disconnect"
    channels: tuple[Channel, ...] = ALL_CHANNELS


class Outage(VenueFault):
    """Some channels cannot be reached for a while: websockets end, and whoever asks is answered HTTP 503."""

    fault: Literal["outage"] = "outage"
    channels: tuple[Channel, ...] = ALL_CHANNELS
    for_ms: Milliseconds


class Maintenance(VenueFault):
    """No requests are taken for a while, and it is announced."""

    fault: Literal["maintenance"] = "maintenance"
    for_ms: Milliseconds


class SkewClock(VenueFault):
    """The clock of the venue's servers, but not of its matching, steps; and steps back after `for_ms`, if given."""

    fault: Literal["skew_clock"] = "skew_clock"
    by_ms: Annotated[float, Field(ge=-3_600_000, le=3_600_000)]
    for_ms: Milliseconds | None = None


class FillWhileDisconnected(VenueFault):
    """The private websockets cannot be reached for a while, during which an open order is filled, if there is one."""

    fault: Literal["fill_while_disconnected"] = "fill_while_disconnected"
    for_ms: Milliseconds = 200.0


Fault: TypeAlias = (
    Drop
    | Delay
    | Duplicate
    | Reorder
    | Truncate
    | Corrupt
    | Cut
    | Hang
    | HttpError
    | Refuse
    | Throttle
    | LoseAck
    | RefuseLogin
    | Restart
    | Disconnect
    | Outage
    | Maintenance
    | SkewClock
    | FillWhileDisconnected
)


class FaultPlan(_Model):
    """All that is to go wrong. The same plan meets the same messages in the same way: its draws are its seed's.

    >>> FaultPlan(seed=7, faults=[LoseAck(nth=3), Restart(at_s=5)]).faults[1].drop_connections
    True
    >>> FaultPlan.model_validate({"faults": [{"fault": "delay", "channel": "private", "delay_ms": 50, "every": 4}]})
    ... # doctest: +ELLIPSIS
    FaultPlan(seed=0, faults=(Delay(after=None, at_s=None, nth=None, every=4, ...
    """

    seed: int = 0
    faults: tuple[Annotated[Fault, Field(discriminator="fault")], ...] = ()
