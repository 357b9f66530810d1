from typing import final

@final
class NewsQueue: ...
