"""What signing costs, as ratios to what it can cost at least: `make bench`."""
