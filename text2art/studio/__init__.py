"""The studio: the site around the model. Its web process never imports torch.

Layers, each importing only from those below: `api`, `worker`, `mail` > `service` > `queue`,
`store`, `events` > `db` > `config`, `net` > `model`, `ids`.
"""
