"""What CloudFront has, and what it takes."""
