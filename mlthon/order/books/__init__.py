"""Books a strategy keeps from its market data callbacks: by price, or by level id."""
