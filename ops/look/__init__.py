"""Looks at files and partners for people: is it right, is it signed, does the other side answer?"""
