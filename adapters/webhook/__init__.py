"""Tells record systems at once what they else would poll for; see docs/webhook.md."""
