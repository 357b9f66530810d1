from typing import Final, Literal

MODE: Final[Literal["release", "checked", "trace"]]

def is_release() -> bool: ...
