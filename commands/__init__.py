"""The `autopilot` command line: questions to a deployed stack, help for it, and the demo."""
