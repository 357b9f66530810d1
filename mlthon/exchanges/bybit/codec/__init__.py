"""Bybit v5 messages: pure functions between bytes and values.

No socket, no clock, no state. A decoder returns a value or raises DecodeError; what it returns is whole and
checked. Messages that are well formed but not of interest come back as `Unknown`.

* `fields`: reading one JSON object, key by key
* `public`: order books and trades
* `orders`, `account`: the rows that the private streams and the REST answers share
* `private`: the private stream
* `trade`: order requests and their answers
* `rest`: the envelope of REST answers
"""
