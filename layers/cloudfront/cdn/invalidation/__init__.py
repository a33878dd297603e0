"""From what changed in S3 to the invalidations that it needs."""
