"""CloudFront Autopilot's helpers: the only place that knows CloudFront's shapes."""

__version__ = "0.1.0"
