"""Corrections of errors: recorded, handed to an agent, validated."""
