"""Mail and webhooks: what is told to people and programs outside, and how it gets there.

`outbox.py` at the top delivers the rows that ended jobs left; below it `messages.py` says what is
written, `transports.py` and `webhooks.py` how it goes out, `addresses.py` who may be written to.
"""
