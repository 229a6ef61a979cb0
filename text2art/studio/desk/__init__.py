"""What a page on top of a studio's HTTP API does, whatever draws its boxes and buttons."""
