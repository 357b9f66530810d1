"""The simulated exchange, without a protocol: matching, queue rules, ledger, fees, and a market made from a seed."""
