"""Documents with a generated part between two marker comments."""

from __future__ import annotations


def markers(topic: str) -> tuple[str, str]:
    """Return the comments before and behind the generated part of docs/TOPIC.md."""
    begin = f"<!-- {topic}: written by `python -m scripts.generate` -->"
    return begin, f"<!-- end of {topic} -->"


def replaced(text: str, topic: str, content: str) -> str:
    """Return a document with fresh content between its two markers.

    Args:
        text: of the document.
        topic: what the markers name, also the document in docs/.
        content: the lines between them.

    Raises:
        ValueError: the markers are not there.
    """
    begin, end = markers(topic)
    head, found, rest = text.partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"docs/{topic}.md needs the two marker comments of its tables")
    return f"{head}{begin}\n\n{content}\n{end}{tail}"
