"""The toy's functions are run, not imported: they find their layer only in a sandbox."""

collect_ignore_glob = ["*"]
