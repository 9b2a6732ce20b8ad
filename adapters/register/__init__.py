"""Who is who and what is agreed, from files: parties.toml, the keys it names, and a folder of CPAs."""
