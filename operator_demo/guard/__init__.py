"""The guard: the only holder of the engine's socket inside a run. Monitor and agent reach the engine through it."""
