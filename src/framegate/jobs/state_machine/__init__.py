"""State machine of a job: transitions, submit, poll, fallback, finalize."""
