from typing import Final, Literal

MODE: Final[Literal["release", "checked", "trace"]]
COMPILER: Final[str]
CYTHON: Final[str]

def is_release() -> bool: ...
