"""CloudFront Autopilot's helpers: the only place that knows CloudFront's shapes."""
