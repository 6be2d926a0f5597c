"""Kills the gate with SIGKILL under load, again and again, and checks what it promised: nothing lost, nothing twice."""
