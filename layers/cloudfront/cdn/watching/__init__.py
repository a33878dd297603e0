"""Whatever CloudFront is doing, polled to its end and announced."""
