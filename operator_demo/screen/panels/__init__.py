"""The panels: from the state to lines of Rich text. Each gets the room it has and returns lines that fit it."""
