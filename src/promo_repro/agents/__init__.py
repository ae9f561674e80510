"""Agents room: learning what to promote from what happened, from tables to networks."""
