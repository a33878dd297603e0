"""The signing keys: observe, decide on one step, take it."""
