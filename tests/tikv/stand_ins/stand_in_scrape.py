"""The size of a scrape of a store: lines that hold nothing fill it up to the size of a real one.

Measured at a real store with 14 regions, with and without `simplify-metrics`, which leaves out what is zero.
"""

WHOLE = (20_039, 1_600_000)  # lines, bytes
SIMPLIFIED = (5_828, 427_000)


def filled(lines: list[str], lines_in_all: int, bytes_in_all: int) -> str:
    """The lines, and as many more as are missing."""
    text = "".join(f"{line}\n" for line in lines)
    count = lines_in_all - len(lines) - 1
    width = (bytes_in_all - len(text)) // count
    more = [f'tikv_stand_in_filler{{series="{n:05}"}} 1' for n in range(count)]
    padded = "".join(line.replace('"}', "_" * (width - 1 - len(line)) + '"}') + "\n" for line in more)
    return f"{text}# TYPE tikv_stand_in_filler gauge\n{padded}"
