"""Campaigns: many runs of many scenarios and models, one table of what they were worth."""
