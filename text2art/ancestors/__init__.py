"""What pixray and clipit could be told, and how it is read here."""
