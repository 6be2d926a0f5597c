"""A dialect's OpenAPI, as a page that needs nothing from elsewhere."""

from collections.abc import Mapping
from html import escape
from typing import Any

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}}
td{{padding:.3rem 1rem .3rem 0;vertical-align:top}}code{{white-space:nowrap}}</style>
<h1>{title}</h1><p>{description}</p>
<p>The whole description, for programs: <a href="openapi.json">openapi.json</a>.</p>
<table>{rows}</table></html>
"""
ROW = "<tr><td><code>{method} {path}</code></td><td>{text}</td></tr>"


def operations_page(openapi: Mapping[str, Any]) -> str:
    """The list of operations, each with what it does."""
    rows = [
        ROW.format(
            method=method.upper(), path=escape(path), text=escape(operation.get("description") or operation["summary"])
        )
        for path, operations in openapi["paths"].items()
        for method, operation in operations.items()
    ]
    info = openapi["info"]
    return PAGE.format(title=escape(info["title"]), description=escape(info["description"]), rows="\n".join(rows))
