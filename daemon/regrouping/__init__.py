"""Brings what is stored under the present rules of grouping, as far as samples tell."""
