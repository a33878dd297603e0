"""The embedded default: this repository's template.yaml, running on one machine."""
