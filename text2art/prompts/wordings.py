"""Words that stand around words: label templates, and pairs of texts with and without writing."""

from __future__ import annotations

# A label is read in all of these, and the embeddings are averaged (prompt ensembling, arXiv:2103.
# 00020 section 3.1.4). They differ in medium, size and light, so that the thing alone is left.
LABEL_TEMPLATES = (
    "a photo of the {}",
    "a drawing of the {}",
    "a painting of the {}",
    "a dark photo of the {}",
    "a bright photo of the {}",
    "a picture of the small {}",
    "a picture of the large {}",
    "the {} from the side",
    "one {} and nothing else",
)

# What the built-in vector "textoff" is made of: the mean difference between the embeddings of a
# picture and of the same picture with writing in it.
TEXTOFF = "textoff"
PLAIN = (
    "a picture",
    "a photo of a landscape",
    "a painting of a face",
    "a drawing of an animal",
    "an illustration of a thing",
    "a colorful pattern",
)
WRITING = (
    "with words written on it",
    "with large letters in it",
    "covered in text",
    "with a caption below",
    "with a signature in the corner",
    "on a poster with a slogan",
)


def label_texts(label: str) -> list[str]:
    """Return a label in every template."""
    return [template.replace("{}", label) for template in LABEL_TEMPLATES]
