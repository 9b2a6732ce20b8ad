"""Where a message goes, and because of what: rules in a table, the first that matches decides."""
