"""The SDK, the CLI `plimsoll` and the auditor. Talks to nodes over gRPC; never imports `node`."""
