"""The public APIs that clients speak. Each is a mounted application; none knows another, or any provider."""
