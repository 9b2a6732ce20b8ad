"""What record systems can ask of the hub, whichever door they come by: the doors speak a language each, the rules are here.

Hand over, list, fetch, confirm, answer, status, events. See facade.RecordSystems for the verbs, values for what they
answer with. Who may do what is decided here; no door decides it, and none looks behind this package.
"""
