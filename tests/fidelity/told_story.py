"""What is compared: every order request of a strategy, and everything it was told of its orders and its account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["Step", "Story"]


class Step(NamedTuple):
    """One request or callback; what it does not have is ""."""

    engine_ns: int
    kind: str
    client_id: str = ""
    side: str = ""
    price: str = ""
    qty: str = ""
    leaves_qty: str = ""
    code: str = ""


class Story:
    """Writes the steps down. Implements `mlthon.engine.ports.Journal`."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def text(self) -> bytes:
        """The story as the bytes of a log, one line a step."""
        return "".join(f"{' '.join(map(str, step))}\n" for step in self.steps).encode()

    def record_request(self, engine_ns: int, name: str, arguments: Mapping[str, object]) -> None:
        read = _REQUESTS.get(name)
        if read is not None:
            self.steps.append(Step(engine_ns, name, *map(_text, read(dict(arguments)))))

    def record_callback(self, engine_ns: int, name: str, arguments: Sequence[object]) -> None:
        read = _CALLBACKS.get(name)
        if read is not None:
            self.steps.append(Step(engine_ns, name, *map(_text, read(*arguments))))


def _text(value: object) -> str:
    return "" if value is None else str(getattr(value, "name", value))


def _new(asked: dict[str, Any]) -> tuple[object, ...]:
    kind = f"{_text(asked['ord_type'])}/{_text(asked['time_in_force'])}/{_text(asked['exec_instr'])}"
    flags = f"{kind}/{'reduce' if asked['close_position'] else ''}"
    return asked["client_id"], asked["side"], asked["price"], asked["qty"], None, flags


_REQUESTS: Mapping[str, Any] = {
    "send_new_order": _new,
    "send_modify_order": lambda asked: (
        asked["client_ord_id"],
        None,
        asked["new_price"],
        asked["new_qty"],
    ),
    "send_cancel_order": lambda asked: (asked["client_ord_id"],),
    "send_cancel_all": lambda asked: (),
}

_CALLBACKS: Mapping[str, Any] = {
    "on_new_order_ack": lambda _, name, _id, _n, side, price, qty, leaves, *__: (
        name,
        side,
        price,
        qty,
        leaves,
    ),
    "on_new_order_reject": lambda _, name, code, _why: (name, None, None, None, None, code),
    "on_modify_order_ack": lambda _, name, price, qty, leaves: (name, None, price, qty, leaves),
    "on_modify_order_reject": lambda _, name, code, _why: (name, None, None, None, None, code),
    "on_cancel_order_ack": lambda _, name: (name,),
    "on_cancel_order_reject": lambda _, name, code, _why: (name, None, None, None, None, code),
    "on_cancel_all_ack": lambda *_: (),
    "on_cancel_all_reject": lambda _, _n, code, _why: ("", None, None, None, None, code),
    "on_order_execution": lambda _, name, side, price, qty, leaves, *__: (name, side, price, qty, leaves),
    "on_position_info": lambda _, _n, position: ("", None, None, position),
    "on_wallet_info": lambda _, coin, total, available: (coin, None, None, total, available),
    "on_rate_limit_info": lambda _, limit, remaining, reset: ("", None, reset, limit, remaining),
    "on_order_cancelled": lambda _, name, unsolicited, _ms, _recv, code, why: (
        name,
        None,
        None,
        None,
        None,
        f"{_text(code)}{'/unsolicited' if unsolicited else ''}/{why}",
    ),
}
