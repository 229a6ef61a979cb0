"""The studio over HTTP: who asks (`callers`), what passes (`gate`), what is answered (`shapes`).

`app.py` puts it together; each file of `routes` holds what belongs to one noun. Free of torch.
"""
