"""ebXML over SMTP: sends through a relay, listens by itself, or collects from the mailbox that a site already has."""
