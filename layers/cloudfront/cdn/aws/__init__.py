"""AWS services as this layer uses them: one module each, and nothing of CloudFront."""
