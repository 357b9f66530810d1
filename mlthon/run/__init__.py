"""Running strategies: the only place that wires the parts together."""
