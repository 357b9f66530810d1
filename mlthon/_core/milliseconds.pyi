from typing import final

@final
class Milliseconds:
    def __init__(self) -> None: ...
