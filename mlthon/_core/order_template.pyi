from typing import final

from mlthon._core.order_messages import NewOrderRequest

@final
class OrderTemplate: ...

@final
class OrderTemplates:
    def learn(self, request: NewOrderRequest, parts: tuple[bytes, ...]) -> None: ...
    def fill(self, request: NewOrderRequest, req_id: str, timestamp_ms: int) -> bytes | None: ...
