"""Sound bed."""
