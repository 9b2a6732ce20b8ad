"""ebXML over HTTP: partners' message handlers, in both directions (ebxml.md §2.5)."""
