"""Numbers as people read them: seconds, sizes, money. None is a dash."""


def seconds(value: float | None) -> str:
    if value is None:
        return "—"
    if value < 9.95:
        return f"{max(value, 0):.1f} s"
    if value < 99.5:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def milliseconds(value: float | None) -> str:
    if value is None:
        return "—"
    ms = value * 1000
    return f"{ms:.1f} ms" if ms < 9.95 else f"{ms:.0f} ms"


def size(value: float | None) -> str:
    if value is None:
        return "—"
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def amount(value: float) -> str:
    """A number for a narrow column: 950, 12.3k, 1.2M."""
    if value < 1000:
        return f"{value:.0f}"
    return f"{value / 1000:.1f}k" if value < 999_950 else f"{value / 1e6:.1f}M"


def money(value: float | None) -> str:
    return "—" if value is None else f"${value:.2f}" if value >= 0.995 or value == 0 else f"${value:.4f}"


def plural(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
