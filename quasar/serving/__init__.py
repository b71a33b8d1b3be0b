"""The endpoint: a problem comes in over HTTP, the best verified circuit goes out.

`schema` and `errors` are the contract with the caller, `models` who answers, `service` the work
(pure: no Ray, no HTTP), `writer` the sampling of candidates, `api` the HTTP side, `app` puts them
on Ray Serve.
"""
