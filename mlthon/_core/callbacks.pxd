# Where a strategy's callbacks stand among each other, for compiled modules.

cdef enum:
    NUM_CALLBACKS = 36
    NUM_MARKET_CALLBACKS = 9          # the first ones: those made in batches

# Positions in CALLBACKS of the market data callbacks.
cdef enum:
    ON_ADD_PRICE_LEVEL = 0
    ON_MODIFY_PRICE_LEVEL = 1
    ON_DELETE_PRICE_LEVEL = 2
    ON_ADD_LEVEL = 3
    ON_MODIFY_LEVEL = 4
    ON_DELETE_LEVEL = 5
    ON_BEST_BID = 6
    ON_BEST_ASK = 7
    ON_PUBLIC_TRADE = 8
