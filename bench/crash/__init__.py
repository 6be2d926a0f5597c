"""Crash test: SIGKILL under load, repeatedly; then checks that nothing was lost and nothing ordered twice."""
