"""The public websockets, one a category and one for the status: clients subscribe to topics and are sent them.

A request with one wrong topic fails whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mlthon.venues.bybit.connection import Connection
from mlthon.venues.bybit.public_topics import Topic
from mlthon.venues.bybit.subscriptions import (
    Request,
    TopicError,
    ack,
    read_request,
    read_topics,
    unknown_topic,
)


class PublicSession:
    """One client on a public stream, whose topics `find` finds by name.

    At most `topic_chars` characters of names may be subscribed to, and at most `args` topics in one request.
    """

    def __init__(
        self,
        connection: Connection,
        find: Callable[[str], Topic | None],
        topic_chars: int,
        args: int | None = None,
    ) -> None:
        self._connection = connection
        self._find = find
        self._topic_chars = topic_chars
        self._args = args
        self._topics: dict[str, Topic] = {}

    def on_message(self, message: Mapping[str, object]) -> None:
        request = read_request(message)
        try:
            if request.op == "subscribe":
                self._subscribe(request)
            elif request.op == "unsubscribe":
                self._unsubscribe(request)
            elif request.op == "ping":
                self._answer(request, True, "pong")
            else:
                self._answer(request, False, f"op: expected subscribe, unsubscribe or ping, got {request.op}")
        except TopicError as wrong:
            self._answer(request, False, str(wrong))

    def on_malformed(self, reason: str) -> None:
        self._answer(Request("", "", None), False, reason)

    def on_closed(self) -> None:
        for topic in self._topics.values():
            topic.remove(self._connection)
        self._topics.clear()

    def _subscribe(self, request: Request) -> None:
        """Answer, and only then send the topics' first messages."""
        found: dict[str, Topic] = {}
        names = read_topics(request)
        if self._args is not None and len(names) > self._args:
            raise TopicError(
                f"args size >{self._args}: expected fewer topics in one request, got {len(names)}"
            )
        for name in names:
            topic = self._find(name)
            if topic is None:
                raise unknown_topic(name)
            if name in self._topics:
                raise TopicError(f"error:already subscribed,topic:{name}")
            found[name] = topic
        chars = sum(map(len, (*self._topics, *found)))
        if chars > self._topic_chars:
            raise TopicError(
                f"args: expected topics of at most {self._topic_chars} characters in all, got {chars}"
            )
        self._answer(request, True)
        for name, topic in found.items():
            self._topics[name] = topic
            topic.add(self._connection)

    def _unsubscribe(self, request: Request) -> None:
        for name in read_topics(request):
            topic = self._topics.pop(name, None)
            if topic is not None:
                topic.remove(self._connection)
        self._answer(request, True)

    def _answer(self, request: Request, success: bool, text: str = "") -> None:
        self._connection.send_json(ack(request, self._connection.id, success, text))
