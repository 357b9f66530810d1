from collections.abc import Callable

CALLBACKS: tuple[str, ...]

def bound_callback(strategy: object, name: str) -> Callable[..., object] | None: ...
