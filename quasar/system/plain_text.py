"""Text made fit to be shown: no codes that move a cursor, no credentials in addresses."""

import re

_USER_INFO = re.compile(r"(?<=://)[^/\s@'\"]+@")
_SECRET_QUERY = re.compile(r"(?i)([?&][\w-]*(?:token|password|passwd|secret|key)[\w-]*=)[^&\s'\"]+")


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


def strip_credentials(text: str) -> str:
    """The text without `user:password@` and without secret-looking query values in its URIs."""
    return _SECRET_QUERY.sub(r"\1***", _USER_INFO.sub("", text))
