"""The loop of a backtest: tapes merged by time, one simulated clock, and all that is due between their events.

What is due at one moment happens in a fixed order: the run's own record, the strategy's timers, what exchanges do by
the clock, private messages (requests and reports), market data on its way to the strategy, and last the next event
of a tape. Within each of these it is first come, first served; of two tapes, the one that was added first.

Invariants: the clock never runs backwards; nothing happens before it is due; what is due is done before anything
later. Same tapes, same calls, same run: there is no randomness and no other clock.
"""

cimport cython
from libc.stdint cimport INT64_MAX, int64_t
from libc.string cimport memcmp, memcpy

from mlthon._core.arrivals cimport ArrivalQueue
from mlthon._core.book_side cimport BookSide, Level, Place
from mlthon._core.event_ring cimport EventRing
from mlthon._core.followed_market cimport FollowedMarket
from mlthon._core.market_event cimport DepthUpdate, PublicTrade, depth_update_from
from mlthon._core.order_change cimport OrderChange, RateUpdate
from mlthon._core.price_book cimport PriceLevelBook
from mlthon._core.recipient cimport CALL, NEWS_ARRIVED, Caller, Recipient
from mlthon._core.sim_clock cimport SimClock
from mlthon._core.tape_cursor cimport BROKEN, DEPTH, END, ORDER_ADD, ORDER_DELETE, TRADE, TapeCursor
from mlthon._core.tape_orders cimport TapeOrders

from mlthon.errors import TapeError

cdef int64_t NEVER = INT64_MAX
cdef tuple EVENTS = (DepthUpdate, PublicTrade, OrderChange, RateUpdate)


@cython.final
cdef class FeedLine:
    """The connection to one exchange's market data: on it, nothing overtakes."""

    def __init__(self, SimClock clock not None):
        self.clock = clock


@cython.final
cdef class MarketView(Recipient):
    """What a strategy sees of one market, and how long that takes to reach it, on the line that its exchange has.

    ``listener`` is told whole messages (`FeedListener`), and asked for the book's own entrance, which takes the short
    way. ``delay`` is asked ``next_ns(now_ns)`` for each message; a delay that is always the same says so in
    ``constant_ns``, and is asked once. ``ask_anew()`` is called when the book that the strategy is told of crosses;
    while `is_lost`, it is called after every change instead of telling the change.
    """

    def __init__(self, instrument_id, listener, delay, ask_anew, FeedLine line not None):
        self.line = line
        self.instrument_id = instrument_id
        self.listener = listener
        constant_ns = getattr(delay, "constant_ns", None)
        self.delay = delay if constant_ns is None else None
        self.delay_ns = 0 if constant_ns is None else constant_ns
        self.ask_anew = ask_anew
        self.bests = EventRing(DepthUpdate)
        self.best = self.bests.free()

    def show_book(self):
        """Send what is displayed from now on; the market has to be watched."""
        self.shows_book = self.engine.is_watched = True

    def open(self, *, bint book, bint trades, bint orders):
        """Say what is wanted; called again, with more."""
        self.wants_book = self.wants_book or book
        self.wants_trades = self.wants_trades or trades
        self.wants_orders = self.wants_orders or orders
        self.feed = self.listener.instrument_feed(self.instrument_id)

    def close(self):
        """Say that nothing is wanted any more."""
        self.wants_book = self.wants_trades = self.wants_orders = False
        self.feed = None

    cdef DepthUpdate moved_best(self):
        """The best displayed levels, if they are others than those last sent."""
        cdef DepthUpdate best = self.best
        cdef Level[2] now
        cdef int side
        cdef int[2] count
        for side in range(2):
            now[side].price = now[side].qty = 0
            count[side] = self.engine.best(side, &now[side].price)
            if count[side]:
                now[side].qty = self.engine.shown(side, now[side].price)
        if not count[0]:
            now[0] = now[1]
        if best.bid_count == count[0] and best.ask_count == count[1] and \
                memcmp(best.levels, now, (count[0] + count[1]) * sizeof(Level)) == 0:
            return None
        best = self.best = self.bests.free()
        best.reserve(2)
        memcpy(best.levels, now, sizeof(now))
        best.bid_count, best.ask_count = count[0], count[1]
        best.is_snapshot = True
        best.venue_ns, best.seq = self.engine.market_ns, self.engine.market_seq
        return best

    cdef int receive(self, int what, object first, object second) except -1:
        return self.tell(first, self.line.clock.ns)

    cdef int64_t arrival_ns(self, int64_t now_ns) except -1:
        """When what is sent now would arrive."""
        return now_ns + (self.delay_ns if self.delay is None else <int64_t>self.delay.next_ns(now_ns))

    cdef int tell(self, object news, int64_t now_ns) except -1:
        if isinstance(news, DepthUpdate):
            return self.tell_depth(news, now_ns)
        if isinstance(news, PublicTrade):
            return self.tell_trade(news, now_ns)
        if isinstance(news, OrderChange):
            return 0 if self.feed is None else self.feed.tell_order_at(news, now_ns)
        news()
        return 0

    cdef int tell_depth(self, DepthUpdate update, int64_t now_ns) except -1:
        if not self.wants_book or (self.feed is not None and self.feed.follow_at(update, now_ns)):
            return 0
        if update.recv_ns != now_ns:
            update = update.copy()
            update.recv_ns = now_ns
        if not self.listener.on_depth(self.instrument_id, update):
            self.ask_anew()
        return 0

    cdef int tell_trade(self, PublicTrade trade, int64_t now_ns) except -1:
        if self.wants_trades and self.feed is not None:
            self.feed.tell_trade_at(trade, now_ns)
        return 0


@cython.final
cdef class Market:
    """One symbol of a simulated exchange, as the loop plays tapes into it.

    ``engine`` is its matching engine; ``catch_up(trade)`` books what an event did to clients, and tells of it;
    ``trade`` is the event if it was a trade, else None. ``tell_rate(rate)`` is told recorded funding rates, mark and
    index prices, each borrowed.
    """

    def __init__(self, FollowedMarket engine not None, catch_up, tell_rate):
        self.engine = engine
        self.catch_up = catch_up
        self.tell_rate = tell_rate

    @property
    def crossed_updates(self) -> int:
        """How many messages left the market's own book crossed."""
        return self.engine.crossed_updates

    def whole_book(self):
        """The displayed book as one message, or None while it is crossed. The engine keeps nothing of it."""
        cdef bint was_kept = self.engine.kept is not None
        cdef PriceLevelBook book = self.engine.displayed
        cdef DepthUpdate whole = depth_update_from(NULL, 0, 0)
        if not was_kept:
            self.engine.kept = None       # else it would be kept up to date, as dear as the market's own
        if book.is_crossed():
            return None
        whole.reserve(book.bid_side.size + book.ask_side.size)
        copy_side(book.bid_side, whole.levels)
        copy_side(book.ask_side, whole.levels + book.bid_side.size)
        whole.bid_count, whole.ask_count = book.bid_side.size, book.ask_side.size
        whole.is_snapshot = True
        whole.venue_ns, whole.seq = self.engine.market_ns, self.engine.market_seq
        self.engine.market_bids.levels.lay_out()      # as the book will be laid out that is made of this
        self.engine.market_asks.levels.lay_out()
        return whole

    def follow_orders(self):
        """Be ready for tapes that tell orders one by one."""
        if self.orders is None:
            self.orders = TapeOrders(self.engine)

    def watch(self, MarketView view not None):
        """Show what happens to a strategy."""
        self.view = view
        view.engine = self.engine


@cython.final
cdef class Lane:
    """One tape being played into one market: a cursor, or an iterator of ``(gap_ns, event)``.

    `next_ns` is when its next event is there. A cursor's events are read into objects that nobody holds any more.
    """

    def __init__(self, source, Market market not None):
        self.market = market
        if isinstance(source, TapeCursor):
            self.cursor = source
            self.cursor.reads_ids = False             # nobody here looks at them
            self.updates = EventRing(DepthUpdate)
            self.trades = EventRing(PublicTrade)
            self.changes = EventRing(OrderChange)
            self.rate = RateUpdate.__new__(RateUpdate)
        else:
            self.events = iter(source)
        self.advance()
        if self.event is not None:
            self.next_ns = self.event.recv_ns

    cdef int advance(self) except -1:
        """Find out when the next event is there."""
        if self.cursor is not None:
            if self.cursor.next_kind == END:
                self.next_ns = NEVER
            elif self.cursor.next_kind != BROKEN:     # what is wrong is raised by the read
                self.next_ns = self.cursor.next_ns
            return 0
        following = next(self.events, self)
        if following is self:
            self.event = None
            self.next_ns = NEVER
        else:
            self.next_ns += self.checked_gap_ns(following)
        return 0

    cdef int64_t checked_gap_ns(self, following) except -1:
        """Keep the next event of an iterable, which may yield anything; returns how long after the last one it is."""
        if isinstance(following, tuple) and len(following) == 2:
            gap_ns, event = following
            if type(gap_ns) is int and 0 <= gap_ns <= NEVER - self.next_ns and isinstance(event, EVENTS):
                self.event = event
                return gap_ns
        self.event = None
        self.next_ns = NEVER
        raise TapeError(f"market: expected (nanoseconds since the last event, event), got {following!r:.200}")

    cdef object take(self):
        """The next event. Whoever holds it keeps it as it is; but of a rate there is only one, to be looked at."""
        cdef object event = self.event
        if self.cursor is not None:
            if self.cursor.next_kind == DEPTH:
                event = self.updates.free()
                self.cursor.read_depth(event)
            elif self.cursor.next_kind == TRADE:
                event = self.trades.free()
                self.cursor.read_trade(event)
            elif ORDER_ADD <= self.cursor.next_kind <= ORDER_DELETE:
                event = self.changes.free()
                self.cursor.read_order(event)
            else:
                self.cursor.read_rate(self.rate)
                event = self.rate
        self.advance()
        return event


@cython.final
cdef class Replay:
    """Plays tapes, and does what is due meanwhile.

    ``scheduler`` and ``dispatcher`` are a strategy's; ``set_sampler`` names who keeps the record of the run.
    """

    def __init__(self, SimClock clock not None):
        self.clock = clock
        self.lanes = []
        self.private = ArrivalQueue()
        self.caller = Caller()
        self.news = ArrivalQueue()
        self.due_ns[:] = [NEVER, NEVER, NEVER, NEVER, NEVER]

    # -- what takes part ---------------------------------------------------------------------------------------

    def add_tape(self, source, Market market not None):
        """Play a `TapeCursor`, or ``(gap_ns, event)`` pairs that begin at their first event's `recv_ns`."""
        self.lanes.append(Lane(source, market))

    def attach(self, scheduler, dispatcher):
        """Fire a strategy's timers, and deliver what its environment calls post."""
        self.scheduler = scheduler
        self.dispatcher = dispatcher
        scheduler.on_change = self.timers_changed
        self.timers_changed()

    def set_sampler(self, sampler):
        """Call ``sampler.sample(now_ns)`` before the first thing that happens at or after its ``next_due_ns``.

        It calls its ``on_change()`` when that is another time.
        """
        self.sampler = sampler
        sampler.on_change = self.samples_changed
        self.samples_changed()

    def every(self, int64_t period_ns, function):
        """Call at whole multiples of a period."""
        self.house = function
        self.house_period_ns = period_ns
        self.due_ns[HOUSE] = (self.clock.ns // period_ns + 1) * period_ns

    # -- what is to happen -------------------------------------------------------------------------------------

    def later(self, int64_t due_ns, function, *args):
        """Let a private message arrive."""
        self.add_private(due_ns, self.caller, CALL, function, args)

    def send(self, MarketView view not None, news):
        """Send market data to the strategy: an event, which is held, or a function to call when it arrives."""
        self.send_change(view, news)

    cdef int send_change(self, MarketView view, object news) except -1:
        if view.only_best and isinstance(news, DepthUpdate) and not (<DepthUpdate>news).is_snapshot:
            news = view.moved_best()
        return 0 if news is None else self.send_news(view, news)

    def timers_changed(self):
        """Take note that the scheduler may have something else to do next."""
        due_ns = self.scheduler.next_due_ns()
        self.due_ns[TIMER] = NEVER if due_ns is None else due_ns

    def samples_changed(self):
        """Take note that the sampler may want to be called at another time."""
        self.due_ns[SAMPLE] = self.sampler.next_due_ns

    def wake(self):
        """Take note that the dispatcher has something to deliver, or that the strategy has failed."""
        self.woken = True

    # -- the loop ----------------------------------------------------------------------------------------------

    def play_first(self):
        """Play what happens at the first moment of the tapes: it sets the clock, and shows a market to start with."""
        cdef Lane lane = self.first()
        cdef int64_t first_ns
        if lane is None or lane.next_ns == NEVER:
            return
        first_ns = lane.next_ns
        self.clock.ns = first_ns
        self.play_event(lane)

    def play(self, int64_t until_ns=NEVER):
        """Play until the tapes end and the last of their news has arrived, or until a time, or a failure."""
        cdef Lane lane = self.first()
        cdef int rank
        while not self.stopped:
            rank = self.next_rank()
            if self.woken or self.due_ns[rank] <= lane.next_ns or lane.next_ns > until_ns:
                if lane.next_ns == NEVER:     # what is on its way arrives, and no more
                    until_ns = min(until_ns, max(self.last_news_ns, self.clock.ns))
                if not self.do_next(rank, until_ns):
                    return
            else:
                if lane.next_ns > self.clock.ns:
                    self.clock.ns = lane.next_ns
                self.play_event(lane)
                lane = self.first()

    def play_quietly(self, int64_t until_ns, is_done):
        """Let pass what is due, without a tape, until a time, or until `is_done()`."""
        while not is_done():
            if not self.do_next(self.next_rank(), until_ns):
                self.clock.ns = max(self.clock.ns, until_ns)
                return

    cdef Lane first(self):
        """The tape whose event is due first."""
        cdef Lane lane
        cdef Lane first = None
        if len(self.lanes) == 1:      # as mostly: nothing to compare
            return <Lane>self.lanes[0]
        for lane in self.lanes:
            if first is None or lane.next_ns < first.next_ns:
                first = lane
        return first

    cdef int play_event(self, Lane lane) except -1:
        cdef object event = lane.take()
        if isinstance(event, DepthUpdate):
            return self.play_depth(lane.market, event)
        if isinstance(event, PublicTrade):
            return self.play_trade(lane.market, event)
        if isinstance(event, OrderChange):
            return self.play_order(lane.market, event)
        lane.market.tell_rate(event)
        return 0

    cdef int play_depth(self, Market market, DepthUpdate update) except -1:
        cdef DepthUpdate changes
        self.messages += 1
        self.levels += update.bid_count + update.ask_count
        try:
            changes = market.engine.follow_depth(update)
        except ValueError as error:
            raise TapeError(f"market: at {update.recv_ns}: {error}") from None
        if market.engine.is_eventful():
            market.catch_up(None)
        elif changes is not None and market.view is not None:
            self.pass_on(market.view, changes)
        return 0

    cdef int play_trade(self, Market market, PublicTrade trade) except -1:
        cdef DepthUpdate changes = None
        cdef PublicTrade told = trade if market.orders is None else market.orders.unexplained(trade)
        self.messages += 1
        self.trades += 1
        if told is not None:
            try:
                changes = market.engine.follow_trade(told)
            except ValueError as error:
                raise TapeError(f"market: at {trade.recv_ns}: {error}") from None
            if market.engine.is_eventful():
                market.catch_up(trade)
                return 0
        if market.view is not None:
            self.pass_on(market.view, trade)
            if changes is not None:
                self.pass_on(market.view, changes)
        return 0

    cdef int play_order(self, Market market, OrderChange change) except -1:
        cdef DepthUpdate update
        if market.orders is None:
            market.follow_orders()
        if market.view is not None and market.view.wants_orders:
            self.pass_on(market.view, change)
        update = market.orders.apply(change)
        if update is not None:
            self.play_depth(market, update)
            market.orders.cap_queues()
        return 0

    cdef int pass_on(self, MarketView view, object news) except -1:
        """Let the strategy hear of what concerned no client: at once, where nothing has to come before."""
        if isinstance(news, DepthUpdate):
            if not view.shows_book:
                return 0
            if view.is_lost:
                view.ask_anew()
                return 0
            if view.only_best:
                news = view.moved_best()
                if news is None:
                    return 0
        cdef int64_t due_ns = self.due_ns[self.next_rank()]
        if view.delay is None and view.delay_ns == 0 and not self.woken and due_ns > self.clock.ns:
            view.tell(news, self.clock.ns)
        else:
            self.send_news(view, news)
        return 0

    cdef int send_news(self, MarketView view, object news) except -1:
        cdef int64_t due_ns = view.arrival_ns(self.clock.ns)
        if due_ns < view.line.last_ns:
            due_ns = view.line.last_ns            # nothing overtakes
        view.line.last_ns = due_ns
        if due_ns > self.last_news_ns:
            self.last_news_ns = due_ns
        self.news.put(due_ns, view, NEWS_ARRIVED, news, None)
        self.due_ns[NEWS] = self.news.next_ns
        return 0

    cdef inline int next_rank(self) noexcept:
        """Of which rank is what is due first, besides the tapes."""
        cdef int first = 0
        cdef int rank
        for rank in range(1, RANKS):
            if self.due_ns[rank] < self.due_ns[first]:
                first = rank
        return first

    cdef bint do_next(self, int rank, int64_t until_ns) except -1:
        """Do the one thing that is due first, which is of a rank; False when nothing is due by then."""
        cdef int64_t due_ns = self.due_ns[rank]
        if self.woken:
            self.woken = False
            self.dispatcher.deliver_waiting()
            if self.dispatcher.failure is not None:
                self.stopped = True
            return True
        if due_ns == NEVER or due_ns > until_ns:
            return False
        if due_ns > self.clock.ns:
            self.clock.ns = due_ns
        if rank == NEWS:
            self.news.deliver_first()
            self.due_ns[NEWS] = self.news.next_ns
        elif rank == PRIVATE:
            self.private.deliver_first()
            self.due_ns[PRIVATE] = self.private.next_ns
        elif rank == TIMER:
            self.scheduler.fire_due()
            self.timers_changed()
        elif rank == HOUSE:
            self.due_ns[rank] += self.house_period_ns
            self.house()
        else:
            self.sampler.sample(self.clock.ns)
        return True


cdef int copy_side(BookSide side, Level *into) noexcept:
    """Copy a side's levels, the best first."""
    cdef Place place
    cdef Level *level
    cdef Py_ssize_t count = 0
    side.start(&place)
    level = side.next_level(&place)
    while level is not NULL:
        into[count] = level[0]
        count += 1
        level = side.next_level(&place)
    return 0
