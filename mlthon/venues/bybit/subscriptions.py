"""What the public and the private stream share: requests with ``op``, ``args`` and ``req_id``, and their answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlthon.venues.bybit.account_messages import Json
from mlthon.venues.bybit.params import shorten

_LONGEST_OP = 64
_LONGEST_TOPIC = 100


@dataclass(frozen=True, slots=True)
class Request:
    """One message of a client, with whatever it had in its fields."""

    op: str
    req_id: str | int
    args: object


class TopicError(Exception):
    """A request that subscribes to something wrong; the text names it."""


def read_request(message: Mapping[str, object]) -> Request:
    """The parts of a message; what has the wrong type is read as absent, and refused by its name later."""
    op, req_id = message.get("op"), message.get("req_id")
    if not isinstance(req_id, (str, int)):
        req_id = ""  # any length is echoed: some clients join all their topics to make one
    is_op = isinstance(op, str) and len(op) <= _LONGEST_OP
    return Request(str(op) if is_op else shorten(op), req_id, message.get("args"))


def read_topics(request: Request) -> list[str]:
    """The topics of a subscribe or unsubscribe request, each once; raises TopicError."""
    args = request.args
    if not isinstance(args, list) or not args or not all(isinstance(topic, str) for topic in args):
        raise TopicError(f"args: expected a list of topics, got {shorten(args)}")
    return list(dict.fromkeys(args))


def unknown_topic(name: str) -> TopicError:
    return TopicError(f"error:handler not found,topic:{name[:_LONGEST_TOPIC]}")


def ack(request: Request, conn_id: str, success: bool, text: str = "") -> Json:
    """The answer to a request; ``req_id`` is echoed, because clients find their request by it."""
    return {
        "success": success,
        "ret_msg": text,
        "conn_id": conn_id,
        "req_id": request.req_id,
        "op": request.op,
    }
