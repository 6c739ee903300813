"""A run, or a campaign, as something to send: one HTML page that needs nothing else, or Markdown to paste.

`source` reads a run, `digest` says what is told of it as JSON, `page` puts that JSON, the script and the style into one
file. `postmortem` writes the same as Markdown.
"""
