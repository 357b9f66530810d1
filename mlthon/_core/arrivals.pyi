from typing import final

@final
class ArrivalQueue: ...
