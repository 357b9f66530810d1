# The loop of a backtest, for other compiled modules.

cimport cython
from libc.stdint cimport int64_t
from mlthon._core.arrivals cimport ArrivalQueue
from mlthon._core.event_ring cimport EventRing
from mlthon._core.followed_market cimport FollowedMarket
from mlthon._core.instrument_feed cimport InstrumentFeed
from mlthon._core.market_event cimport DepthUpdate, PublicTrade
from mlthon._core.order_change cimport OrderChange, RateUpdate
from mlthon._core.recipient cimport Caller, Recipient
from mlthon._core.sim_clock cimport SimClock
from mlthon._core.tape_cursor cimport TapeCursor
from mlthon._core.tape_orders cimport TapeOrders

cdef enum:                            # the order of what is due at the same time; a tape's event comes last
    SAMPLE = 0                        # the run's own record
    TIMER = 1                         # the strategy's timers
    HOUSE = 2                         # what exchanges do by the clock: funding
    PRIVATE = 3                       # requests that reach an exchange, reports that reach the strategy
    NEWS = 4                          # market data that reaches the strategy
    RANKS = 5

cdef class FeedLine:
    cdef SimClock clock
    cdef int64_t last_ns              # when the last of what was sent on it arrives

cdef class MarketView(Recipient):
    cdef FeedLine line
    cdef public bint is_lost          # the strategy's book is to be given anew, when it is not displayed crossed
    cdef bint shows_book              # somebody has asked for the book: else no depth is sent
    cdef public bint only_best        # it is sent the best levels alone, as a snapshot whenever they change
    cdef FollowedMarket engine        # of the market it is of
    cdef EventRing bests
    cdef DepthUpdate best             # what was sent of them last
    cdef object instrument_id
    cdef object listener              # FeedListener
    cdef object delay                 # None: always `delay_ns`
    cdef int64_t delay_ns
    cdef object ask_anew
    cdef InstrumentFeed feed          # None: nothing is wanted yet
    cdef bint wants_book
    cdef bint wants_trades
    cdef bint wants_orders

    cdef DepthUpdate moved_best(self)
    cdef int64_t arrival_ns(self, int64_t now_ns) except -1
    cdef int tell(self, object news, int64_t now_ns) except -1
    cdef int tell_depth(self, DepthUpdate update, int64_t now_ns) except -1
    cdef int tell_trade(self, PublicTrade trade, int64_t now_ns) except -1

cdef class Market:
    cdef FollowedMarket engine
    cdef object catch_up
    cdef object tell_rate
    cdef readonly TapeOrders orders   # None where no tape tells orders one by one
    cdef MarketView view              # None: nobody watches

cdef class Lane:
    cdef Market market
    cdef int64_t next_ns              # when its next event is there
    cdef TapeCursor cursor            # None: `events`
    cdef EventRing updates, trades, changes           # what the cursor fills
    cdef RateUpdate rate
    cdef object events                # iterator of (gap_ns, event)
    cdef object event                 # what comes next

    cdef int advance(self) except -1
    cdef int64_t checked_gap_ns(self, following) except -1     # TapeError
    cdef object take(self)


@cython.final
cdef class Replay:
    cdef readonly SimClock clock
    cdef readonly int64_t messages    # of the tapes: books and trades
    cdef readonly int64_t levels      # in the books
    cdef readonly int64_t trades
    cdef list lanes
    cdef int64_t[RANKS] due_ns        # when the next of each rank is due
    cdef ArrivalQueue private
    cdef Caller caller
    cdef ArrivalQueue news            # to `MarketView`s: events, and functions to call
    cdef int64_t last_news_ns         # when the last of the news is due, on any line
    cdef object scheduler
    cdef object dispatcher
    cdef object sampler
    cdef object house
    cdef int64_t house_period_ns
    cdef bint woken
    cdef bint stopped

    # Let a private message arrive.
    cdef inline int add_private(
            self, int64_t due_ns, Recipient recipient, int what, object first, object second) except -1:
        self.private.put(due_ns, recipient, what, first, second)
        self.due_ns[PRIVATE] = self.private.next_ns
        return 0

    cdef int send_change(self, MarketView view, object news) except -1     # the same as `send`
    cdef Lane first(self)
    cdef int play_event(self, Lane lane) except -1
    cdef int play_depth(self, Market market, DepthUpdate update) except -1
    cdef int play_trade(self, Market market, PublicTrade trade) except -1
    cdef int play_order(self, Market market, OrderChange change) except -1
    cdef int pass_on(self, MarketView view, object news) except -1
    cdef int send_news(self, MarketView view, object news) except -1
    cdef int next_rank(self) noexcept
    cdef bint do_next(self, int rank, int64_t until_ns) except -1
