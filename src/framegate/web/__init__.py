"""Web page: static files of the page at /."""
