from typing import final

@final
class QueuedOrder: ...

@final
class QueuePool: ...
