"""Backtests: the same strategy on recorded data, and what came of it."""
