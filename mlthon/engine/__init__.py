"""The engine: what stands between a strategy and the venues, the same in every mode."""
