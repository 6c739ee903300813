"""Campaigns: many runs of many scenarios and models, and one table of their results."""
