"""Strategies to start from: `demo_strat.DemoStrat`."""
