"""Jobs: service, worker, state machine, routing, webhooks and background tasks."""
