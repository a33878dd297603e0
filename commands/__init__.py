"""What a person types beside the demo: questions to a deployed stack, and help for it."""
