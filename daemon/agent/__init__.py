"""A coding agent corrects errors: on a branch of its own, tested, and never in anybody's own files.

Runs where the code is, a developer's machine or a runner, never in the daemon. Merges nothing, deploys nothing.
"""
