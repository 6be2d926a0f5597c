"""MCP server: tools for agents."""
