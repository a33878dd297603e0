"""Why CloudFront answers as it does."""
