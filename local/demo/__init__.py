"""The narrated run: this stack at work on one machine, every statement checked from outside."""
