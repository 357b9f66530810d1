from enum import Enum, EnumType

class MltEnumType(EnumType): ...
class MltEnum(Enum, metaclass=MltEnumType): ...  # type: ignore[misc]  # a base: it has no members

class Side(MltEnum):
    Buy = 1
    Sell = 2

class OrderType(MltEnum):
    Unset = 0
    Limit = 1
    Market = 2

class TIF(MltEnum):
    Unset = 0
    GTC = 1
    IOC = 2
    FOK = 3

class ExecInstructions(MltEnum):
    Unset = 0
    PostOnly = 1

class OrderStatus(MltEnum):
    Unset = 0
    New = 1
    PartiallyFilled = 2
    Filled = 3
    Cancelled = 4
    Rejected = 5

class CancelCode(MltEnum):
    Unset = 0
    CanceledByUser = 1
    SelfTradePrevention = 2

class GtwRejectCode(MltEnum):
    GtwNotReady = 1000
    UnknownInstrument = 1001
    UnknownOrder = 1002
    DuplicateClientId = 1003
    InvalidPrice = 1004
    InvalidQty = 1005
    InvalidNotional = 1006
    PostOnlyWouldCross = 1007
    InsufficientFunds = 1008
    PositionLimit = 1009
    ReduceOnlyRefused = 1010
    RequestPending = 1011
    TooLate = 1012
    RateLimited = 1013
    AuthFailed = 1014
    ClockSkew = 1015
    MarketClosed = 1016
    VenueFault = 1017
    InvalidRequest = 1018
    SelfTrade = 1019
    Other = 1099

class RequestKind(MltEnum):
    NewOrder = "NewOrder"
    ModifyOrder = "ModifyOrder"
    CancelOrder = "CancelOrder"
    CancelAll = "CancelAll"
    OrderStatus = "OrderStatus"
    OrdersInfo = "OrdersInfo"
    PositionInfo = "PositionInfo"
    WalletInfo = "WalletInfo"
    AccountInfo = "AccountInfo"
    FundingInfo = "FundingInfo"
    MarketData = "MarketData"
    ExecutionConnection = "ExecutionConnection"

class OrderEvent(MltEnum):
    Sent = 1
    Acked = 2
    Rejected = 3
    ModifySent = 4
    Modified = 5
    ModifyRejected = 6
    CancelSent = 7
    CancelRejected = 8
    Cancelled = 9
    Filled = 10
