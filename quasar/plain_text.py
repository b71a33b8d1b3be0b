"""Text of others made fit for a terminal: no codes that move the cursor, colour or ring."""


def printable(text: str) -> str:
    """One line; a character that does not print becomes U+FFFD."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def printable_lines(text: str) -> list[str]:
    """Its lines, each as `printable`; tabs become spaces."""
    return [printable(line.expandtabs(4)) for line in text.splitlines()]


def one_line(text: str, *, max_chars: int) -> str:
    """In one line of at most so many characters."""
    line = printable(" ".join(text[: 4 * max_chars].split()))
    return line if len(line) <= max_chars else line[: max_chars - 1] + "…"
