"""One page and an API over segmenters, for a browser and for programs (extra `web`).

| module | what it does |
|---|---|
| `limits` | what a request may ask for, and what it is told if it asks for more |
| `engine` | the networks, for one batch of requests after the other; embeddings that are kept |
| `questions`, `answers` | requests and responses as values, described by OpenAPI |
| `guard` | what every request must pass: host, origin, token, size |
| `api` | the addresses |
| `server` | listening, and ending without losing work |
| `client` | the same addresses for programs in Python |
"""
