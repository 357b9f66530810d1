"""What a strategy is written against: `istrategy.IStrategy` and `istrat_env.IStratEnv`."""
