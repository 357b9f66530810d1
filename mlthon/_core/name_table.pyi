from typing import final

@final
class NameTable: ...
