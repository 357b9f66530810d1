"""The vocabulary of values: enums, prices, quantities, decimals, and rounding to ticks."""
